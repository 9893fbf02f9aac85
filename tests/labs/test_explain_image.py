"""What the lab that explains digits does beside training: which digits it shows, and what it says of the trial."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

import explain
import foundations
from explain.image_trials import CHANCE, GRADIENTS, LIME
from foundations.errors import InputError
from labs.drawings.explain_image import draw_doubtful
from labs.explain_image import Config, choose, load, tell_trials


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


def test_without_mistakes_the_least_sure_answers_are_shown():
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


def test_right_answers_that_are_shown_are_not_called_mistakes():
    network = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(784, 2), torch.nn.Softmax(1))
    images = torch.rand(2, 1, 28, 28, generator=torch.Generator().manual_seed(0))
    box, cells = explain.BlackBox(network), explain.grid(28, 28, 4)
    right = torch.from_numpy(box(images).argmax(axis=1))
    data = SimpleNamespace(class_names=("0", "1"))
    for truth, said in ((right, "Right answers that it was least sure of"), (1 - right, "Mistakes")):
        found = explain.explain_both_ways(box, images, truth, layout="CHW", segments=cells, samples=50, seed=0)
        turned = found.mend(1, 1, 0) if found.mistaken else []
        figure = draw_doubtful(found, turned, data, 6)
        assert figure.get_suptitle().startswith(said)
        assert len(figure.axes) == (8 if found.mistaken else 6)


def test_more_classes_than_are_all_explained_are_refused():
    images = SimpleNamespace(train_images=torch.zeros(1, 1, 28, 28), class_names=tuple("abcdefghijk"))
    with pytest.raises(InputError, match="of at most 10 classes, not 11"):
        load(Config(data="letters"), SimpleNamespace(load_images=lambda spec: images))
