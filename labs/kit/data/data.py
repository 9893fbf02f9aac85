"""What a run wants to know of its data, whatever their kind."""

from typing import Protocol


class Data(Protocol):
    """Something to learn from, whole and in memory.

    `fingerprint` depends on the content alone. `source` says where it came from: LABS_DATA_DIR, cache, download,
    embedded, or the user's file or folder. `notice`, where it is not None, must be shown: it is not what was asked for.
    """

    @property
    def name(self) -> str:
        """What it is called in records."""
        ...

    @property
    def fingerprint(self) -> str:
        """16 hexadecimal digits of a hash over the content."""
        ...

    @property
    def source(self) -> str:
        """Where it came from."""
        ...

    @property
    def licence(self) -> str:
        """Under which terms it may be used."""
        ...

    @property
    def notice(self) -> str | None:
        """What the user must be told."""
        ...

    @property
    def counts(self) -> dict[str, int]:
        """How much there is of it: what is counted -> how many."""
        ...
