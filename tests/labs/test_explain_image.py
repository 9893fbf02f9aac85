"""What the lab that explains digits does beside training: orders, the trial, mending mistakes."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

import explain
import foundations
from explain.hiding import hide_segments
from labs.explain_image import (
    CHANCE,
    GRADIENTS,
    LIME,
    Config,
    Explained,
    agreements,
    choose,
    hides,
    mend,
    orders_of,
    tell_trials,
)

CELLS = explain.grid(28, 28, 7)
CONFIG = Config(samples=400, orders=3)


def left_or_right(batch):
    """The share of the ink in the left and the right half: of class 0 and 1."""
    halves = torch.stack([batch[..., :14].sum(dim=(1, 2, 3)), batch[..., 14:].sum(dim=(1, 2, 3))], dim=1) + 1e-3
    return halves / halves.sum(dim=1, keepdim=True)


BOX = explain.BlackBox(left_or_right)


def explained(image, truth):
    reason = explain.explain_image(BOX, image, layout="CHW", segments=CELLS, fill=0, samples=400, seed=0)
    gradients = reason.weights_of()[None] * 2
    return Explained(image[None], torch.tensor([truth]), [reason], gradients)


@pytest.fixture(scope="module")
def mostly_left():
    """Ink in three cells on the left, and half as dark in one on the right."""
    image = torch.zeros(1, 28, 28)
    for row, column in ((4, 0), (12, 4), (20, 8)):
        image[0, row : row + 4, column : column + 4] = 1
    image[0, 12:16, 20:24] = 0.5
    return image


def test_what_speaks_for_the_answer_comes_first_in_both_orders(mostly_left):
    digits = explained(mostly_left, 0)
    orders = orders_of(digits, CONFIG)
    inked = [7, 22, 37]
    assert sorted(orders[LIME][0][:3].tolist()) == inked
    assert orders[LIME][0][-1] == 26
    assert sorted(orders[GRADIENTS][0][:3].tolist()) == inked
    assert orders[CHANCE][0].shape == (3, 49)


def test_the_trial_tells_an_order_from_its_reverse(mostly_left):
    digits = explained(mostly_left, 0)
    best = orders_of(digits, CONFIG)[LIME]
    good, bad = (
        explain.trial_by_hiding(BOX, hides(digits, CELLS), order, digits.said) for order in (best, [best[0][::-1]])
    )
    assert good.deletion.shape == good.insertion.shape == (1, 50)
    assert explain.area_under(good.deletion)[0] < explain.area_under(bad.deletion)[0]
    assert explain.area_under(good.insertion)[0] > explain.area_under(bad.insertion)[0]


def test_a_mistake_is_mended_by_hiding_what_misled(mostly_left):
    mistakes = explained(mostly_left, 1)
    assert mistakes.reasons[0].contrast(1).argmax() in (7, 22, 37)
    ((hidden, answers),) = mend(mistakes, BOX, CELLS, CONFIG)
    assert np.flatnonzero(hidden).tolist() == [7, 22, 37]
    assert answers.shape == (4, 2)
    assert answers[0].argmax() == 1
    wanted = BOX(hide_segments(mostly_left, layout="CHW", segments=CELLS, fill=0)(hidden[None]))
    np.testing.assert_allclose(answers[0], wanted[0], atol=1e-6)


def test_both_methods_are_compared_on_cells_with_ink(mostly_left):
    (found,) = agreements(explained(mostly_left, 0), CELLS)
    assert found == pytest.approx((1.0, 1.0))


def trial(deletion, insertion):
    return explain.Trial(np.stack([deletion, deletion**1.1]), np.stack([insertion, insertion**0.9]))


def test_promises_that_are_not_kept_are_said():
    notes = []
    run = SimpleNamespace(note=notes.append, summary=lambda values: None, table=lambda name, rows: None)
    falling, rising = np.linspace(1, 0, 50), np.linspace(0, 1, 50)
    tell_trials({way: trial(falling, rising) for way in (LIME, GRADIENTS, CHANCE)}, run)
    assert [note.split()[0] for note in notes] == ["hiding", "insertion"]
    notes.clear()
    good, fair = trial(falling**6, rising**0.1), trial(falling**5, rising**0.3)
    tell_trials({LIME: good, GRADIENTS: fair, CHANCE: trial(falling, rising)}, run)
    assert notes == []


def test_without_mistakes_the_least_sure_answers_stand_in():
    notes = []
    run = SimpleNamespace(note=notes.append, summary=lambda values: None, streams=foundations.Streams(0))
    labels = torch.arange(20) % 2
    sure = torch.linspace(1, 0.55, 20)[:, None]
    answers = torch.where(torch.nn.functional.one_hot(labels).bool(), sure, 1 - sure)
    right, wrong = choose(answers, labels, Config(explained=10), run)
    assert labels[right[:2]].tolist() == [0, 1]
    assert wrong.tolist() == list(range(19, 9, -1))
    assert "no mistake" in notes[0]


def test_the_surest_mistakes_come_first():
    run = SimpleNamespace(note=lambda text: None, summary=lambda values: None, streams=foundations.Streams(0))
    answers = torch.tensor([[0.9, 0.1]] * 12 + [[0.3, 0.7], [0.01, 0.99], [0.1, 0.9]])
    right, wrong = choose(answers, torch.tensor([0] * 15), Config(explained=10), run)
    assert wrong.tolist() == [13, 14, 12]
    assert len(set(right.tolist())) == 10
