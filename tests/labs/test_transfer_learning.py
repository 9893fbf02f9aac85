"""What the lab moves from which task to which, that a step is one whole training, and that moving pays."""

from dataclasses import replace
from itertools import product

import pytest
import torch
from states import assert_resumes_exactly
from unwatched import Unwatched

from foundations.errors import InputError
from foundations.streams import Streams
from labs.drawings.transfer_learning import generality_rows
from labs.kit.data import load_images
from labs.transfer_learning import Config, Task, Trials, generality, lenet, make_tasks, pretrain

SMALL = {"labels": (10, 40), "repetitions": 2, "steps": 3, "source_images": 200, "test_images": 60}


@pytest.fixture(scope="module")
def task():
    return make_tasks(Config(**SMALL), Unwatched())["new_classes"]


def _trials(task, **changes):
    pretrained = lenet(task.source, Streams(7))
    return Trials(task, pretrained, Config(**{**SMALL, **changes}), Streams(0))


def test_the_first_half_of_the_classes_comes_first_and_the_second_then(task):
    data = load_images("digits")
    known = {
        image.numpy().tobytes(): int(label) for image, label in zip(data.train_images, data.train_labels, strict=True)
    }
    first = {known[image.numpy().tobytes()] for image in task.source.train_images}
    then = {known[image.numpy().tobytes()] for image in task.target.train_images}
    assert (first, then) == (set(range(5)), set(range(5, 10)))
    assert task.target.train_labels.unique().tolist() == [0, 1, 2, 3, 4]


def test_without_larger_data_only_the_classes_are_new():
    assert set(make_tasks(Config(**SMALL), Unwatched())) == {"new_classes"}


def test_the_few_labels_are_as_many_of_each_class(task):
    _, labels = _trials(task).few(40, Streams(3))
    assert labels.bincount().tolist() == [8] * 5


def test_all_ways_of_a_seed_get_the_same_images(task):
    trials = _trials(task)
    first, again, other = (trials.few(10, Streams(seed))[0] for seed in (3, 3, 4))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_frozen_blocks_have_not_moved_and_thawed_ones_have(task):
    trials = _trials(task)
    moved = {way: trials.one(way, 10, 0)[1:] for way in trials.ways}
    assert moved["head"] == [0, 0, 0, 0]
    assert moved["last_2"][:2] == [0, 0]
    assert min(moved["last_2"][2:]) > 0
    assert min(moved["all"]) > 0


def test_training_a_copy_leaves_the_first_network_as_it_was(task):
    trials = _trials(task)
    before = {name: each.clone() for name, each in trials.pretrained.state_dict().items()}
    trials.one("all", 10, 0)
    assert all(torch.equal(each, before[name]) for name, each in trials.pretrained.state_dict().items())
    assert all(each.requires_grad for each in trials.pretrained.parameters())


def test_the_trials_go_on_exactly_after_a_pause(task):
    straight, resumed = assert_resumes_exactly(lambda: _trials(task, labels=(10,)), 3)
    assert resumed.results == straight.results
    assert len(straight.results) == 8


def test_more_labels_than_there_are_images_are_left_out(task):
    assert _trials(task, labels=(2, 10, 100_000)).counts == [10]
    with pytest.raises(InputError, match=r"labels=\(2,\): must be from 5"):
        _trials(task, labels=(2,))


def test_the_neighbours_of_test_images_are_told_by_the_pixels_and_behind_each_block(task):
    grey = torch.arange(5).repeat(4)
    images = (grey * 50).to(torch.uint8).view(-1, 1, 1, 1).expand(-1, 1, 28, 28)
    plain = replace(task.source, test_images=images, test_labels=grey)
    shares = generality(Task(plain, plain), lenet(plain, Streams(0)), Unwatched())
    assert set(shares) == set(product(("first task", "new task"), ("trained on the first task", "untrained")))
    rows = generality_rows(shares)
    assert [list(row.values())[2:] for row in rows] == [["100.0"] * 5] * 4
    assert list(rows[0])[2:] == ["pixels", "c1", "c3", "c5", "f6"]


@pytest.mark.slow
def test_where_labels_are_few_a_trained_body_is_worth_much():
    digits, run = load_images("digits"), Unwatched()
    halves = [
        replace(digits, train_images=digits.train_images[part], train_labels=digits.train_labels[part])
        for part in (slice(None, None, 2), slice(1, None, 2))
    ]
    renamed = replace(halves[1], train_labels=9 - halves[1].train_labels, test_labels=9 - digits.test_labels)
    task = Task(halves[0], renamed)
    config = Config(labels=(20,), repetitions=2, source_epochs=20, steps=60)
    trials = Trials(task, pretrain("source", task.source, config, run), config, Streams(1))
    for _ in trials.learn():
        pass
    found = {way: sum(trials.accuracies(way, 20)) / 2 for way in trials.ways}
    assert min(found["head"], found["last_2"], found["all"]) > found["scratch"] + 0.1
