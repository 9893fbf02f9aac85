"""What the lab moves from which task to which, that a step is one whole training, and that moving pays."""

import pytest
import torch

from foundations.errors import InputError
from foundations.streams import Streams
from labs.kit.data import load_images
from labs.transfer_learning import Config, Part, Task, Trials, lenet, make_tasks, moved, neighbours, pretrain

SMALL = {"labels": (10, 40), "repetitions": 2, "steps": 3, "source_images": 200, "test_images": 60}


class Unwatched:
    """A run of which nobody asks anything but device and the embedded digits, also in the place of larger data."""

    device, streams = torch.device("cpu"), Streams(0)

    def follow(self, learner, steps, **_):
        return zip(range(steps), learner.learn(), strict=False)

    def load_images(self, spec):
        return load_images("digits")


@pytest.fixture(scope="module")
def task():
    return make_tasks(Config(**SMALL), Unwatched())["new_classes"]


def _trials(task, **changes):
    pretrained = lenet(5, Streams(7), task.source)
    return Trials(task, pretrained, Config(**{**SMALL, **changes}), Streams(0))


def test_the_first_half_of_the_classes_comes_first_and_the_second_then(task):
    data = load_images("digits")
    known = {
        image.numpy().tobytes(): int(label) for image, label in zip(data.train_images, data.train_labels, strict=True)
    }
    first = {known[image.numpy().tobytes()] for image in task.source.images}
    then = {known[image.numpy().tobytes()] for image in task.target.images}
    assert (first, then) == (set(range(5)), set(range(5, 10)))
    assert task.target.labels.unique().tolist() == [0, 1, 2, 3, 4]


def test_without_larger_data_only_the_classes_are_new():
    assert set(make_tasks(Config(**SMALL), Unwatched())) == {"new_classes"}


def test_the_few_labels_are_as_many_of_each_class(task):
    part = _trials(task).few(40, Streams(3))
    assert part.labels.bincount().tolist() == [8] * 5


def test_all_ways_of_a_seed_get_the_same_images(task):
    trials = _trials(task)
    first, second = trials.few(10, Streams(3)), trials.few(10, Streams(3))
    assert torch.equal(first.images, second.images)
    assert not torch.equal(first.images, trials.few(10, Streams(4)).images)


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
    straight, first, second = (_trials(task, labels=(10,)) for _ in range(3))
    for _ in straight.learn():
        pass
    for _ in zip(range(3), first.learn(), strict=False):
        pass
    second.load_state_dict(first.state_dict())
    for _ in second.learn():
        pass
    assert second.results == straight.results
    assert len(straight.results) == 8


def test_more_labels_than_there_are_images_are_left_out(task):
    assert _trials(task, labels=(2, 10, 100_000)).counts == [10]
    with pytest.raises(InputError, match=r"labels=\(2,\): must be from 5"):
        _trials(task, labels=(2,))


def test_neighbours_are_told_by_the_pixels_and_behind_each_block(task):
    colours = torch.arange(4).repeat(5)
    images = (colours * 60).to(torch.uint8).view(-1, 1, 1, 1).expand(-1, 1, 28, 28)
    shares = neighbours(lenet(5, Streams(0), task.source), Part(images, colours))
    assert shares == dict.fromkeys(("pixels", "c1", "c3", "c5", "f6"), 100.0)


def test_a_move_is_told_as_a_share_of_the_length_of_the_first_weights():
    assert moved([torch.tensor([3.0]), torch.tensor([4.0])], [torch.tensor([3.0]), torch.tensor([5.0])]) == 0.2


@pytest.mark.slow
def test_where_labels_are_few_a_trained_body_is_worth_much():
    digits, run = load_images("digits"), Unwatched()
    seen, held = (
        Part(digits.train_images[part], digits.train_labels[part]) for part in (slice(None, None, 2), slice(1, None, 2))
    )
    test = Part(digits.test_images, digits.test_labels)
    renamed = [Part(each.images, 9 - each.labels) for each in (held, test)]
    task = Task("other names", (10, 10), seen, renamed[0], test, renamed[1])
    config = Config(labels=(20,), repetitions=2, source_epochs=20, steps=60)
    trials = Trials(task, pretrain("source", task, config, run), config, Streams(1))
    for _ in trials.learn():
        pass
    found = {way: sum(trials.accuracies(way, 20)) / 2 for way in trials.ways}
    assert min(found["head"], found["last_2"], found["all"]) > found["scratch"] + 0.1
