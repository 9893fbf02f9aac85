"""Checkpoints: whole or not there, and readable without running anyone's code."""

import os
import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from labs.kit.ends import Diverged, MachineError


def save(path: Path, state: Mapping[str, Any]) -> None:
    """Write `state` to `path` atomically: to a file beside it, flushed to the disk, then renamed.

    Raises: Diverged, before anything is written, if a tensor of `state` holds a NaN.
    """
    spoiled = first_nan(state)
    if spoiled:
        raise Diverged(f"{spoiled} holds NaN")
    fresh = path.with_suffix(".writing")
    try:
        with fresh.open("wb") as file:
            torch.save(dict(state), file)
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(path)
    except RuntimeError as error:  # torch reports a full disk so, and what the system said only as its context
        reason = error.__context__ if isinstance(error.__context__, OSError) else error
        raise MachineError(f"the checkpoint {path} could not be written: {reason}") from error
    finally:
        fresh.unlink(missing_ok=True)
    if os.name == "posix":  # the rename itself must reach the disk
        folder = os.open(path.parent, os.O_RDONLY)
        os.fsync(folder)
        os.close(folder)


def load(path: Path) -> dict[str, Any]:
    """What `save` wrote, on the CPU. Raises: MachineError if the file is damaged."""
    try:
        state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    except (RuntimeError, EOFError, pickle.UnpicklingError) as error:
        problem = str(error).partition("\n")[0]
        raise MachineError(f"{path} is damaged ({problem}): remove it, and the run begins again") from error
    return state


def first_nan(state: Any, name: str = "") -> str | None:
    """The dotted name of the first floating-point tensor in `state` that holds a NaN."""
    if isinstance(state, Tensor):
        return name if state.is_floating_point() and bool(state.isnan().any()) else None
    parts = state.items() if isinstance(state, Mapping) else enumerate(state) if isinstance(state, list | tuple) else ()
    for key, part in parts:
        if found := first_nan(part, f"{name}.{key}" if name else str(key)):
            return found
    return None
