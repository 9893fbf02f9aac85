"""States of learners, for tests: as a file gives them back, compared to the bit, and whether resuming is exact."""

import copy
import io
import math
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any, TypeVar

import torch

from foundations.learner import Learner

PICKLED = ("environment", "environments")
"""Where states keep pickles: what holds the same may be pickled to other bytes, so these are not compared."""

AnyLearner = TypeVar("AnyLearner", bound=Learner)


def saved_and_loaded(state: Any) -> Any:
    """`state` as it comes back from a file: of what loads without executing anything, or not at all."""
    file = io.BytesIO()
    torch.save(state, file)
    file.seek(0)
    return torch.load(file, weights_only=True)


def assert_same_state(one: Any, other: Any) -> None:
    """Two nested states, or metrics, have the same leaves, and these, but for pickles, the same bits."""
    left, right = dict(_leaves(one)), dict(_leaves(other))
    assert left.keys() == right.keys()
    for path, value in left.items():
        pickled = path.rpartition("/")[2] in PICKLED and value is not None and right[path] is not None
        assert pickled or _same(value, right[path]), f"{path}: {value} and {right[path]}"


def assert_resumes_exactly(
    build: Callable[[], AnyLearner], before: int, after: int | None = None, *, into: AnyLearner | None = None
) -> tuple[AnyLearner, AnyLearner]:
    """Broken off after `before` updates and loaded into a fresh twin, a learner goes on as one that never stopped.

    Compared are the metrics of the next `after` updates, or of all that are left, and the whole state behind them.
    The twin is `into`, as of another seed, or one more of `build`.
    Gives the learner that never stopped and the twin, for what else a test compares.
    """
    straight, stopped, resumed = build(), build(), build() if into is None else into
    wanted = _metrics(straight, None if after is None else before + after)
    assert len(wanted) > before, "nothing is left to be learned behind the break"
    _metrics(stopped, before)
    resumed.load_state_dict(saved_and_loaded(stopped.state_dict()))
    assert_same_state(_metrics(resumed, after), wanted[before:])
    assert_same_state(resumed.state_dict(), straight.state_dict())
    return straight, resumed


def _metrics(learner: Learner, updates: int | None) -> list[dict[str, Any]]:
    return [copy.deepcopy(dict(metrics)) for metrics in islice(learner.learn(), updates)]


def _leaves(state: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """The leaves of a nested state and the paths to them; what holds nothing is a leaf too."""
    if isinstance(state, (dict, list, tuple)) and len(state) > 0:
        pairs = state.items() if isinstance(state, dict) else enumerate(state)
        for key, value in pairs:
            yield from _leaves(value, f"{path}/{key}")
    else:
        yield path, state


def _same(one: Any, other: Any) -> bool:
    if isinstance(one, torch.Tensor) or isinstance(other, torch.Tensor):
        both = isinstance(one, torch.Tensor) and isinstance(other, torch.Tensor)
        return both and one.dtype == other.dtype and torch.equal(one, other)
    if isinstance(one, float) and isinstance(other, float) and math.isnan(one):
        return math.isnan(other)
    return bool(one == other)
