"""Attacks stay inside their ball, climb, and leave the network alone; adversarial training withstands them."""

import math
from functools import partial

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from states import assert_resumes_exactly
from torch import nn

from foundations.errors import InputError
from foundations.evaluation import accuracy, predict
from foundations.layers import Dropout, Linear
from foundations.learner import Learner
from foundations.losses import cross_entropy_from_logits
from foundations.networks import MLP
from foundations.normalization import BatchNorm
from foundations.optimizers import Adam
from foundations.streams import Streams
from foundations.training import SupervisedLearner
from generative import adversarial
from generative.adversarial import AdversarialLearner, fast_gradient_sign, projected_gradient

NORMS = ("linf", "l2")


def pgd(network, x, labels, epsilon, seed=0, **settings):
    return projected_gradient(network, x, labels, epsilon, stream=torch.Generator().manual_seed(seed), **settings)


ATTACKS = {"fgsm": fast_gradient_sign, "pgd": partial(pgd, steps=3)}


def classifier(learner_type, digits, steps, **settings):
    images, labels = digits
    network = MLP((784, 64, 10), generator=torch.Generator().manual_seed(0))
    optimizer = Adam(network.parameters(), lr=3e-3, fused=True)
    common = {"batch_size": 64, "streams": Streams(0)}
    if learner_type is SupervisedLearner:
        x = images[:1500] / 255
        learner = SupervisedLearner(network, optimizer, cross_entropy_from_logits, x, labels[:1500], **common)
    else:
        learner = AdversarialLearner(network, optimizer, images[:1500], labels[:1500], **common | settings)
    for _ in zip(range(steps), learner.learn(), strict=False):
        pass
    return network


@pytest.fixture(scope="module")
def plain(digits):
    return classifier(SupervisedLearner, digits, 300)


@pytest.fixture(scope="module")
def unseen(digits):
    return digits[0][1500:] / 255, digits[1][1500:]


def right(network, x, labels):
    return accuracy(predict(network, x), labels)


def length(change, norm):
    """As the bound is meant: of the numbers as they are stored, without rounding."""
    rows = change.flatten(1)
    return rows.abs().amax(dim=1) if norm == "linf" else rows.square().sum(dim=1).sqrt()


# --- the ball ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("attack", ATTACKS)
@settings(max_examples=30)
@given(epsilon=st.floats(1e-9, 100), dtype=st.sampled_from([torch.float32, torch.float64]), seed=st.integers(0, 99))
def test_the_bound_and_the_range_of_pixels_hold_exactly(attack, norm, epsilon, dtype, seed):
    stream = torch.Generator().manual_seed(seed)
    x = torch.rand(4, 2, 3, generator=stream).round(decimals=1).to(dtype)  # zeros and ones among them
    network = nn.Sequential(nn.Flatten(), Linear(6, 3, generator=stream)).to(dtype)
    moved = ATTACKS[attack](network, x, torch.tensor([0, 1, 2, 0]), epsilon, norm=norm)
    assert moved.dtype == dtype
    assert length(moved.double() - x.double(), norm).max() <= epsilon
    assert length(moved - x, norm).max() <= epsilon
    assert moved.min() >= 0
    assert moved.max() <= 1


@pytest.mark.parametrize("norm", NORMS)
def test_the_bound_holds_on_images_and_is_used_up(norm, plain, unseen):
    x = unseen[0] * 0.5 + 0.25  # nothing is clipped
    for attack in ATTACKS.values():
        found = length(attack(plain, x, unseen[1], 0.2, norm=norm).double() - x.double(), norm)
        assert found.max() <= 0.2
        assert found.min() > 0.1999


@pytest.mark.parametrize("norm", NORMS)
def test_random_starts_fill_the_ball_evenly(norm):
    network = nn.Sequential(Linear(2, 2, generator=torch.Generator().manual_seed(0)))
    x = torch.full((4000, 2), 0.5)
    labels = torch.zeros(4000, dtype=torch.int64)
    change = pgd(network, x, labels, 0.4, steps=1, step_size=1e-9, norm=norm) - x
    inside = (length(change, norm) < 0.2).double().mean()
    assert inside == pytest.approx(1 / 4, abs=0.02)  # half the radius, a quarter of the area
    assert change.mean(dim=0).abs().max() < 0.02


def test_an_epsilon_of_0_changes_nothing(plain, unseen):
    for attack in ATTACKS.values():
        for norm in NORMS:
            assert torch.equal(attack(plain, *unseen, 0, norm=norm), unseen[0])


# --- the direction ----------------------------------------------------------------------------------------------------


def two_classes():
    """Logits (0, w x + b): the loss of class 0 rises along w, that of class 1 along -w."""
    network = Linear(3, 2)
    with torch.no_grad():
        network.weight.copy_(torch.tensor([[0.0, 0.0, 0.0], [3.0, -4.0, 0.0]]))
        network.bias.zero_()
    return network


def test_the_fast_gradient_sign_by_hand_on_a_linear_network():
    x = torch.tensor([[0.5, 0.5, 0.5], [0.5, 0.95, 0.5]])
    moved = fast_gradient_sign(two_classes(), x, torch.tensor([0, 1]), 0.1)
    wanted = torch.tensor([[0.6, 0.4, 0.5], [0.4, 1.0, 0.5]])  # clipped at 1; no weight, no change
    torch.testing.assert_close(moved, wanted, rtol=0, atol=2e-6)


def test_the_fast_gradient_of_length_1_by_hand_on_a_linear_network():
    x = torch.tensor([[0.5, 0.5, 0.5]])
    moved = fast_gradient_sign(two_classes(), x, torch.tensor([0]), 0.1, norm="l2")
    torch.testing.assert_close(moved, torch.tensor([[0.56, 0.42, 0.5]]), rtol=0, atol=2e-6)


@pytest.mark.parametrize("norm", NORMS)
def test_projected_gradient_ends_at_the_worst_place_of_a_linear_network(norm):
    x = torch.full((5, 3), 0.5)
    labels = torch.tensor([0, 0, 1, 1, 0])
    worst = fast_gradient_sign(two_classes(), x, labels, 0.1, norm=norm)
    found = pgd(two_classes(), x, labels, 0.1, steps=20, step_size=0.1, norm=norm)
    torch.testing.assert_close(found[:, :2], worst[:, :2], rtol=0, atol=2e-4)


@pytest.mark.parametrize(("norm", "epsilon"), [("linf", 0.15), ("l2", 1.5)])
def test_accuracy_falls_and_many_steps_are_at_least_as_bad_as_one(norm, epsilon, plain, unseen):
    clean = right(plain, *unseen)
    one = right(plain, fast_gradient_sign(plain, *unseen, epsilon, norm=norm), unseen[1])
    many = right(plain, pgd(plain, *unseen, epsilon, norm=norm), unseen[1])
    assert clean > 0.85
    assert one < clean - 0.2
    assert many <= one


def test_a_change_at_random_of_the_same_size_does_far_less(plain, unseen, generator):
    x, labels = unseen
    noise = 0.2 * torch.randn(x.shape, generator=generator).sign()
    assert right(plain, (x + noise).clamp(0, 1), labels) > right(plain, pgd(plain, x, labels, 0.2), labels) + 0.3


@pytest.mark.parametrize("norm", NORMS)
def test_a_step_is_two_and_a_half_radii_over_their_number_unless_told_otherwise(norm, plain, unseen):
    x, labels = unseen[0][:10], unseen[1][:10]
    wanted = pgd(plain, x, labels, 0.1, steps=4, step_size=2.5 * 0.1 / 4, norm=norm)
    assert torch.equal(pgd(plain, x, labels, 0.1, steps=4, norm=norm), wanted)


def test_the_same_stream_gives_the_same_change_and_another_a_different_one(plain, unseen):
    x, labels = unseen[0][:10], unseen[1][:10]
    first = pgd(plain, x, labels, 0.1, steps=2)
    assert torch.equal(first, pgd(plain, x, labels, 0.1, steps=2))
    assert not torch.equal(first, pgd(plain, x, labels, 0.1, steps=2, seed=1))


def test_a_samples_change_does_not_depend_on_those_beside_it(plain, unseen):
    x, labels = unseen[0][:7], unseen[1][:7]
    together = pgd(plain, x, labels, 0.1, steps=3)
    torch.testing.assert_close(pgd(plain, x, labels, 0.1, steps=3, batch_size=3), together, rtol=0, atol=1e-5)


# --- the network stays as it is ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("attack", ATTACKS)
def test_weights_gradients_statistics_mode_and_streams_stay_as_they_are(attack, training, generator):
    masks = torch.Generator().manual_seed(0)
    network = nn.Sequential(Linear(6, 8), BatchNorm(8), Dropout(0.5, generator=masks), Linear(8, 3)).train(training)
    for parameter in network.parameters():
        parameter.grad = torch.ones_like(parameter)
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    streams = masks.get_state(), torch.get_rng_state()
    x = torch.rand(5, 6, generator=generator)
    with torch.no_grad():  # works where a caller measures
        ATTACKS[attack](network, x, torch.tensor([0, 1, 2, 0, 1]), 0.1)
    assert network.training is training
    assert all(torch.equal(tensor, before[name]) for name, tensor in network.state_dict().items())
    assert all(torch.equal(parameter.grad, torch.ones_like(parameter)) for parameter in network.parameters())
    assert torch.equal(masks.get_state(), streams[0])
    assert torch.equal(torch.get_rng_state(), streams[1])
    assert not x.requires_grad


# --- the defence ------------------------------------------------------------------------------------------------------


def test_adversarial_training_withstands_what_the_plain_network_does_not(plain, unseen, digits):
    trained = classifier(AdversarialLearner, digits, 300, epsilon=0.2, attack_steps=3, warmup=100)
    attacked = [right(network, pgd(network, *unseen, 0.2), unseen[1]) for network in (plain, trained)]
    assert right(trained, *unseen) > 0.8
    assert attacked[1] > attacked[0] + 0.35


def fresh(digits, **settings):
    masks = torch.Generator().manual_seed(1)
    network = MLP((784, 16, 10), dropout=0.2, generator=torch.Generator().manual_seed(0), dropout_generator=masks)
    defaults = {"epsilon": 0.1, "attack_steps": 2, "warmup": 4, "batch_size": 16, "streams": Streams(0)}
    optimizer = Adam(network.parameters(), lr=1e-3, fused=True)
    images, labels = settings.pop("images", digits[0][:100]), settings.pop("labels", digits[1][:100])
    return AdversarialLearner(network, optimizer, images, labels, **defaults | settings)


def learn(learner, steps):
    updates = learner.learn()
    return [{name: float(value) for name, value in next(updates).items()} for _ in range(steps)]


def test_it_is_a_learner(digits):
    assert isinstance(fresh(digits), Learner)


def test_epsilon_grows_in_a_straight_line_and_is_told_meanwhile(digits):
    told = [metrics.get("epsilon") for metrics in learn(fresh(digits), 6)]
    assert told[:4] == pytest.approx([0.02, 0.04, 0.06, 0.08])
    assert told[4:] == [None, None]


@pytest.fixture
def attacks(monkeypatch):
    """What the learner asks of each attack; the attack itself changes nothing."""
    asked = []

    def watched(network, x, labels, epsilon, **settings):
        asked.append({"x": x, "labels": labels, "epsilon": epsilon, **settings})
        return x

    monkeypatch.setattr(adversarial, "projected_gradient", watched)
    return asked


def test_radius_and_stride_of_the_attack_grow_with_the_warm_up(attacks, digits):
    learn(fresh(digits, epsilon=0.1, step_size=0.05, warmup=4), 6)
    growth = [0.2, 0.4, 0.6, 0.8, 1.0, 1.0]
    assert [each["epsilon"] for each in attacks] == pytest.approx([0.1 * share for share in growth])
    assert [each["step_size"] for each in attacks] == pytest.approx([0.05 * share for share in growth])


def test_the_attack_is_the_one_asked_for_on_the_images_as_prepared(attacks, digits):
    learner = fresh(digits, attack_steps=3, norm="l2", prepare=lambda batch, stream: 1 - batch / 255)
    learn(learner, 1)
    (asked,) = attacks
    assert (asked["steps"], asked["step_size"], asked["norm"]) == (3, None, "l2")
    chosen = fresh(digits).batches.next()
    torch.testing.assert_close(asked["x"], 1 - digits[0][chosen] / 255)
    assert torch.equal(asked["labels"], digits[1][chosen])


def test_the_loss_is_that_of_the_attacked_batch(digits):
    learner = fresh(digits, epsilon=0.2, warmup=0, attack_steps=5)
    learner.network.train()
    clean = fresh(digits, epsilon=0.0, warmup=0)
    clean.network.train()
    chosen = torch.arange(16)
    assert learner._leave_gradients(chosen)["loss/training"] > clean._leave_gradients(chosen)["loss/training"] + 0.1


def test_resuming_is_exact(digits):
    assert_resumes_exactly(lambda: fresh(digits), 3, 5)


# --- bad input --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ({"epsilon": -0.1}, "epsilon=-0.1"),
        ({"epsilon": math.nan}, "epsilon=nan"),
        ({"norm": "l1"}, "norm='l1'"),
        ({"x": torch.zeros(2, 3, dtype=torch.uint8)}, "divide by 255"),
        ({"x": torch.full((2, 3), 1.5)}, r"x values=.*in \[0, 1\]"),
        ({"x": torch.full((2, 3), math.nan)}, "x values"),
        ({"x": torch.zeros(0, 3)}, "x shape"),
        ({"labels": torch.tensor([0])}, "labels shape"),
        ({"labels": torch.tensor([0, 5])}, "class number from 0 to 1"),
        ({"batch_size": 0}, "batch_size=0"),
    ],
)
@pytest.mark.parametrize("attack", ATTACKS)
def test_impossible_attacks_are_refused(attack, changed, named):
    given = {"x": torch.full((2, 3), 0.5), "labels": torch.tensor([0, 1]), "epsilon": 0.1} | changed
    with pytest.raises(InputError, match=named):
        ATTACKS[attack](two_classes(), **given)


@pytest.mark.parametrize(("wrong", "named"), [({"steps": 0}, "steps=0"), ({"step_size": 0.0}, "step_size=0.0")])
def test_impossible_steps_are_refused(wrong, named):
    with pytest.raises(InputError, match=named):
        pgd(two_classes(), torch.full((1, 3), 0.5), torch.tensor([0]), 0.1, **wrong)


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"epsilon": -1.0}, "epsilon=-1.0"),
        ({"attack_steps": 0}, "steps=0"),
        ({"warmup": -1}, "warmup_steps=-1"),
        ({"norm": "l7"}, "norm='l7'"),
        ({"images": torch.full((100, 784), 3.0)}, "x values"),
        ({"labels": torch.zeros(7, dtype=torch.int64)}, "targets=7"),
    ],
)
def test_impossible_training_is_refused_before_it_begins(wrong, named, digits):
    with pytest.raises(InputError, match=named):
        fresh(digits, **wrong)
