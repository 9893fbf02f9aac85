"""Learning curves of several runs: read off where all have data, with the band that suits their number."""

import numpy as np
import pytest
from planted_runs import plant

from labs.kit.comparing.curves import EXPERIENCE, axis, band, curve, worth_drawing
from labs.kit.comparing.figures import learning, looks
from labs.kit.comparing.gathering import read
from labs.kit.comparing.groups import grouped

LINE = [(1, 1.0), (3, 3.0)]


@pytest.fixture
def runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return lambda *curves: [
        read(plant(tmp_path, curves=each, seed=seed, width=seed // 2)) for seed, each in enumerate(curves)
    ]


def line(start, end, height=0.0):
    at = np.array([start, end], float)
    return at, at + height


def test_curves_are_read_only_where_all_have_data():
    found = band([line(0, 10), line(4, 20)])
    assert (found.at[0], found.at[-1]) == (4, 10)


def test_curves_that_share_no_step_make_no_band():
    assert band([line(0, 3), line(5, 9)]) is None


def test_between_its_points_a_curve_is_a_straight_line():
    found = band([line(0, 10), (np.array([0.0, 5, 10]), np.array([0.0, 5, 10]))])
    np.testing.assert_allclose(found.middle, found.at)


def test_of_fewer_than_five_runs_the_band_reaches_from_the_lowest_to_the_highest():
    found = band([line(0, 1, height) for height in (0, 1, 7, 100)])
    assert (found.low[0], found.middle[0], found.high[0]) == (0, 4, 100)


def test_of_five_runs_the_band_is_their_middle_half():
    found = band([line(0, 1, height) for height in (-50, 1, 2, 3, 100)])
    assert (found.low[0], found.middle[0], found.high[0]) == (1, 2, 3)


def test_many_points_are_read_at_two_hundred_places():
    at = np.linspace(0, 1, 1000)
    assert len(band([(at, at), (at, at)]).at) == 200


def test_runs_that_count_environment_steps_are_drawn_over_them(runs):
    (run,) = runs({"return": LINE, EXPERIENCE: [(1, 100.0), (3, 300.0)]})
    assert axis([run]) == EXPERIENCE
    np.testing.assert_allclose(curve(run, "return", EXPERIENCE)[0], [100, 300])


def test_other_runs_are_drawn_over_the_learners_steps(runs):
    found = runs({"return": LINE, EXPERIENCE: LINE}, {"return": LINE})
    assert axis(found) == "step"


def test_spikes_of_a_long_curve_are_smoothed_away(runs):
    (run,) = runs({"loss": [(step, 99.0 if step == 50 else 1.0) for step in range(100)]})
    assert curve(run, "loss", "step")[1].max() == 1.0


def test_a_chosen_metric_that_is_a_curve_is_what_is_drawn(runs):
    assert worth_drawing(runs({"loss": LINE, "return": LINE}), ["return"]) == ["return"]


def test_for_a_summary_figure_the_nearest_curves_are_drawn_then_losses(runs):
    names = ["size", "loss/a", "error/test", "more", "other"]
    found = runs(dict.fromkeys(names, LINE))
    assert worth_drawing(found, ["test/accuracy"]) == ["error/test", "loss/a", "size", "more"]


def test_there_is_a_picture_a_metric_with_a_line_a_group(runs):
    found = grouped(runs(*[{"loss": LINE, "size": LINE}] * 4), ["width"])
    drawn = dict(learning(["loss", "size"], found, looks(found)))
    assert list(drawn) == ["loss", "size"]
    (axes,) = drawn["loss"].axes
    assert [text.get_label() for text in axes.get_lines()] == ["width=0 (2 runs)", "width=1 (2 runs)"]
    assert axes.get_title(loc="left") == "loss: median and range of the runs"


def test_a_group_whose_runs_share_no_step_is_not_drawn(runs):
    found = grouped(runs({"loss": LINE}, {"loss": LINE}, {"loss": LINE}, {"loss": [(8, 1.0), (9, 1.0)]}), ["width"])
    ((_, figure),) = learning(["loss"], found, looks(found))
    assert [text.get_label() for text in figure.axes[0].get_lines()] == ["width=0 (2 runs)"]


def test_at_most_eight_groups_have_a_colour(runs):
    found = grouped(runs(*[{"loss": LINE}] * 20), ["width"])
    assert len(set(looks(found).values())) == 8
