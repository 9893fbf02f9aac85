import copy
import pickle

import pytest
import torch
from sklearn.model_selection import LeaveOneOut, cross_val_score
from sklearn.neighbors import KNeighborsClassifier
from states import assert_resumes_exactly
from torch import nn

from foundations.averaging import recompute_batch_norm
from foundations.errors import InputError
from foundations.layers import Linear
from foundations.losses import cross_entropy_from_logits
from foundations.networks import MLP, CifarResNet, LeNet5
from foundations.normalization import BatchNorm
from foundations.optimizers import AdamW
from foundations.streams import Streams
from foundations.training import SupervisedLearner, fit
from foundations.transfer import (
    block_changes,
    block_features,
    block_learning_rates,
    blocks,
    few_shot,
    freeze,
    nearest_neighbour_accuracy,
    nearest_neighbour_by_block,
    replace_head,
    thaw,
    thaw_last_blocks,
)

IMAGES = torch.rand(40, 1, 28, 28, generator=torch.Generator().manual_seed(1))
LABELS = torch.arange(40) % 5


def _resnet() -> CifarResNet:
    return CifarResNet(8, channels=1, width=0.25, generator=torch.Generator().manual_seed(0))


def _train(network, parameters=None, epochs=2):
    optimizer = AdamW(network.parameters() if parameters is None else parameters, lr=1e-2, weight_decay=0.1)
    fit(
        SupervisedLearner(
            network, optimizer, cross_entropy_from_logits, IMAGES, LABELS, batch_size=10, streams=Streams(0)
        ),
        epochs,
    )


def _changed(before, network):
    """The names of weights and statistics that are another, by the first two parts of their names."""
    after = network.state_dict()
    return {".".join(name.split(".")[:2]) for name in before if not torch.equal(before[name], after[name])}


def _copy(network):
    return {name: tensor.clone() for name, tensor in network.state_dict().items()}


def test_training_leaves_frozen_weights_and_batch_norm_statistics_as_they_were_to_the_bit():
    network = _resnet()
    freeze(network.body)
    before = _copy(network)
    _train(network)
    assert _changed(before, network) == {"head.weight", "head.bias"}


def test_without_freezing_every_block_changes():
    network = _resnet()
    before = _copy(network)
    _train(network)
    assert _changed(before, network) == {f"body.{name}" for name in blocks(network)} | {"head.weight", "head.bias"}


@pytest.mark.parametrize("count", range(5))
def test_only_the_last_blocks_and_the_head_learn(count):
    network = _resnet()
    replace_head(network, 5)
    thaw_last_blocks(network, count)
    before = _copy(network)
    _train(network)
    names = list(blocks(network))
    assert _changed(before, network) == {f"body.{name}" for name in names[len(names) - count :]} | {
        "head.weight",
        "head.bias",
    }


def test_thawing_fewer_blocks_than_before_freezes_the_others_again():
    network = _resnet()
    thaw_last_blocks(network, 3)
    thaw_last_blocks(network, 1)
    learning = {".".join(name.split(".")[:2]) for name, each in network.named_parameters() if each.requires_grad}
    assert learning == {f"body.{list(blocks(network))[-1]}", "head.weight", "head.bias"}


@pytest.mark.parametrize("kind", [BatchNorm, nn.BatchNorm1d])
def test_a_frozen_batch_norm_stays_in_evaluation_mode_and_a_thawed_one_follows_its_network(kind):
    network = nn.Sequential(nn.Linear(3, 4), kind(4))
    freeze(network)
    network.train()
    assert not network[1].training
    thaw(network)
    assert network[1].training
    assert type(network[1]) is kind
    network.eval()
    assert not network[1].training


@pytest.mark.parametrize("kind", [nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d])
def test_torchs_batch_norms_keep_their_statistics_when_frozen(kind):
    norm = kind(2)
    x = torch.rand(6, 2, *[3] * int(kind.__name__[-2]))
    freeze(norm)
    before = _copy(norm)
    norm.train()(x)
    assert _changed(before, norm) == set()


def test_measuring_batch_norm_anew_spares_the_frozen_ones():
    network = _resnet()
    thaw_last_blocks(network, 1)
    before = _copy(network)
    recompute_batch_norm(network, [IMAGES])
    assert _changed(before, network) == {f"body.{list(blocks(network))[-1]}"}


def test_a_weight_frozen_while_its_optimizer_runs_moves_no_more():
    network = MLP((784, 8, 5))
    optimizer = AdamW(network.parameters(), lr=1e-2)
    network(IMAGES).sum().backward()
    optimizer.step()
    freeze(network.body)
    before = _copy(network)
    network(IMAGES).sum().backward()
    optimizer.step()
    assert _changed(before, network) == {"head.weight", "head.bias"}


@pytest.mark.parametrize("twin", [copy.deepcopy, lambda network: pickle.loads(pickle.dumps(network))])
def test_a_copy_of_a_frozen_network_is_frozen_too(twin):
    network = _resnet()
    freeze(network)
    copied = twin(network)
    before = _copy(copied)
    copied.train()(IMAGES)
    assert _changed(before, copied) == set()
    assert not any(each.requires_grad for each in copied.parameters())


def test_freezing_changes_no_prediction_in_evaluation_mode():
    network = _resnet().eval()
    wanted = network(IMAGES)
    freeze(network)
    torch.testing.assert_close(network.train()(IMAGES), wanted, rtol=0, atol=0)


def test_a_new_head_has_the_classes_device_and_type_asked_for_and_the_body_stays():
    network = LeNet5().double()
    before = _copy(network)
    head = replace_head(network, 3)
    assert network.head is head
    assert network(IMAGES.double()).shape == (40, 3)
    assert head.weight.dtype == torch.float64
    after = network.state_dict()
    assert all(torch.equal(before[name], after[name]) for name in before if name.startswith("body."))


def test_the_same_seed_gives_the_same_new_head():
    first, second = (replace_head(LeNet5(), 3, generator=torch.Generator().manual_seed(3)) for _ in range(2))
    assert torch.equal(first.weight, second.weight)


def test_a_block_is_a_layer_of_the_body_with_weights():
    assert list(blocks(LeNet5())) == ["c1", "c3", "c5", "f6"]


def test_rates_fall_by_the_factor_from_the_head_to_the_first_block():
    groups = block_learning_rates(LeNet5(), 0.8, factor=0.5)
    assert [(group["name"], group["lr"]) for group in groups] == [
        ("c1", 0.05),
        ("c3", 0.1),
        ("c5", 0.2),
        ("f6", 0.4),
        ("head", 0.8),
    ]


def test_every_weight_is_in_one_group():
    network = _resnet()
    given = [id(each) for group in block_learning_rates(network, 0.1) for each in group["params"]]
    assert sorted(given) == sorted(id(each) for each in network.parameters())


def test_frozen_blocks_have_no_group():
    network = LeNet5()
    thaw_last_blocks(network, 1)
    assert [group["name"] for group in block_learning_rates(network, 0.1)] == ["f6", "head"]


def test_blocks_move_by_their_own_rates():
    network = MLP((784, 8, 8, 5))
    before = _copy(network)
    optimizer = AdamW(block_learning_rates(network, 1e-2, factor=0.1), weight_decay=0.0)
    cross_entropy_from_logits(network(IMAGES), LABELS).backward()
    optimizer.step()
    moved = {name: float((tensor - before[name]).abs().max()) for name, tensor in network.state_dict().items()}
    # Adam's first step is the rate, whatever the gradient.
    assert moved["head.weight"] == pytest.approx(1e-2, rel=1e-3)
    assert moved["body.2.0.weight"] == pytest.approx(1e-3, rel=1e-3)
    assert moved["body.1.0.weight"] == pytest.approx(1e-4, rel=1e-2)


def test_training_goes_on_exactly_with_frozen_blocks():
    def learner():
        network = _resnet()
        thaw_last_blocks(network, 1)
        optimizer = AdamW(block_learning_rates(network, 1e-2))
        return SupervisedLearner(
            network, optimizer, cross_entropy_from_logits, IMAGES, LABELS, batch_size=10, streams=Streams(0)
        )

    assert_resumes_exactly(learner, 3, 3)


@pytest.mark.parametrize(
    ("call", "named"),
    [
        (lambda: replace_head(LeNet5(), 0), "classes=0"),
        (lambda: replace_head(nn.Sequential(Linear(2, 2)), 3), "network=Sequential: must have a `head`"),
        (lambda: thaw_last_blocks(LeNet5(), 5), "count=5: must be between 0 and 4"),
        (lambda: thaw_last_blocks(LeNet5(), -1), "count=-1"),
        (lambda: blocks(nn.Sequential(Linear(2, 2))), "must have a `head`"),
        (lambda: block_learning_rates(LeNet5(), 0.0), "learning_rate=0.0"),
        (lambda: block_learning_rates(LeNet5(), float("nan")), "learning_rate=nan"),
        (lambda: block_learning_rates(LeNet5(), 0.1, factor=1.5), "factor=1.5"),
    ],
)
def test_what_cannot_be_is_refused(call, named):
    with pytest.raises(InputError, match=named):
        call()


def test_few_shots_are_as_many_different_samples_of_each_class(generator):
    chosen = few_shot(LABELS, 3, generator)
    assert LABELS[chosen].tolist() == [label for label in range(5) for _ in range(3)]
    assert len(chosen.unique()) == 15


def test_few_shots_depend_on_the_stream_alone(generator):
    first, again, other = (few_shot(LABELS, 3, torch.Generator().manual_seed(seed)) for seed in (1, 1, 2))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


@pytest.mark.parametrize("shots", [0, 9])
def test_more_shots_than_the_rarest_class_has_samples_are_refused(shots, generator):
    with pytest.raises(InputError, match=f"shots={shots}: must be from 1 to 8"):
        few_shot(LABELS, shots, generator)


def test_features_behind_the_blocks_begin_with_the_input_and_end_with_what_the_head_takes(generator):
    network = LeNet5(generator=generator)
    features = block_features(network, IMAGES)
    assert list(features) == ["input", "c1", "c3", "c5", "f6"]
    torch.testing.assert_close(features["input"], IMAGES.flatten(1))
    torch.testing.assert_close(network.head(features["f6"]), network(IMAGES))
    torch.testing.assert_close(features["c1"], network.body.s2(network.body.c1(IMAGES)).detach().flatten(1))


def test_looking_at_features_leaves_a_network_in_training_as_it_was():
    network = _resnet().train()
    before = _copy(network)
    block_features(network, IMAGES)
    assert _changed(before, network) == set()
    assert all(module.training for module in network.modules())


def test_the_nearest_neighbours_accuracy_is_scikit_learns_with_each_sample_left_out(generator):
    features, labels = torch.randn(60, 3, generator=generator), torch.arange(60) % 3
    features += labels[:, None]
    twin = cross_val_score(KNeighborsClassifier(1), features.numpy(), labels.numpy(), cv=LeaveOneOut()).mean()
    assert nearest_neighbour_accuracy(features, labels) == pytest.approx(twin)
    assert 0.3 < twin < 1


@pytest.mark.parametrize(("count", "shape"), [(1, (1,)), (4, (4, 1))])
def test_neighbours_need_two_samples_and_a_label_each(count, shape):
    with pytest.raises(InputError, match=r"^(features|labels shape)="):
        nearest_neighbour_accuracy(torch.zeros(count, 2), torch.zeros(shape))


def test_a_network_without_a_body_is_refused():
    network = nn.Module()
    network.head = Linear(2, 2)
    with pytest.raises(InputError, match="must have a `body`"):
        blocks(network)


def test_rates_for_a_network_that_is_all_frozen_are_refused():
    network = LeNet5()
    freeze(network)
    with pytest.raises(InputError, match="all frozen"):
        block_learning_rates(network, 0.1)


def test_neighbours_are_looked_for_in_the_input_and_behind_each_block():
    network = _resnet()
    shares = nearest_neighbour_by_block(network, IMAGES, LABELS)
    features = block_features(network, IMAGES)
    assert list(shares) == ["input", *blocks(network)]
    assert shares["stage2"] == nearest_neighbour_accuracy(features["stage2"], LABELS)


def _of_lengths(*weights):
    """A body of one dense layer without bias, with these weights."""
    network = MLP((1, len(weights), 2), generator=torch.Generator().manual_seed(0))
    dense = network.body[1][0]
    dense.weight.data, dense.bias.data = torch.tensor(weights).view(-1, 1), torch.zeros(len(weights))
    return network


def test_a_change_is_told_as_a_share_of_the_length_of_the_weights_before():
    assert block_changes(_of_lengths(3.0, 4.0), _of_lengths(3.0, 5.0)) == {"1": 0.2}


def test_a_change_from_weights_of_zero_is_refused():
    with pytest.raises(InputError, match="must be weights that are not all 0"):
        block_changes(_of_lengths(0.0, 0.0), _of_lengths(1.0, 0.0))
