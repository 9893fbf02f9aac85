"""What the VAE's lab trains, what it notices, and how it ends."""

import json

import pytest
import torch
from unwatched import Unwatched

from foundations.errors import InputError
from foundations.inspection import count_parameters
from foundations.streams import Streams
from generative.bounds import ElboTerms
from labs.drawings.vae_mnist import draw_bounds, pairs_of
from labs.kit.lab import load as load_lab
from labs.kit.launch import execute
from labs.vae_mnist import Config, Judged, build, load, report, see

PAST = {
    "nats/bound": ([1, 2, 3], [-300.0, -110.0, -92.0]),
    "nats/reconstruction": ([1, 2, 3], [-295.0, -100.0, -90.0]),
    "nats/kl": ([1, 3], [5.0, 14.0]),
    "validation/bound": ([3], [-105.0]),
}


def trained():
    """A run that has logged these curves."""
    run = Unwatched()
    for name, (steps, values) in PAST.items():
        for run.step, value in zip(steps, values, strict=True):
            run.log({name: value})
    return run


def judged(kl=1.0):
    """Of 40 images and 10 latent units, all active: 20 images of -50 nats, then 20 of -70; an estimate of the first."""
    likelihood = torch.tensor([-50.0, -70.0]).repeat_interleave(20)
    means = torch.randn(40, 10, generator=Streams(0).torch("means"))
    return Judged(ElboTerms(likelihood, torch.full((40, 10), kl), means), nats=55.0, error=2.0, estimated=20)


def curves(**settings):
    """What is drawn of the bounds: the left panel, and its curves by name."""
    figure = draw_bounds(judged(), 50, Config(**settings), trained())
    axes = figure.axes[0]
    return axes, {line.get_label(): line for line in axes.lines}


def learner_of(**settings):
    config, run = Config(**settings), Unwatched()
    images = load(config, run)
    return build(images, see(images, config, run), config, run)


def test_the_full_preset_trains_the_network_of_burda_and_others():
    vae = learner_of(**{**Config.presets["full"], "epochs": 1}).vae
    sizes = [(784, 200), (200, 200), (200, 100), (50, 200), (200, 200), (200, 784)]
    assert count_parameters(vae) == sum((into + 1) * out for into, out in sizes)


@pytest.mark.parametrize(("objective", "latents"), [("elbo", 1), ("importance_weighted", 50)])
def test_each_objective_draws_as_many_latents_as_published(objective, latents):
    assert learner_of(objective=objective).samples == latents


def test_the_vae_is_told_the_labels_where_it_is_conditional_alone():
    assert learner_of(conditional=True).vae.classes == 10
    assert learner_of().vae.classes == 0


def test_test_images_are_binarized_once_and_keep_their_labels():
    config, run = Config(conditional=True), Unwatched()
    first, second = (see(run.data, config, run) for _ in range(2))
    assert torch.equal(first.x, second.x)
    assert set(first.x.unique().tolist()) == {0, 1}
    assert torch.equal(first.labels, run.data.test_labels[first.order])


def test_paths_of_a_conditional_vae_join_images_of_one_class():
    labels = torch.tensor([3, 1, 3, 2, 1, 0])
    assert pairs_of(labels, same=True) == [(1, 4), (0, 2)]
    assert pairs_of(labels, same=False) == [(0, 1), (2, 3), (4, 5)]


def test_a_batch_larger_than_the_data_is_refused():
    with pytest.raises(InputError, match="batch_size=2000: must be between 1 and 1438"):
        learner_of(batch_size=2_000)


def test_static_binarization_of_grey_pixels_is_refused():
    with pytest.raises(InputError, match="binarization='static': must be left out for the gaussian likelihood"):
        load(Config(likelihood="gaussian", binarization="static"), Unwatched())


def test_training_and_test_are_compared_by_the_elbo_even_where_another_bound_is_climbed():
    _, drawn = curves(objective="importance_weighted")
    training = drawn["training: -ELBO"]  # at the steps of which both of its terms were kept
    assert (training.get_xdata().tolist(), training.get_ydata().tolist()) == ([1, 3], [202, 202])
    assert drawn["test: -ELBO, 40 images"].get_ydata().tolist() == [105]
    assert drawn["training: -L_k, k = 50, climbed"].get_ydata().tolist() == [205, 110, 101]


def test_no_curve_of_the_bounds_is_cut_off():
    axes, drawn = curves()
    low, high = axes.get_ylim()
    assert all(low < value < high for line in drawn.values() for value in line.get_ydata())


@pytest.mark.parametrize(("conditional", "named"), [(True, "log p(x | label)"), (False, "log p(x)")])
def test_the_figure_of_the_bounds_says_what_is_bounded_and_of_how_many_images(conditional, named):
    axes, drawn = curves(conditional=conditional)
    assert axes.get_title() == f"Bounds on -{named}: lower is better"
    assert f"test: -{named} \u2264 55.0 \u00b1 2.0 (standard error), k = 500, 20 images" in drawn


def test_the_figure_of_the_units_says_what_they_say_in_all():
    figure = draw_bounds(judged(0.25), 1, Config(), trained())
    assert figure.axes[1].get_title() == "10 of 10 latent units are active,\ndivergence 2.5 nats in all"


def test_bound_and_estimate_are_told_of_the_same_images_too():
    run = Unwatched()
    report(judged(), Config(data="digits"), run)
    assert [tuple(row.values()) for row in run.tables["nats"]] == [
        ("-ELBO, 40 images", "70.00"),
        ("-ELBO, the first 20 of them", "60.00"),
        ("-log p(x) at most, k = 500 latents, the same 20 images", "55.00 (standard error 2.00)"),
    ]


@pytest.mark.parametrize(
    ("kl", "settings", "noted"),
    [
        (0.014, {}, "posterior collapse: 10 of 10 latent units are active, and all together say 0.14 nats"),
        (1.0, {"likelihood": "gaussian"}, "grey pixels: a density's nats"),
    ],
)
def test_what_figures_hide_is_noted(kl, settings, noted):
    run = Unwatched()
    report(judged(kl), Config(**settings), run)
    assert run.notes[-1].startswith(noted)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("settings", "noted"),
    [
        ({"beta": 1000.0}, "posterior collapse: 0 of 10 latent units"),
        ({"conditional": True, "likelihood": "gaussian"}, "the judge reads the digit that was asked for in only"),
    ],
)
def test_what_went_wrong_is_said(settings, noted, place):
    lab = load_lab("labs.vae_mnist")
    small = {"data": "digits", "hidden": (32,), "epochs": 1, "looks": 1, "estimate_latents": 5, "estimate_images": 20}
    assert execute(lab, lab.config_type(**small, **settings)) == 0
    (folder,) = (place / "mlruns" / "runs").iterdir()
    record = json.loads((folder / "record.json").read_text())
    assert record["ended"] == "finished"
    assert any(note.startswith(noted) for note in record["notes"])
