"""Images explained: equal to lime's in every layout; its silent traps closed; what is planted is found."""

import json

import numpy as np
import pytest
import torch
from lime.lime_image import LimeImageExplainer
from torch import nn

from explain.blackbox import BlackBox
from explain.explanation import Explanation
from explain.hiding import hide_segments
from explain.images import explain_image, explain_images
from explain.overlays import overlay, paint, weight_map
from explain.quality import deletion_curve, insertion_curve
from explain.segments import grid, slic
from foundations.errors import InputError

RANDOM = np.random.default_rng(0)
GREY = RANDOM.random((14, 14))
COLOUR = 0.9 * np.kron(RANDOM.random((3, 4, 3)), np.ones((4, 4, 1))) + 0.1 * RANDOM.random((12, 16, 3))
CELLS = grid(14, 14, 4)
SAMPLES = 120
PULLS = RANDOM.normal(size=(14 * 14 * 3, 4))


def softmax(scores):
    powers = np.exp(scores - scores.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def four_classes(batch):
    """A model of images in any layout, (n, ...), of at most 588 numbers; not linear."""
    rows = batch.reshape(len(batch), -1)
    return softmax(np.tanh(rows @ PULLS[: rows.shape[1]] / 2) * 2)


def lime_weights(image, predict, segments, fill, labels, count=100_000, samples=SAMPLES, seed=3):
    explainer = LimeImageExplainer(feature_selection="highest_weights", random_state=seed)
    found = explainer.explain_instance(
        image, predict, labels=labels, top_labels=None, hide_color=fill, num_features=count, num_samples=samples,
        segmentation_fn=lambda _: segments,
    )  # fmt: skip
    weights = np.zeros((len(labels), segments.max() + 1))
    for row, label in enumerate(labels):
        for segment, weight in found.local_exp[label]:
            weights[row, segment] = weight
    return weights, found


def explained(image=GREY, model=four_classes, **changes):
    settings = {"layout": "HW", "segments": CELLS, "fill": 0, "samples": SAMPLES, "seed": 3}
    return explain_image(BlackBox(model), image, **{**settings, **changes})


@pytest.mark.parametrize("fill", [0, 0.3, "mean"])
@pytest.mark.parametrize("count", [5, None])
def test_grey_images_equal_lime(fill, count):
    wanted, lime = lime_weights(
        GREY, lambda batch: four_classes(batch[..., 0]), CELLS, None if fill == "mean" else fill, (0, 1, 2, 3),
        count or 100_000,
    )  # fmt: skip
    found = explained(fill=fill, count=count, labels=(0, 1, 2, 3))
    for label in range(4):
        np.testing.assert_allclose(found.weights[label], wanted[label], rtol=0, atol=1e-12)
        assert found.intercepts[label] == pytest.approx(lime.intercept[label], abs=1e-12)
    assert np.abs(wanted).max() > 0.02
    assert found.r2[3] == pytest.approx(lime.score, abs=1e-12)
    assert found.local_predictions[3] == pytest.approx(lime.local_pred[0], abs=1e-12)


@pytest.mark.parametrize("fill", [0.5, "mean", (0.1, 0.5, 0.9)])
def test_colour_images_equal_lime_with_channels_last_and_first(fill):
    segments = slic(COLOUR, 12, layout="HWC")
    wanted, _ = lime_weights(COLOUR, four_classes, segments, None if fill == "mean" else fill, (2, 0))
    last = explained(COLOUR, layout="HWC", segments=segments, fill=fill, labels=(2, 0))
    first = explained(
        np.moveaxis(COLOUR, -1, 0), lambda batch: four_classes(np.moveaxis(batch, 1, -1)), layout="CHW",
        segments=segments, fill=fill, labels=(2, 0),
    )  # fmt: skip
    for found in (last, first):
        np.testing.assert_allclose([found.weights[2], found.weights[0]], wanted, rtol=0, atol=1e-12)


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.float32, np.float64])
def test_every_kind_of_number_equals_lime_and_reaches_the_model_as_it_is(dtype):
    image = (255 * COLOUR).astype(dtype)
    seen = []

    def predict(batch):
        seen.append(batch.dtype)
        return four_classes(batch / 255.0)

    segments = grid(12, 16, 3)
    wanted, _ = lime_weights(image, predict, segments, None, (1,))
    found = explained(image, predict, layout="HWC", segments=segments, fill="mean", labels=(1,))
    np.testing.assert_allclose(found.weights[1], wanted[0], rtol=0, atol=1e-12)
    assert set(seen) == {np.dtype(dtype)}


def test_one_channel_is_an_image_in_both_layouts():
    plain = explained().weights_of(0)
    np.testing.assert_array_equal(explained(GREY[..., None], layout="HWC").weights_of(0), plain)
    np.testing.assert_array_equal(explained(GREY[None], layout="CHW").weights_of(0), plain)


def test_a_network_gets_tensors_and_is_left_in_the_mode_it_was_in():
    network = nn.Sequential(nn.Conv2d(1, 3, 3), nn.Dropout(0.5), nn.Flatten(), nn.LazyLinear(2), nn.Softmax(dim=1))
    network(torch.zeros(1, 1, 14, 14))
    image = torch.from_numpy(GREY).float()[None]
    first, second = (explained(image, network, layout="CHW", labels=(1,)) for _ in range(2))
    assert all(layer.training for layer in network.modules())
    np.testing.assert_array_equal(first.weights[1], second.weights[1])


def test_prepare_stands_between_the_image_and_the_model():
    image = (255 * GREY).astype(np.uint8)
    found = explained(image, prepare=lambda batch: batch / 255)
    wanted = explained(image, lambda batch: four_classes(batch / 255))
    np.testing.assert_array_equal(found.weights_of(0), wanted.weights_of(0))


def test_many_images_in_one_call_are_explained_as_one_by_one():
    images = [RANDOM.random((14, 14)) for _ in range(3)]
    own = [CELLS, grid(14, 14, 3), CELLS]
    settings = {"layout": "HW", "fill": 0, "samples": SAMPLES, "seed": 3}
    for segments in (CELLS, own):
        together = explain_images(BlackBox(four_classes, batch_size=32), images, segments=segments, **settings)
        for number, found in enumerate(together):
            wanted = explained(images[number], segments=CELLS if segments is CELLS else own[number])
            assert found.labels == wanted.labels
            assert found.features == wanted.features
            for label in found.labels:
                np.testing.assert_allclose(found.weights[label], wanted.weights[label], rtol=0, atol=1e-12)


def test_images_of_different_precision_share_a_call():
    images = [GREY, GREY.astype(np.float32)]
    first, second = explain_images(
        BlackBox(four_classes), images, layout="HW", segments=CELLS, fill=0, samples=SAMPLES, seed=3
    )
    np.testing.assert_allclose(first.weights_of(0), second.weights_of(0), atol=1e-5)


def test_planted_segments_are_found_the_last_one_too():
    pulls = np.zeros(16)
    pulls[[0, 5, 15]] = 2.0, -3.0, 1.0

    def planted(batch):
        shown = np.stack([(batch[:, np.equal(CELLS, number)] > 0).any(axis=1) for number in range(16)], axis=1)
        return (shown @ pulls)[:, None]

    found = explain_image(
        BlackBox(planted, outputs="values"), GREY + 1, layout="HW", segments=CELLS, fill=0, samples=2000, seed=0
    )
    np.testing.assert_allclose(found.weights_of(), pulls, atol=0.05)
    assert found.r2[0] > 0.999


def test_a_constant_answer_has_no_weights_and_nothing_explained():
    found = explained(model=lambda batch: np.full((len(batch), 2), 0.5), labels=(0,))
    np.testing.assert_array_equal(found.weights[0], 0)
    assert found.r2[0] == 0


def test_the_same_seed_gives_the_same_answer_whatever_was_explained_before():
    first = explained()
    explained(seed=4)
    np.testing.assert_array_equal(explained().weights_of(), first.weights_of())
    assert np.abs(explained(seed=4).weights_of() - first.weights_of()).max() > 1e-4


def test_the_global_stream_is_left_alone():
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    explained()
    np.testing.assert_array_equal(np.random.get_state()[1], before)  # noqa: NPY002


def test_an_explanation_goes_through_json():
    found = explained(fill=GREY / 2, labels=(0, 2))
    again = Explanation.from_dict(json.loads(json.dumps(found.to_dict())))
    np.testing.assert_array_equal(again.weights[2], found.weights[2])
    assert again.features == found.features
    assert again.settings["fill"] == "array"


def test_the_curves_hide_what_they_say():
    image = np.ones((14, 14))
    box = BlackBox(lambda batch: np.stack([batch.mean((1, 2)), 1 - batch.mean((1, 2))], axis=1))
    hide = hide_segments(image, layout="HW", segments=grid(14, 14, 2), fill=0)
    np.testing.assert_allclose(deletion_curve(box, hide, [3, 1, 0, 2], 0), [1, 0.75, 0.5, 0.25, 0])
    np.testing.assert_allclose(insertion_curve(box, hide, [3, 1, 0, 2], 0), [0, 0.25, 0.5, 0.75, 1])


def test_a_grid_has_cells_of_like_size_numbered_row_by_row():
    cells = grid(28, 30, 7)
    assert cells.shape == (28, 30)
    assert np.bincount(cells.ravel()).tolist() == [4 * size for size in (5, 4, 4, 5, 4, 4, 4)] * 7
    assert cells[0, 0] == 0
    assert cells[-1, -1] == 48


@pytest.mark.parametrize("layout", ["HW", "HWC", "CHW"])
def test_superpixels_are_numbered_from_zero_in_every_layout(layout):
    shape = {"HW": (24, 20), "HWC": (24, 20, 1), "CHW": (3, 24, 20)}[layout]
    found = slic(np.linspace(0, 1, 480 * 3)[: np.prod(shape)].reshape(shape), 9, layout=layout, compactness=1.0)
    assert found.shape == (24, 20)
    assert np.unique(found).tolist() == list(range(found.max() + 1))
    assert found.max() >= 3


def test_superpixels_that_are_but_one_are_refused():
    with pytest.raises(InputError, match="compactness=1e-06"):
        slic(RANDOM.random((24, 20)), 9, layout="HW", compactness=1e-6)


def test_an_unknown_option_of_the_segmentation_is_refused():
    with pytest.raises(TypeError, match="compactnes"):
        slic(GREY, 9, layout="HW", compactnes=1.0)


BAD = {
    "wrong layout": ({"layout": "HWC"}, "image shape.*3-D"),
    "unknown layout": ({"layout": "WH"}, "layout='WH'"),
    "channels taken for height": ({"image": COLOUR, "layout": "CHW"}, "segments shape"),
    "a gap in the image": ({"image": np.where(GREY > 0.9, np.nan, GREY)}, "image='NaN or infinite'"),
    "truth values": ({"image": GREY > 0.5}, "image dtype"),
    "segments from 1": ({"segments": CELLS + 1}, "numbered 1 to 16, 16 of them"),
    "a number left out": ({"segments": np.where(CELLS == 5, 4, CELLS)}, "without gaps"),
    "one segment": ({"segments": np.zeros((14, 14), int)}, "2 or more"),
    "segments of another size": ({"segments": grid(28, 28, 4)}, "segments shape"),
    "segments as fractions": ({"segments": CELLS / 1.0}, "whole numbers"),
    "an unknown fill": ({"fill": "blur"}, "fill='blur'"),
    "a fill of another shape": ({"fill": np.zeros((3, 3))}, "fill shape"),
    "a fill that is no number": ({"fill": float("nan")}, "fill='NaN or infinite'"),
    "a fill that hides nothing": ({"image": np.zeros((14, 14))}, "hiding would change nothing"),
    "a fill that bytes cannot hold": ({"image": (255 * GREY).astype(np.uint8), "fill": 0.5}, "holds uint8"),
    "one sample": ({"samples": 1}, "samples=1"),
    "a negative seed": ({"seed": -1}, "seed=-1"),
    "an unknown label": ({"labels": [7]}, "outputs 0 to 3"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_refused_clearly(case):
    changes, said = BAD[case]
    with pytest.raises(InputError, match=said):
        explained(**changes)


def test_segmentations_that_are_not_one_an_image_are_refused():
    with pytest.raises(InputError, match="one, or 2, one an image"):
        explain_images(BlackBox(four_classes), [GREY, GREY], layout="HW", segments=[CELLS], fill=0, seed=0)


def test_a_predict_function_must_be_a_black_box():
    with pytest.raises(InputError, match="an explain"):
        explain_image(four_classes, GREY, layout="HW", segments=CELLS, fill=0, seed=0)


def test_what_speaks_for_the_label_is_painted_blue_and_what_speaks_against_it_orange():
    weights = weight_map([1.0, -1.0, 0.0, 0.0], grid(4, 4, 2))
    picture = paint(np.array([[0.0, 1.0] * 2] * 4), weights, layout="HW")
    red, blue = picture[..., 0], picture[..., 2]
    assert (blue[:2, :2] > red[:2, :2]).all()
    assert (red[:2, 2:] > blue[:2, 2:]).all()
    assert (red[2:] == blue[2:]).all()


def test_the_overlay_shows_the_image_and_its_weights():
    found = explained(COLOUR, layout="HWC", segments=grid(12, 16, 3))
    left, right, bar = overlay(found, COLOUR, layout="HWC", segments=grid(12, 16, 3)).axes
    assert left.images[0].get_array().shape == right.images[0].get_array().shape == (12, 16, 3)
    assert "weight for" in bar.get_ylabel()
