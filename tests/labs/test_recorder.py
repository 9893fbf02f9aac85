"""Which metrics a run keeps, and that its digest knows them all."""

import json

import pytest

from foundations.errors import InputError
from labs.kit import recorder as recorder_module
from labs.kit.ends import Diverged
from labs.kit.journal import Journal, Point, read_points
from labs.kit.recorder import Recorder


@pytest.fixture
def clock(monkeypatch):
    """A clock that stands until a test moves it."""

    class Clock:
        now = 100.0

    monkeypatch.setattr(recorder_module.time, "monotonic", lambda: Clock.now)
    return Clock


@pytest.fixture
def make(tmp_path, clock):
    def build(uploaded=None, name="journal.jsonl", **options):
        taken = [] if uploaded is None else uploaded
        return Recorder(Journal(tmp_path / name), lambda points: taken.extend(points) or True, **options)

    return build


def steps_kept(path, name="loss"):
    return [point.step for point in read_points(path) if point.name == name]


def test_one_point_a_second_is_kept_of_a_long_run(make, clock, tmp_path):
    recorder = make()
    recorder.add(1, {"loss": 1.0})
    clock.now += 1000  # the beginning, where more are kept, is over
    for step in range(2, 1002):
        clock.now += 0.01
        recorder.add(step, {"loss": 1.0})
    assert len(steps_kept(tmp_path / "journal.jsonl")) == pytest.approx(11, abs=1)


def test_a_metric_that_begins_late_is_kept_in_more_detail_then(make, clock, tmp_path):
    recorder = make()
    clock.now += 1000
    for step in range(1, 101):
        clock.now += 0.01
        recorder.add(step, {"second/loss": 1.0})
    assert 12 <= len(steps_kept(tmp_path / "journal.jsonl", "second/loss")) <= 20


def test_the_first_seconds_are_kept_in_more_detail(make, clock, tmp_path):
    recorder = make()
    for step in range(1, 101):
        clock.now += 0.01
        recorder.add(step, {"loss": 1.0})
    assert 12 <= len(steps_kept(tmp_path / "journal.jsonl")) <= 20


def test_the_first_value_is_kept(make, tmp_path):
    recorder = make()
    recorder.add(1, {"loss": 1.0})
    recorder.add(2, {"loss": 2.0})
    assert steps_kept(tmp_path / "journal.jsonl") == [1]


def test_smallest_largest_and_last_values_are_kept_at_the_end(make, tmp_path):
    recorder = make()
    for step, value in enumerate([5.0, 9.0, 1.0, 4.0, 6.0], start=1):
        recorder.add(step, {"loss": value})
    recorder.close()
    assert steps_kept(tmp_path / "journal.jsonl") == [1, 2, 3, 5]


def test_every_point_is_kept_without_thinning(make, tmp_path):
    recorder = make()
    for step in range(1, 6):
        recorder.add(step, {"loss": 1.0}, thin=False)
    assert steps_kept(tmp_path / "journal.jsonl") == [1, 2, 3, 4, 5]


def test_exactly_the_given_pairs_are_kept_where_given(make, tmp_path):
    recorder = make(keep={("loss", 3), ("loss", 4)})
    for step in range(1, 6):
        recorder.add(step, {"loss": float(step)})
    recorder.close()
    assert steps_kept(tmp_path / "journal.jsonl") == [3, 4]


def test_values_survive_the_journal_to_the_bit(make, tmp_path):
    values = [0.1 + 0.2, 5e-324, 1.7976931348623157e308, -0.0, 1 / 3]
    recorder = make()
    for step, value in enumerate(values, start=1):
        recorder.add(step, {"loss": value}, thin=False)
    assert [point.value.hex() for point in read_points(tmp_path / "journal.jsonl")] == [v.hex() for v in values]


def test_known_points_are_uploaded_again_but_not_written_again(make, tmp_path):
    uploaded = []
    recorder = make(uploaded, known=[Point("loss", 2.0, 1, 0)])
    recorder.add(1, {"loss": 2.0}, thin=False)
    recorder.close()
    assert read_points(tmp_path / "journal.jsonl") == []
    assert uploaded == [Point("loss", 2.0, 1, 0)]


def test_a_point_is_in_the_journal_before_it_is_uploaded(make, tmp_path):
    uploaded = []
    recorder = make(uploaded)
    recorder.add(1, {"loss": 1.0})
    assert steps_kept(tmp_path / "journal.jsonl") == [1]
    assert uploaded == []


def test_points_are_uploaded_together_every_ten_seconds(make, clock):
    uploaded = []
    recorder = make(uploaded)
    recorder.add(1, {"loss": 1.0})
    clock.now += 9.9
    recorder.add(2, {"loss": 1.0})
    assert uploaded == []
    clock.now += 0.2
    recorder.add(3, {"loss": 1.0})
    assert [point.step for point in uploaded] == [1, 2, 3]


def test_what_the_store_refuses_is_offered_again(tmp_path, clock):
    answers, offered = [False, True], []
    recorder = Recorder(Journal(tmp_path / "j"), lambda points: offered.append(list(points)) or answers.pop(0))
    recorder.add(1, {"loss": 1.0})
    recorder.flush()
    recorder.add(2, {"loss": 2.0}, thin=False)
    recorder.flush()
    assert [[point.step for point in points] for points in offered] == [[1], [1, 2]]


def test_closing_says_whether_the_store_took_everything(tmp_path, clock):
    for answer in (True, False):
        recorder = Recorder(Journal(tmp_path / f"{answer}"), lambda _, answer=answer: answer)
        recorder.add(1, {"loss": 1.0})
        assert recorder.close() is answer


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_a_value_that_is_not_finite_is_named_with_its_step(make, value):
    with pytest.raises(Diverged, match=f"loss/discriminator is {value} at step 7"):
        make().add(7, {"loss/generator": 1.0, "loss/discriminator": value})


def test_nothing_of_a_diverged_step_is_recorded(make, tmp_path):
    recorder = make()
    with pytest.raises(Diverged):
        recorder.add(1, {"fine": 1.0, "loss": float("nan")})
    assert read_points(tmp_path / "journal.jsonl") == []
    assert recorder.values_seen == 0


@pytest.mark.parametrize("name", ["", "a@b", "/loss", "loss/", "a//b", "../loss", "a\nb"])
def test_a_name_that_no_store_takes_is_refused(make, name):
    with pytest.raises(InputError, match="metric="):
        make().add(1, {name: 1.0})


def test_equal_metrics_have_equal_digests_whenever_they_came(make, clock):
    digests = []
    for pace in (0.001, 3.0):
        recorder = make(name=f"{pace}")
        for step in range(1, 50):
            clock.now += pace
            recorder.add(step, {"loss": step / 7, "accuracy": 0.5})
        digests.append(recorder.digest)
    assert digests[0] == digests[1]


@pytest.mark.parametrize(
    "other", [[(1, {"a": 1.0}), (2, {"a": 2.0 + 2**-51})], [(1, {"a": 1.0}), (3, {"a": 2.0})], [(1, {"a": 1.0})],
              [(1, {"a": 1.0}), (2, {"b": 2.0})], [(1, {"a": 1.0, "b": 2.0})]]
)  # fmt: skip
def test_another_value_step_or_name_has_another_digest(make, other):
    first, second = make(name="first"), make(name="second")
    for step, metrics in [(1, {"a": 1.0}), (2, {"a": 2.0})]:
        first.add(step, metrics)
    for step, metrics in other:
        second.add(step, metrics)
    assert first.digest != second.digest


@pytest.mark.parametrize("stopped_at", [1, 9, 10, 400, 999])
def test_a_resumed_recorder_goes_on_as_if_never_stopped(make, stopped_at):
    whole, first, second = make(name="whole"), make(name="first"), make(name="second")
    rows = [(step, {"loss": (step * 37 % 11) / 3, "size": float(step)}) for step in range(1, 1001)]
    rows[9] = (10, {"accuracy": 0.5})
    for step, metrics in rows:
        whole.add(step, metrics)
    for step, metrics in rows[:stopped_at]:
        first.add(step, metrics)
    second.load_state_dict(json.loads(json.dumps(first.state_dict())))
    for step, metrics in rows[stopped_at:]:
        second.add(step, metrics)
    assert second.digest == whole.digest
    for kind in ("smallest", "largest", "last"):
        assert [point[:3] for point in second.state_dict()[kind]] == [point[:3] for point in whole.state_dict()[kind]]
    assert second.values_seen == whole.values_seen == 1999


def test_values_whose_sum_overflows_are_finite_all_the_same(make):
    make().add(1, {"a": 1.7e308, "b": 1.7e308})


def test_the_last_of_a_metric_is_the_newest_in_whatever_company_it_came(make, tmp_path):
    recorder = make()
    for step, metrics in [(1, {"a": 1.0}), (2, {"a": 2.0, "b": 5.0}), (3, {"a": 1.5, "b": 4.0}), (4, {"a": 1.7})]:
        recorder.add(step, metrics)
    recorder.close()
    assert {1, 2, 4} <= set(steps_kept(tmp_path / "journal.jsonl", "a"))
    assert steps_kept(tmp_path / "journal.jsonl", "b") == [2, 3]


def test_a_resumed_recorder_knows_the_extremes_from_before(make, tmp_path):
    first, second = make(name="first"), make(name="second")
    first.add(1, {"loss": 3.0})
    first.add(2, {"loss": 99.0})
    second.load_state_dict(first.state_dict())
    second.add(3, {"loss": 4.0})
    second.close()
    assert (2, 99.0) in [(point.step, point.value) for point in read_points(tmp_path / "second")]
