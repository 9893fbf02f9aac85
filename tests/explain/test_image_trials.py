"""Images explained both ways: the orders of their segments, agreement, and mistakes mended."""

import numpy as np
import pytest
import torch

import foundations
from explain.blackbox import BlackBox
from explain.gradients import segment_sums
from explain.hiding import hide_segments
from explain.image_trials import CHANCE, GRADIENTS, LIME, ExplainedImages, explain_both_ways
from explain.images import explain_image
from explain.quality import area_under
from explain.segments import grid
from explain.trials import trial_by_hiding
from foundations.errors import InputError

CELLS = grid(28, 28, 7)


def left_or_right(batch):
    """The share of the ink in the left and the right half: of class 0 and 1."""
    halves = torch.stack([batch[..., :14].sum(dim=(1, 2, 3)), batch[..., 14:].sum(dim=(1, 2, 3))], dim=1) + 1e-3
    return halves / halves.sum(dim=1, keepdim=True)


BOX = BlackBox(left_or_right)


def explained(image, truth):
    reason = explain_image(BOX, image, layout="CHW", segments=CELLS, fill=0, samples=400, seed=0)
    gradients = reason.weights_of()[None] * 2
    return ExplainedImages(BOX, image[None], torch.tensor([truth]), "CHW", CELLS, 0, [reason], gradients)


@pytest.fixture(scope="module")
def mostly_left():
    """Ink in three cells on the left, and half as dark in one on the right."""
    image = torch.zeros(1, 28, 28)
    for row, column in ((4, 0), (12, 4), (20, 8)):
        image[0, row : row + 4, column : column + 4] = 1
    image[0, 12:16, 20:24] = 0.5
    return image


def test_what_speaks_for_the_answer_comes_first_in_both_orders(mostly_left):
    orders = explained(mostly_left, 0).orders(3, 0)
    inked = [7, 22, 37]
    assert sorted(orders[LIME][0][:3].tolist()) == inked
    assert orders[LIME][0][-1] == 26
    assert sorted(orders[GRADIENTS][0][:3].tolist()) == inked
    assert orders[CHANCE][0].shape == (3, 49)


def test_the_trial_tells_an_order_from_its_reverse(mostly_left):
    digits = explained(mostly_left, 0)
    best = digits.orders(1, 0)[LIME]
    good, bad = (trial_by_hiding(BOX, digits.hides(), order, digits.said) for order in (best, [best[0][::-1]]))
    assert good.deletion.shape == good.insertion.shape == (1, 50)
    assert area_under(good.deletion)[0] < area_under(bad.deletion)[0]
    assert area_under(good.insertion)[0] > area_under(bad.insertion)[0]


def test_a_mistake_is_mended_by_hiding_what_misled(mostly_left):
    mistakes = explained(mostly_left, 1)
    assert mistakes.mistaken
    assert mistakes.rivals == [1]
    assert mistakes.reasons[0].contrast(1).argmax() in (7, 22, 37)
    ((hidden, answers),) = mistakes.mend(3, 3, 0)
    assert np.flatnonzero(hidden).tolist() == [7, 22, 37]
    assert answers.shape == (4, 2)
    assert answers[0].argmax() == 1
    wanted = BOX(hide_segments(mostly_left, layout="CHW", segments=CELLS, fill=0)(hidden[None]))
    np.testing.assert_allclose(answers[0], wanted[0], atol=1e-6)


def test_a_right_answer_is_held_against_the_next_best(mostly_left):
    right = explained(mostly_left, 0)
    assert not right.mistaken
    assert right.rivals == [1]


def test_both_methods_are_compared_on_cells_with_ink(mostly_left):
    digits = explained(mostly_left, 0)
    assert digits.inked(0).tolist() == [7, 22, 26, 37]
    assert digits.agreements(5) == [pytest.approx((1.0, 1.0))]


def test_another_seed_asks_about_the_same_image(mostly_left):
    digits = explained(mostly_left, 0)
    assert digits.again(0, 400, 0).weights_of().tolist() == digits.reasons[0].weights_of().tolist()
    assert digits.again(0, 400, 1).weights_of().tolist() != digits.reasons[0].weights_of().tolist()


def test_gradients_of_the_answer_are_summed_over_the_segments():
    network = torch.nn.Sequential(
        torch.nn.Flatten(), foundations.Linear(784, 3, generator=torch.Generator().manual_seed(0)), torch.nn.Softmax(1)
    )
    images = torch.rand(2, 1, 28, 28, generator=torch.Generator().manual_seed(1))
    box = BlackBox(network)
    settings = {"layout": "CHW", "segments": CELLS, "samples": 50, "seed": 0}
    found = explain_both_ways(box, images, torch.tensor([0, 1]), **settings)
    answers, empty = box(images), box(torch.zeros_like(images))
    for place, said in enumerate(found.said):
        total = answers[place, said] - empty[place, said]
        assert found.gradients[place].sum() == pytest.approx(total, abs=1e-3)
    assert found.gradients.shape == (2, *segment_sums(images[0], CELLS, layout="CHW").shape)


def test_a_function_has_no_gradients_to_explain_by(mostly_left):
    with pytest.raises(InputError, match="a BlackBox around a torch module"):
        explain_both_ways(BOX, mostly_left[None], torch.tensor([0]), layout="CHW", segments=CELLS, seed=0)
