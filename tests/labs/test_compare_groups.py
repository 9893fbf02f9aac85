"""How runs are grouped, which figure they are compared by, and what is said of mixtures."""

import pytest
from planted_runs import plant

from foundations.errors import InputError
from labs.kit.comparing import groups, metrics
from labs.kit.comparing.gathering import of_lab, read


@pytest.fixture
def runs(tmp_path, monkeypatch):
    """Plant runs of one lab, one for each mapping; gives them as they are compared."""
    monkeypatch.chdir(tmp_path)
    return lambda *records: [read(plant(tmp_path, **record)) for record in records]


def labels(found):
    return [group.label for group in found]


def test_by_default_the_groups_are_the_settings_that_differ(runs):
    found = runs({"width": 8, "rate": 0.1}, {"width": 9, "rate": 0.1}, {"width": 9, "rate": 0.1, "seed": 1})
    assert groups.choose(found, []) == ["width"]


def test_threads_make_groups_only_when_asked_for(runs):
    found = runs({"threads": 1}, {"threads": 2})
    assert groups.choose(found, []) == []
    assert groups.choose(found, ["threads"]) == ["threads"]


def test_runs_that_differ_in_nothing_but_the_seed_are_one_group(runs):
    found = runs({"seed": 0}, {"seed": 1})
    (only,) = groups.grouped(found, groups.choose(found, []))
    assert (only.label, only.seeds) == ("all runs", {0, 1})


def test_groups_come_in_the_order_of_their_values(runs):
    found = runs({"rate": 10.0}, {"rate": 0.5}, {"rate": None}, {"rate": 2})
    assert labels(groups.grouped(found, ["rate"])) == ["rate=0.5", "rate=2", "rate=10", "rate=none"]


def test_words_name_their_group_alone(runs):
    found = runs({"agent": "ppo"}, {"agent": "a2c"})
    assert labels(groups.grouped(found, ["agent"])) == ["a2c", "ppo"]


def test_several_settings_name_a_group_together(runs):
    found = runs({"agent": "ppo", "width": 8})
    assert labels(groups.grouped(found, ["agent", "width"])) == ["agent=ppo, width=8"]


def test_groups_with_long_names_are_numbered(runs):
    found = runs({"a": "long " * 10}, {"a": "longer " * 10})
    assert labels(groups.grouped(found, ["a"])) == ["group 1", "group 2"]


def test_an_unknown_setting_is_refused_with_a_near_name(runs):
    with pytest.raises(InputError, match=r"--group='agnet'.*did you mean 'agent'"):
        groups.choose(runs({"agent": "ppo"}), ["agnet"])


def test_a_setting_is_also_known_as_its_flag(runs):
    assert groups.choose(runs({"batch_size": 3}), ["batch-size"]) == ["batch_size"]


def test_the_seed_makes_no_group(runs):
    with pytest.raises(InputError, match="--group seed"):
        groups.choose(runs({}), ["seed"])


def test_a_setting_that_another_lab_has_not_is_refused(runs):
    found = runs({"lab": "one", "agent": "ppo"}, {"lab": "two"})
    with pytest.raises(InputError, match="--group agent: is no setting of two; group by lab"):
        groups.choose(found, ["agent"])


def test_runs_of_two_labs_are_grouped_by_lab(runs):
    found = runs({"lab": "one", "agent": "ppo"}, {"lab": "two"})
    assert labels(groups.grouped(found, groups.choose(found, []))) == ["one", "two"]


# --- what is said -----------------------------------------------------------------------------------------------------


def said(found, names=()):
    return " | ".join(groups.remarks(groups.grouped(found, names)))


@pytest.mark.parametrize(
    ("first", "second", "words"),
    [
        ({"data": "aaaa"}, {"data": "bbbb"}, "different data sets (digits aaaa, digits bbbb)"),
        ({"commit": "11112222"}, {"commit": "33334444"}, "different states of the code (11112222, 33334444)"),
        ({"width": 8}, {"width": 9}, "runs of one group differ in width"),
        ({"repetitions": 5}, {"repetitions": 5, "seed": 1}, "2 of 2 runs repeat their training inside"),
    ],
)
def test_mixtures_are_said(runs, first, second, words):
    assert words in said(runs(first, second))


def test_of_like_runs_there_is_nothing_to_say(runs):
    assert said(runs({"data": "aaaa", "commit": "1"}, {"data": "aaaa", "commit": "1", "seed": 1})) == ""


def test_equal_seeds_of_all_groups_are_said(runs):
    found = runs({"width": 8, "seed": 3}, {"width": 9, "seed": 3})
    assert "same seeds (3)" in said(found, ["width"])


def test_other_seeds_are_not_called_the_same(runs):
    found = runs({"width": 8, "seed": 3}, {"width": 9, "seed": 4})
    assert "same seeds" not in said(found, ["width"])


# --- the figure -------------------------------------------------------------------------------------------------------


def test_a_summary_figure_is_known_with_and_without_its_prefix(runs):
    (run,) = runs({"summary": {"test/accuracy": 0.9}})
    assert metrics.final(run, "test/accuracy") == metrics.final(run, "summary/test/accuracy") == 0.9


def test_a_metric_of_the_journal_counts_with_its_last_value(runs):
    (run,) = runs({"curves": {"loss": [(1, 3.0), (9, 1.0), (5, 2.0)]}})
    assert metrics.final(run, "loss") == 1.0


def test_a_setting_in_braces_stands_for_its_value(runs):
    found = runs({"agent": "sb3-ppo", "summary": {"return/sb3_ppo": 5.0}})
    assert metrics.final(found[0], "return/{agent}") == 5.0


def test_by_default_the_first_summary_figure_of_all_runs_is_taken(runs):
    found = runs({"summary": {"own": 1.0, "shared": 2.0}}, {"summary": {"shared": 3.0}, "seed": 1})
    assert metrics.choose(found, []) == ["shared"]


def test_figures_named_after_a_setting_are_compared_by_default(runs):
    found = runs(
        {"agent": "ppo", "summary": {"return/ppo": 1.0}}, {"agent": "sb3-ppo", "summary": {"return/sb3_ppo": 1.0}}
    )
    assert metrics.choose(found, []) == ["return/{agent}"]


def test_without_a_shared_summary_figure_those_that_would_do_are_named(runs):
    curves = {"loss": [(1, 3.0)]}
    found = runs({"summary": {"a": 1.0}, "curves": curves}, {"summary": {"b": 1.0}, "curves": curves})
    with pytest.raises(InputError, match="no summary figure; give one that all have: --metric loss"):
        metrics.choose(found, [])


def test_an_unknown_metric_is_refused_with_a_near_name(runs):
    with pytest.raises(InputError, match=r"no run has it.*did you mean test/accuracy"):
        metrics.choose(runs({"summary": {"test/accuracy": 0.9}}), ["test/acuracy"])


def test_a_metric_that_one_run_has_not_is_refused_naming_that_run(runs):
    found = runs({"summary": {"a": 1.0, "b": 1.0}}, {"summary": {"b": 1.0}})
    with pytest.raises(InputError, match=r"--metric a: 1 of 2 runs have it not, run-1 .*all have b"):
        metrics.choose(found, ["a"])


def test_the_direction_asked_for_counts_more_than_the_name(runs):
    assert metrics.direction("error/test", runs({}), "max") == "max"


def test_runs_of_one_lab_are_compared_by_its_main_figure_the_way_it_says(runs):
    scored = {"lab": "vae_mnist", "summary": {"nats/elbo": 100.0, "nats/estimate": 90.0}}
    found = runs(scored, scored)
    assert metrics.choose(found, []) == ["nats/estimate"]
    assert metrics.direction("nats/estimate", found, None) == "min"


def test_runs_of_several_labs_are_compared_by_the_first_figure_that_they_share(runs):
    summary = {"nats/elbo": 100.0, "nats/estimate": 90.0}
    assert metrics.choose(runs({"lab": "vae_mnist", "summary": summary}, {"summary": summary}), []) == ["nats/elbo"]


def test_curves_are_what_all_runs_recorded_at_several_steps(runs):
    several, once = [(1, 1.0), (2, 1.0)], [(1, 1.0)]
    found = runs(
        {"curves": {"loss": several, "end": several, "speed/images": several, "summary/x": several}},
        {"curves": {"loss": several, "end": once, "speed/images": several, "summary/x": several}, "seed": 1},
    )
    assert metrics.curves(found) == ["loss"]


def test_the_runs_of_a_lab_can_be_grouped_at_once(runs):
    runs({"width": 8}, {"width": 9})
    found = of_lab("toy_lab").runs
    assert len(groups.grouped(found, groups.choose(found, []))) == 2
