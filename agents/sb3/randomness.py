"""Libraries that draw from the global random streams, kept from each other's."""

import random
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch


class GlobalStreams:
    """The global streams of Python, NumPy and torch (of the accelerator too), as one part of a program sees them.

    Within `lent()` the global streams are this part's; outside they are as if it had never drawn.
    """

    def __init__(self, seed: int, device: torch.device) -> None:
        self._device = device
        outside = self._read()
        random.seed(seed)
        np.random.seed(seed % 2**32)  # noqa: NPY002  the stream that the library draws from
        torch.manual_seed(seed)
        self._own = self._read()
        self._write(outside)

    @contextmanager
    def lent(self) -> Iterator[None]:
        """Within, what is drawn globally is drawn from these streams."""
        outside = self._read()
        self._write(self._own)
        try:
            yield
        finally:
            self._own = self._read()
            self._write(outside)

    def state_dict(self) -> dict[str, Any]:
        """Where the streams stand."""
        return dict(self._own)

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from `state`."""
        self._own = dict(state)

    def _read(self) -> dict[str, Any]:
        _, words, *rest = np.random.get_state()  # noqa: NPY002
        state = {
            "python": random.getstate(),
            "numpy": (torch.from_numpy(np.asarray(words).astype(np.int64)), *rest),
            "torch": torch.get_rng_state(),
        }
        if self._device.type == "cuda":
            state["cuda"] = torch.cuda.get_rng_state(self._device)
        return state

    def _write(self, state: Mapping[str, Any]) -> None:
        words, *rest = state["numpy"]
        random.setstate(state["python"])
        np.random.set_state(("MT19937", words.numpy().astype(np.uint32), *rest))  # noqa: NPY002
        torch.set_rng_state(state["torch"])
        if "cuda" in state:
            torch.cuda.set_rng_state(state["cuda"], self._device)
