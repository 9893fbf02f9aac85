import pytest
import torch

from foundations import timing
from foundations.errors import InputError

CPU = torch.device("cpu")


class Clock:
    """A clock that only a call of a step moves on."""

    def __init__(self) -> None:
        self.now = 0.0
        self.calls: list[str] = []

    def step(self, name: str, *seconds: float):
        """A step that takes `seconds`, one after the other, and the last of them from then on."""
        left = list(seconds)

        def call() -> None:
            self.calls.append(name)
            self.now += left.pop(0) if len(left) > 1 else left[0]

        return call


@pytest.fixture
def clock(monkeypatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(timing.time, "perf_counter", lambda: made.now)
    monkeypatch.setattr(timing.time, "process_time", lambda: 10 * made.now)
    return made


def test_elapsed_is_what_all_calls_take_together(clock):
    assert timing.elapsed(clock.step("a", 0.25), 4, CPU) == 1.0


def test_the_processors_clock_is_read_where_it_is_asked_for(clock):
    assert timing.elapsed(clock.step("a", 0.25), 4, CPU, "processor") == 10.0


def test_a_call_is_timed_without_its_warm_up(clock):
    assert timing.seconds_per_call(clock.step("a", 100.0, 100.0, 0.5), CPU, 5.0) == 0.5


def test_the_groups_of_calls_fill_the_budget(clock):
    timing.seconds_per_call(clock.step("a", 0.5), CPU, 5.0)
    assert len(clock.calls) == timing.WARM_UP + 1 + timing.GROUPS * 2


def test_one_slow_group_does_not_move_the_median(clock):
    quick = [0.5] * (timing.WARM_UP + 1)
    assert timing.seconds_per_call(clock.step("a", *quick, 60.0, 0.5), CPU, 2.5) == 0.5


def test_a_call_that_the_clock_does_not_see_is_timed_all_the_same(clock):
    assert timing.seconds_per_call(clock.step("a", 0.0), CPU, 1e-7) == 0.0


def test_the_fastest_call_is_taken_of_all_within_the_budget(clock):
    assert timing.fastest_call(clock.step("a", 2.0, 0.5, 1.0), CPU, 5.0) == 0.5
    assert len(clock.calls) == 5


def test_the_fastest_call_is_one_of_three_at_least(clock):
    assert timing.fastest_call(clock.step("a", 9.0, 8.0, 7.0), CPU, 1.0) == 7.0


@pytest.mark.parametrize("training", [True, False])
def test_samples_a_second_are_those_of_the_fastest_pass(clock, training):
    passes = []

    class Slow(torch.nn.Linear):
        def forward(self, x):
            clock.now += (2.0, 0.5, 1.0)[len(passes) % 3]
            passes.append((self.training, torch.is_grad_enabled()))
            return super().forward(x)

    network = Slow(3, 2)
    assert timing.samples_per_second(network, torch.zeros(4, 3), training=training, budget=1.0) == 8.0
    assert set(passes) == {(training, training)}


def test_timing_a_network_leaves_it_as_it_is():
    network = torch.nn.Sequential(torch.nn.Linear(3, 2), torch.nn.BatchNorm1d(2)).eval()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    timing.samples_per_second(network, torch.rand(4, 3), training=True, budget=1e-6)
    assert not network.training
    assert all(parameter.grad is None for parameter in network.parameters())
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())


def test_every_second_round_goes_backwards(clock):
    timing.take_turns([clock.step("a", 1.0), clock.step("b", 2.0)], rounds=3, count=2, device=CPU)
    assert "".join(clock.calls) == "aabb" + "bbaa" + "aabb"


def test_a_round_has_the_seconds_of_a_call_of_each_step_in_the_order_given(clock):
    steps = [clock.step("a", 1.0), clock.step("b", 2.0)]
    assert timing.take_turns(steps, rounds=2, count=3, device=CPU) == [[1.0, 2.0], [1.0, 2.0]]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: timing.elapsed(int, 1, torch.device("cuda"), "processor"), "clock='processor': must be 'wall'"),
        (lambda: timing.elapsed(int, 1, CPU, "cpu"), "clock='cpu': must be one of processor, wall"),
        (lambda: timing.seconds_per_call(int, CPU, 0.0), "budget=0.0: must be above 0"),
        (lambda: timing.fastest_call(int, CPU, 0.0), "budget=0.0: must be above 0"),
        (lambda: timing.take_turns([int], rounds=0, count=1, device=CPU), "rounds=0"),
        (lambda: timing.take_turns([int], rounds=1, count=0, device=CPU), "count=0"),
    ],
)
def test_impossible_settings_are_refused_by_name(call, message):
    with pytest.raises(InputError, match=message):
        call()
