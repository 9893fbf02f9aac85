"""How long a sweep puts up with workers that die."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from labs.kit.ends import Interrupts, MachineError
from labs.kit.sweeps.workers import Pool


class Dead:
    """A worker that died as soon as it had begun."""

    exitcode, name = -9, "worker-1"

    def __init__(self, sentinel: int) -> None:
        self.sentinel = sentinel

    def is_alive(self) -> bool:
        return False

    def kill(self) -> None:
        pass

    def join(self) -> None:
        pass


@pytest.fixture
def pool(tmp_path, monkeypatch) -> Iterator[Pool]:
    """A pool of one, all of whose workers die."""
    reading, writing = os.pipe()
    os.close(writing)  # whoever waits for its end has waited long enough
    made = Pool(None, 1, Path(tmp_path) / "logs", lambda gone: 1)
    monkeypatch.setattr(made, "_fill", lambda waiting: made._alive.update({len(made._alive): Dead(reading)}))
    yield made
    os.close(reading)


def test_workers_that_die_one_after_the_other_end_the_sweep(pool):
    with pytest.raises(MachineError, match="one worker of the sweep after another died"):
        pool.run(Interrupts(), lambda: 20)


def test_deaths_far_apart_do_not(pool):
    left = iter(range(20, -1, -1))
    pool.run(Interrupts(), lambda: next(left))
    assert next(left, None) is None
