"""What finished runs kept: their trained models, and the files that belong to those."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from foundations.errors import InputError, require_choice
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

    def file(self, name: str) -> Path:
        """A file that the run kept by `run.file`. Raises: InputError, naming those that it kept."""
        path = self.run.path / "files" / name
        if not path.is_file():
            known = sorted(each.name for each in path.parent.glob("*"))
            raise InputError(f"run {self.run.record['name']!r}: kept no {name!r}; its files: {known or 'none'}")
        return path


def load_model(reference: str, name: str | None = None) -> Kept:
    """The model that a finished run kept: by the run's id, beginning of an id or name, or `last`.

    `name` says which, where the run kept several. The weights are those that the run's store holds.
    Raises: InputError for a run that is not there, not finished or without a model, and a name that it has not;
        MachineError where the store does not have what the run's folder says.
    """
    run = find(reference)
    record = run.record
    if (state := run.state()) != "finished":
        raise InputError(f"run {record['name']!r}: is {state}; only a finished run's model can be used")
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
