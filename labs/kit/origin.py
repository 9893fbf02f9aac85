"""Where a run comes from, if not from a user who started it anew."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from labs.kit.folder import RunFolder

Watch = Callable[[int, Mapping[str, float]], None]
"""Called with each step and its metrics by name as they are recorded; it may raise `Pruned`."""


@dataclass(frozen=True)
class Origin:
    """What a run goes on with or repeats, which run it belongs to, and who watches its metrics."""

    resumes: "RunFolder | None" = None
    """The stopped run that it goes on with."""
    replays: "RunFolder | None" = None
    """The finished run that it repeats."""
    parent: str | None = None
    """Id of the run that started it: a sweep, or one that repeats a lab with several seeds."""
    watch: Watch | None = None

    @property
    def before(self) -> dict[str, Any]:
        """The record that the run must agree with: its own earlier one, or that of the run it repeats."""
        earlier = self.resumes or self.replays
        return earlier.record if earlier else {}
