"""The one idea of the house: everything that learns is a `Learner`, and training is a generator."""

from collections.abc import Iterator, Mapping
from typing import Any, Protocol, runtime_checkable

from torch import Tensor

Metrics = Mapping[str, float | Tensor]
"""Named figures of one update. Tensors are scalars, detached, on the learner's device until they are read."""


@runtime_checkable
class Learner(Protocol):
    """Anything that learns, one update at a time.

    At every `yield` of `learn` the state is whole: a checkpoint may be taken there and nowhere else. `learn` starts
    from the state that it finds, so resuming is `load_state_dict` and then `learn` again. A schedule that needs the
    length of the run is given it in the constructor. Validation figures are yielded like any other, under names with
    a slash (`validation/accuracy`).
    """

    def learn(self) -> Iterator[Metrics]:
        """Yield the metrics of each update; may be endless.

        A tensor that was yielded is read later, where it is on another device: it must not be changed in place.
        """
        ...

    def state_dict(self) -> dict[str, Any]:
        """All that `learn` needs to go on: weights, optimizers, counters, random streams, place in the data.

        Only tensors, numbers, strings, None, lists, tuples and dicts, so that it loads with `weights_only=True`.
        """
        ...

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue from `state`, exactly."""
        ...
