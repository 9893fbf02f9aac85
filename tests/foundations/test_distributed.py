"""Data-parallel training: two processes that share each batch learn what one process learns."""

import copy

import pytest
import torch
from group import together

from foundations import distributed
from foundations.activations import ReLU
from foundations.augmentation import random_noise
from foundations.distributed import World, average_gradients, from_first, joined, largest, share_of, sharing, world
from foundations.errors import InputError
from foundations.evaluation import Validation
from foundations.language import Windows
from foundations.layers import Dropout, Linear
from foundations.losses import cross_entropy_from_logits
from foundations.networks.recurrent_language_model import RecurrentLanguageModel
from foundations.normalization import BatchNorm
from foundations.optimizers import AdamW
from foundations.regularizers import l2_penalty
from foundations.schedules import warmup_cosine
from foundations.streams import Streams
from foundations.training import SupervisedLearner


def stream(seed=0):
    return torch.Generator().manual_seed(seed)


def classifier(**settings):
    """A learner of all that a step may hold: batch norm, a penalty, clipping, a schedule, validation."""
    x = torch.rand(60, 5, dtype=torch.float64, generator=stream())
    labels = (x.sum(1) > 2.5).long()
    weights = stream(1)
    layers = [Linear(5, 8, bias=False, generator=weights), BatchNorm(8), ReLU(), Dropout(0.0, generator=stream(2))]
    network = torch.nn.Sequential(*layers, Linear(8, 2, generator=weights)).double()
    given = {
        "batch_size": 12,
        "penalty": l2_penalty(0.01),
        "clip_norm": 0.5,
        "schedule": warmup_cosine(3, 20),
        "validation": Validation(x, labels, every=5),
        "streams": Streams(0),
    } | settings
    optimizer = AdamW(network.parameters(), lr=0.05, fused=True)
    return SupervisedLearner(network, optimizer, cross_entropy_from_logits, x, labels, **given)


def writer():
    """A learner of windows of a text, as a language model takes them."""
    tokens = torch.randint(7, (300,), generator=stream())
    windows = Windows(tokens, context=6)
    model = RecurrentLanguageModel(7, num_layers=1, embed_dim=4, hidden_size=5, generator=stream(1)).double()
    starts = windows.starts(0, 300)
    optimizer = AdamW(model.parameters(), lr=0.05, fused=True)
    streams = Streams(0)
    return SupervisedLearner(
        model, optimizer, windows.loss, starts, starts, batch_size=8, prepare=windows.prepare, streams=streams
    )


LEARNERS = {"classifier": classifier, "writer": writer}


def trained(name, steps, state=None, **settings):
    """Metrics of each step, and the state behind the last one, which may go on from `state`."""
    learner = LEARNERS[name](**settings)
    if state:
        learner.load_state_dict(state)
    updates = zip(range(steps), learner.learn(), strict=False)
    metrics = [{key: float(value) for key, value in each.items()} for _, each in updates]
    return metrics, copy.deepcopy(learner.state_dict())


def assert_close(found, wanted, tolerance=1e-10):
    torch.testing.assert_close(found, wanted, rtol=tolerance, atol=tolerance, check_dtype=False)


# --- equality ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", LEARNERS)
def test_two_processes_learn_what_one_does_at_the_same_batch(name):
    (one, state), others = trained(name, 12), together(trained, 2, name, 12)
    for metrics, other_state in others:
        assert_close(metrics, one)
        assert_close(other_state["network"], state["network"])
        assert_close(other_state["optimizer"]["state"], state["optimizer"]["state"])
        assert_close({key: other_state[key] for key in ("augmentation", "masks", "batches", "step")}, {
            key: state[key] for key in ("augmentation", "masks", "batches", "step")
        })  # fmt: skip


def test_all_processes_hold_the_same_bits():
    (_, first), (_, second) = together(trained, 2, "classifier", 12)
    assert_close(first, second, tolerance=0)


def test_a_state_of_two_processes_goes_on_alone_and_a_state_of_one_on_two():
    _, whole = trained("classifier", 12)
    _, of_two = together(trained, 2, "classifier", 6)[0]
    _, alone = trained("classifier", 6, of_two)
    assert_close(alone["network"], whole["network"])
    _, of_one = trained("classifier", 6)
    _, again = together(trained, 2, "classifier", 6, of_one)[1]
    assert_close(again["network"], whole["network"])


# --- shares -----------------------------------------------------------------------------------------------------------


def tour():
    """One visit of a group of three for many small facts."""
    here, own = world(), torch.full((3,), float(world().rank))
    weight = torch.nn.Parameter(torch.zeros(2))
    weight.grad = torch.full((2,), float(here.rank))
    still = torch.nn.Parameter(torch.zeros(2))
    metrics = average_gradients([weight, still], {"loss": torch.tensor(here.rank * 2.0), "rate": 0.5})
    x = torch.tensor(float(here.rank), requires_grad=True)
    (distributed.gathered(x) * torch.tensor([1.0, 2.0, 3.0]) * (here.rank + 1)).sum().backward()
    masks, start = stream(), stream().get_state()
    with sharing(masks):
        first = torch.rand(4, generator=masks)
    with sharing(masks):
        second = torch.rand(4, generator=masks)
    after = masks.get_state()
    with sharing(masks):
        pass
    return {
        "rank": here.rank,
        "size": here.size,
        "share": share_of(torch.arange(6)).tolist(),
        "columns": share_of(torch.arange(6).view(2, 3), dim=1).flatten().tolist(),
        "uneven": refused(lambda: share_of(torch.arange(7))),
        "batch size": refused(lambda: classifier(batch_size=10)),
        "gradient": weight.grad.tolist(),
        "without gradient": still.grad,
        "loss": float(metrics["loss"]),
        "rate": metrics["rate"],
        "pulled": x.grad.item(),
        "drawn": (first.tolist(), second.tolist()),
        "stream": after,
        "moved": not torch.equal(after, start),
        "left": torch.equal(masks.get_state(), after),
        "largest": largest([here.rank, -here.rank]),
        "from first": from_first(f"said by {here.rank}"),
        "sum": float(own.sum()),
    }


def refused(act):
    try:
        act()
    except InputError as error:
        return str(error)
    return ""


@pytest.fixture(scope="module")
def three():
    return together(tour, 3)


def test_shares_are_equal_parts_in_order_of_rank(three):
    assert [each["share"] for each in three] == [[0, 1], [2, 3], [4, 5]]
    assert [each["columns"] for each in three] == [[0, 3], [1, 4], [2, 5]]


def test_a_batch_that_cannot_be_shared_evenly_is_refused(three):
    assert three[0]["uneven"] == "batch=7: must be a multiple of 3, the processes that share each batch"
    assert three[1]["batch size"] == "batch_size=10: must be a multiple of 3, the processes that share each batch"


def test_gradients_and_metrics_become_their_mean_on_all(three):
    assert {tuple(each["gradient"]) for each in three} == {(1.0, 1.0)}
    assert {each["loss"] for each in three} == {2.0}


def test_what_has_no_gradient_and_no_tensor_is_left_alone(three):
    assert {each["without gradient"] for each in three} == {None}
    assert {each["rate"] for each in three} == {0.5}


def test_the_gradient_of_what_is_gathered_comes_from_all(three):
    assert [each["pulled"] for each in three] == [6.0, 12.0, 18.0]


def test_each_process_draws_numbers_of_its_own_and_others_each_time(three):
    drawn = [tuple(numbers) for each in three for numbers in each["drawn"]]
    assert len(set(drawn)) == 6


def test_streams_are_at_one_place_after_a_share_and_stay_where_nothing_is_drawn(three):
    assert all(torch.equal(each["stream"], three[0]["stream"]) for each in three)
    assert {(each["moved"], each["left"]) for each in three} == {(True, True)}


def test_the_largest_number_and_the_first_ones_word_reach_all(three):
    assert [each["largest"] for each in three] == [[2, 0]] * 3
    assert {each["from first"] for each in three} == {"said by 0"}


def random_training(steps):
    """A learner whose dropout and augmentation draw."""
    learner = classifier(prepare=lambda x, generator: random_noise(x, generator, largest=0.1))
    learner.network[3].p = 0.5
    metrics = [float(each["loss/training"]) for _, each in zip(range(steps), learner.learn(), strict=False)]
    return metrics, learner.state_dict()


def test_dropout_and_augmentation_leave_all_processes_in_one_state():
    (one, first), (other, second) = together(random_training, 2, 8)
    assert one == other
    assert_close(first, second, tolerance=0)


# --- alone ------------------------------------------------------------------------------------------------------------


def test_outside_torchrun_nothing_is_set_up():
    with joined() as here:
        assert here == world() == World(0, 1, 0)
        assert not torch.distributed.is_initialized()


def test_one_process_of_torchrun_is_alone(monkeypatch):
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "test")
    monkeypatch.setenv("WORLD_SIZE", "1")
    with joined():
        assert not torch.distributed.is_initialized()


def test_alone_a_share_is_the_very_batch_and_gradients_are_untouched():
    batch, weight = torch.arange(7), torch.nn.Parameter(torch.zeros(2))
    weight.grad = gradient = torch.ones(2)
    loss = torch.tensor(1.0)
    assert share_of(batch) is batch
    assert average_gradients([weight], {"loss": loss})["loss"] is loss
    assert weight.grad is gradient


def test_alone_streams_and_words_are_as_they_were():
    masks = stream()
    with sharing(masks):
        drawn = torch.rand(3, generator=masks)
    assert torch.equal(drawn, torch.rand(3, generator=stream()))
    assert (largest([3, 1]), from_first("word")) == ([3, 1], "word")
