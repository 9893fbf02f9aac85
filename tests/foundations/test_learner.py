from collections.abc import Iterator, Mapping
from typing import Any

from foundations.learner import Learner, Metrics


class Counter:
    """The least that learns: it counts."""

    def __init__(self) -> None:
        self.count = 0

    def learn(self) -> Iterator[Metrics]:
        while True:
            self.count += 1
            yield {"count": float(self.count)}

    def state_dict(self) -> dict[str, Any]:
        return {"count": self.count}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self.count = state["count"]


def test_whatever_has_the_three_methods_is_a_learner():
    assert isinstance(Counter(), Learner)


def test_what_lacks_one_is_none():
    assert not isinstance(object(), Learner)
