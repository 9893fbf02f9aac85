"""What data sets of every kind have in common."""

from dataclasses import dataclass


@dataclass(frozen=True, eq=False, kw_only=True)
class Data:
    """Something to learn from, whole and in memory; each kind adds its content.

    `name` is what it is called in records. `fingerprint`, 16 hexadecimal digits of a hash, depends on the content
    alone, wherever it lay. `source` says where it came from: LABS_DATA_DIR, cache, download, embedded, or the user's
    file or folder. `licence` says under which terms it may be used. `notice`, where it is not None, must be shown to
    the user: it is not what was asked for.
    """

    name: str
    fingerprint: str
    source: str
    licence: str
    notice: str | None = None

    @property
    def counts(self) -> dict[str, int]:
        """How much there is of it: what is counted -> how many."""
        raise NotImplementedError
