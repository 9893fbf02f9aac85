"""Integrated gradients: what they add up to, what they leave alone; agreement of two explanations."""

import numpy as np
import pytest
import torch
from torch import nn

from explain.gradients import agreement, integrated_gradients, segment_sums
from explain.segments import grid
from foundations.errors import InputError


def network():
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(1, 4, 3), nn.Tanh(), nn.Dropout(0.5), nn.Flatten(), nn.Linear(4 * 36, 3))


IMAGES = torch.rand(5, 1, 8, 8, generator=torch.Generator().manual_seed(0))


def test_a_linear_models_attributions_are_weight_times_what_changed():
    linear = nn.Sequential(nn.Flatten(), nn.Linear(64, 3))
    found = integrated_gradients(linear, IMAGES, 0.25, label=2, steps=3)
    weight = linear[1].weight[2].detach().double().view(8, 8).numpy()
    np.testing.assert_allclose(found, weight * (IMAGES.double().numpy() - 0.25), rtol=0, atol=1e-6)


@pytest.mark.parametrize("baseline", [0.0, torch.full((1, 8, 8), 0.3), torch.rand(5, 1, 8, 8)])
def test_attributions_sum_to_the_change_of_the_answer(baseline):
    model = network()
    found = integrated_gradients(model, IMAGES, baseline, label=1, steps=100)
    start = torch.as_tensor(baseline).expand_as(IMAGES)
    with torch.no_grad():
        change = (model.eval()(IMAGES) - model(start))[:, 1]
    np.testing.assert_allclose(found.sum(axis=(1, 2, 3)), change.numpy(), rtol=0, atol=1e-3)


def test_without_a_label_each_inputs_largest_answer_is_explained():
    model = network()
    largest = model.eval()(IMAGES).argmax(dim=1)
    found = integrated_gradients(model, IMAGES)
    for number, label in enumerate(largest.tolist()):
        wanted = integrated_gradients(model, IMAGES[number : number + 1], label=label)
        np.testing.assert_allclose(found[number], wanted[0], rtol=0, atol=1e-6)


def test_the_module_is_left_as_it_was():
    model = network()
    model[2].eval()
    model[4].weight.requires_grad_(False)
    integrated_gradients(model, IMAGES)
    assert [layer.training for layer in model] == [True, True, False, True, True]
    assert all(parameter.grad is None for parameter in model.parameters())
    assert IMAGES.grad is None


def test_gradients_are_found_under_inference_mode_too():
    model = network()
    with torch.inference_mode():
        found = integrated_gradients(model, IMAGES)
    np.testing.assert_array_equal(found, integrated_gradients(model, IMAGES))


@pytest.mark.parametrize(
    ("x", "changes", "said"),
    [
        (IMAGES * float("nan"), {}, "finite"),
        (torch.zeros(5, 1, 8, 8, dtype=torch.int64), {}, "finite floats"),
        (IMAGES, {"label": 3}, "0 to 2"),
        (IMAGES, {"steps": 0}, "steps=0"),
        (IMAGES[0, 0, 0], {}, "batch of one"),
    ],
)
def test_bad_input_is_refused_clearly(x, changes, said):
    with pytest.raises(InputError, match=said):
        integrated_gradients(network(), x, **changes)


@pytest.mark.parametrize(("layout", "shape"), [("HW", (8, 8)), ("HWC", (8, 8, 3)), ("CHW", (3, 8, 8))])
def test_segments_sum_what_is_in_them(layout, shape):
    channels = 1 if layout == "HW" else 3
    ones = np.ones(shape)
    np.testing.assert_array_equal(segment_sums(ones, grid(8, 8, 2), layout=layout), [16 * channels] * 4)


def test_agreement_is_one_for_the_same_and_minus_one_for_the_opposite():
    weights = [3.0, -2.0, 1.0, 0.5]
    assert agreement(weights, weights, top=2) == (1.0, 1.0)
    assert agreement(weights, [-each for each in weights], top=2) == pytest.approx((-1.0, 1.0))


def test_agreement_on_hand_worked_weights():
    found = agreement([4.0, 3.0, 2.0, 1.0], [4.0, 2.0, 3.0, 1.0], top=2)
    assert found == pytest.approx((0.8, 0.5))


def test_weights_that_are_all_alike_have_no_order_to_agree_on():
    assert agreement([1.0, 2.0, 3.0], [0.0, 0.0, 0.0], top=1).rank_correlation == 0


def test_agreement_of_different_features_is_refused():
    with pytest.raises(InputError, match="shapes"):
        agreement([1.0, 2.0], [1.0, 2.0, 3.0])
    with pytest.raises(InputError, match="top=5"):
        agreement([1.0, 2.0], [1.0, 2.0])
