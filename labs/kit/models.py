"""What finished runs kept: their trained models, and the files that belong to those."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from foundations.errors import InputError, require, require_choice
from labs.kit.folder import RunFolder, find

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True)
class Kept:
    """A trained model of a finished run, in evaluation mode on the CPU.

    `shape` is that of its inputs, -1 where any size will do: the batch's, and a sentence's length, say.
    """

    run: RunFolder
    name: str
    module: "nn.Module"
    shape: tuple[int, ...]

    @property
    def lab(self) -> str:
        """The name of the lab that trained it."""
        return str(self.run.record["lab"])

    @property
    def config(self) -> Mapping[str, Any]:
        """The settings that it was trained with."""
        config: Mapping[str, Any] = self.run.record["config"]
        return config

    def file(self, name: str) -> Path:
        """A file that the run kept by `run.file`. Raises: InputError, naming those that it kept."""
        path = self.run.path / "files" / name
        if not path.is_file():
            known = sorted(each.name for each in path.parent.glob("*"))
            raise InputError(f"run {self.run.record['name']!r}: kept no {name!r}; its files: {known or 'none'}")
        return path


def load_model(
    reference: str, name: str | None = None, *, lab: str | None = None, same: Mapping[str, object] | None = None
) -> Kept:
    """The model that a finished run kept: by the run's id, beginning of an id or name, or `last`.

    `name` says which, where the run kept several; `lab`, where given, whose run it must be, and `same`, by name, the
    settings that it must have been made with. The weights are those that the run's store holds.
    Raises: InputError for a run that is not there, not finished, without a model, of another lab or with other settings
        than `same`, and a name that it has not; MachineError where the store does not have what the run's folder says.
    """
    run = find(reference)
    record = run.record
    if (state := run.state()) != "finished":
        raise InputError(f"run {record['name']!r}: is {state}; only a finished run's model can be used")
    _require_made(reference, record, lab, same or {})
    names = run.models()
    if not names:
        raise InputError(f"run {record['name']!r}: the lab {record['lab']} keeps no model; give the run of another lab")
    if name is None and len(names) > 1:
        raise InputError(f"run {record['name']!r}: has several models, say which: {', '.join(names)}")
    chosen = names[0] if name is None else name
    require_choice("model", chosen, names)
    from labs.kit import tracking

    module, shape = tracking.stored_model(record["id"], chosen)
    return Kept(run, chosen, module.eval(), shape)


def _require_made(reference: str, record: Mapping[str, Any], lab: str | None, same: Mapping[str, object]) -> None:
    """Raises: InputError unless the run is one of `lab`, with the settings `same`."""
    fix = f"give one: `python -m labs runs` lists them, `python -m labs.{lab}` makes one"
    require(lab in (None, record["lab"]), "run", reference, f"a run of {lab}, not of {record['lab']}; {fix}")
    for setting, wanted in same.items():
        then = record["config"].get(setting)
        require(
            then == wanted, "run", reference, f"a run with --{setting} {wanted}, or add --{setting} {then} as it had"
        )
