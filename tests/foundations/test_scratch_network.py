"""Layer objects, networks and the learner of the NumPy package."""

import itertools
import subprocess
import sys

import numpy as np
import pytest
import torch
from states import assert_resumes_exactly
from torch import nn

from foundations import scratch
from foundations.errors import InputError
from foundations.learner import Learner


def draw() -> np.random.Generator:
    return np.random.default_rng(0)


def copy_weights(network: scratch.Network, twin: nn.Module) -> None:
    twin.load_state_dict({name: torch.tensor(array) for name, array in network.parameters().items()}, strict=False)


def convolutional() -> tuple[scratch.Network, nn.Module]:
    """The same network twice, with every kind of layer between image and logits."""
    g = draw()
    own = scratch.Network(
        [
            scratch.Convolution(1, 3, 3, padding=1, generator=g, dtype=np.float64),
            scratch.BatchNorm(3, dtype=np.float64),
            scratch.LeakyReLU(0.1),
            scratch.MaxPool(2),
            scratch.Convolution(3, 4, 2, generator=g, dtype=np.float64),
            scratch.Tanh(),
            scratch.AveragePool(2, stride=1),
            scratch.Flatten(),
            scratch.Dense(16, 6, generator=g, dtype=np.float64),
            scratch.Sigmoid(),
            scratch.BatchNorm(6, dtype=np.float64),
            scratch.Dense(6, 3, generator=g, dtype=np.float64),
        ]
    )
    twin = nn.Sequential(
        nn.Conv2d(1, 3, 3, padding=1),
        nn.BatchNorm2d(3),
        nn.LeakyReLU(0.1),
        nn.MaxPool2d(2),
        nn.Conv2d(3, 4, 2),
        nn.Tanh(),
        nn.AvgPool2d(2, stride=1),
        nn.Flatten(),
        nn.Linear(16, 6),
        nn.Sigmoid(),
        nn.BatchNorm1d(6),
        nn.Linear(6, 3),
    ).double()
    copy_weights(own, twin)
    return own, twin


IMAGES, LABELS = draw().standard_normal((5, 1, 8, 8)), np.array([0, 1, 2, 1, 0])


def test_a_deep_network_gives_the_gradients_of_autograd():
    own, twin = convolutional()
    _, upstream = scratch.cross_entropy_from_logits(own.forward(IMAGES), LABELS)
    dx = own.backward(upstream)
    leaf = torch.tensor(IMAGES, requires_grad=True)
    nn.functional.cross_entropy(twin(leaf), torch.tensor(LABELS)).backward()
    np.testing.assert_allclose(dx, leaf.grad.numpy(), rtol=1e-8, atol=1e-10)
    for name, parameter in twin.named_parameters():
        np.testing.assert_allclose(own.gradients()[name], parameter.grad.numpy(), atol=1e-10, err_msg=name)


def test_a_deep_network_gives_the_gradients_of_central_differences():
    own, _ = convolutional()
    _, upstream = scratch.cross_entropy_from_logits(own.forward(IMAGES), LABELS)
    own.backward(upstream)
    gradients = own.gradients()
    for name, weights in own.parameters().items():
        places = draw().permutation(weights.size)[:5]
        numerical = scratch.numerical_gradient(
            lambda: scratch.cross_entropy_from_logits(own.forward(IMAGES), LABELS)[0], weights, places
        )
        # A weight before a batch norm may have a true gradient of 0, which has no relative error.
        np.testing.assert_allclose(gradients[name].flat[places], numerical, rtol=1e-6, atol=1e-9, err_msg=name)


def test_a_hundred_steps_of_momentum_lead_where_torch_leads():
    own, twin = convolutional()
    optimizer, reference = scratch.SGD(0.05, momentum=0.9), torch.optim.SGD(twin.parameters(), 0.05, momentum=0.9)
    for _ in range(100):
        _, upstream = scratch.cross_entropy_from_logits(own.forward(IMAGES), LABELS)
        own.backward(upstream)
        own.update(optimizer)
        reference.zero_grad()
        nn.functional.cross_entropy(twin(torch.tensor(IMAGES)), torch.tensor(LABELS)).backward()
        reference.step()
    for name, parameter in twin.named_parameters():
        np.testing.assert_allclose(own.parameters()[name], parameter.detach().numpy(), rtol=1e-6, atol=1e-6)
    twin.eval()
    np.testing.assert_allclose(own.predict(IMAGES), twin(torch.tensor(IMAGES)).detach().numpy(), rtol=1e-6, atol=1e-6)


def test_running_statistics_agree_with_torch():
    own, twin = convolutional()
    own.forward(IMAGES)
    twin(torch.tensor(IMAGES))
    for name, buffer in own.buffers().items():
        np.testing.assert_allclose(buffer, twin.state_dict()[name].numpy(), atol=1e-12, err_msg=name)


def test_the_twin_of_torchs_layers_says_what_the_network_says():
    own, _ = convolutional()
    own.forward(IMAGES)  # running statistics that are not the first ones
    twin = scratch.as_torch(own)
    with torch.no_grad():
        np.testing.assert_allclose(twin(torch.tensor(IMAGES)).numpy(), own.predict(IMAGES), atol=1e-12)


@pytest.mark.parametrize(
    "layer",
    [scratch.Identity(), scratch.ReLU(), scratch.Softmax(), scratch.Dropout(0.5, generator=draw())],
    ids=lambda layer: type(layer).__name__,
)
def test_a_layer_without_weights_has_a_twin_too(layer):
    network, x = scratch.Network([layer]), draw().standard_normal((4, 6))
    np.testing.assert_allclose(scratch.as_torch(network)(torch.tensor(x)).numpy(), network.predict(x), atol=1e-12)


def test_the_weights_of_a_twin_are_copies():
    own = scratch.Network([scratch.Dense(2, 3, generator=draw())])
    kept = scratch.as_torch(own)[0].weight.detach().clone()
    twin = scratch.as_torch(own)
    own.parameters()["0.weight"] += 1
    assert torch.equal(twin[0].weight, kept)


def test_a_layer_without_a_twin_is_refused_by_name():
    with pytest.raises(InputError, match=r"layer=Recurrent: must be .* to have a twin"):
        scratch.as_torch(scratch.Network([scratch.Recurrent(1, 1, 1, generator=draw())]))


def test_recurrent_layer_agrees_with_torch():
    layer = scratch.Recurrent(3, 4, 2, generator=draw(), dtype=np.float64)
    twin, head = nn.RNN(3, 4, batch_first=True).double(), nn.Linear(4, 2).double()
    weights = {name: torch.tensor(array) for name, array in layer.parameters.items()}
    twin.load_state_dict(
        {
            "weight_ih_l0": weights["U"],
            "weight_hh_l0": weights["W"],
            "bias_ih_l0": weights["b"],
            "bias_hh_l0": torch.zeros(4),
        }
    )
    head.load_state_dict({"weight": weights["V"], "bias": weights["c"]})
    x, upstream = draw().standard_normal((2, 6, 3)), draw().standard_normal((2, 6, 2))
    y = layer.forward(x)
    dx = layer.backward(upstream)
    leaf = torch.tensor(x, requires_grad=True)
    wanted = head(twin(leaf)[0])
    wanted.backward(torch.tensor(upstream))
    np.testing.assert_allclose(y, wanted.detach().numpy(), atol=1e-10)
    np.testing.assert_allclose(dx, leaf.grad.numpy(), atol=1e-10)
    pairs = {"U": twin.weight_ih_l0, "W": twin.weight_hh_l0, "b": twin.bias_ih_l0, "V": head.weight, "c": head.bias}
    for name, parameter in pairs.items():
        np.testing.assert_allclose(layer.gradients[name], parameter.grad.numpy(), atol=1e-10, err_msg=name)


def test_cells_unrolled_by_hand_give_the_gradients_of_the_recurrent_layer():
    layer = scratch.Recurrent(3, 4, 2, generator=draw(), dtype=np.float64)
    cell = scratch.RecurrentCell(3, 4, generator=draw(), dtype=np.float64)
    x, upstream = draw().standard_normal((2, 6, 3)), draw().standard_normal((2, 6, 2))
    layer.forward(x)
    layer.backward(upstream)
    state = np.zeros((2, 4))
    for t in range(6):
        state = cell.forward(x[:, t], state)
    carried = np.zeros((2, 4))
    for t in reversed(range(6)):
        _, carried = cell.backward(upstream[:, t] @ layer.parameters["V"] + carried)
    for name in "UWb":
        np.testing.assert_allclose(cell.gradients[name], layer.gradients[name], atol=1e-12)


def test_dropout_is_off_in_evaluation_and_the_mode_is_put_back():
    network = scratch.Network([scratch.Dropout(0.5, generator=draw())])
    x = np.ones((4, 10), np.float32)
    assert (network.predict(x) == x).all()
    assert set(np.unique(network.forward(x))) == {0, 2}


@pytest.mark.parametrize(
    "layer",
    [
        scratch.Identity(),
        scratch.Softmax(),
        scratch.ReLU(),
        scratch.Dense(6, 2, generator=draw()),
        scratch.Dropout(0.5, generator=draw()),
        scratch.BatchNorm(6),
    ],
    ids=lambda layer: type(layer).__name__,
)
def test_float32_stays_float32_in_both_directions(layer):
    y = layer.forward(draw().standard_normal((4, 6)).astype(np.float32))
    dx = layer.backward(np.ones_like(y))
    assert {y.dtype, dx.dtype, *(each.dtype for each in layer.gradients.values())} == {np.dtype(np.float32)}


def test_the_package_needs_no_torch():
    code = "import sys, foundations.scratch; assert not {'torch', 'scipy', 'sklearn'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


# --- the learner ------------------------------------------------------------------------------------------------------

POINTS = draw().standard_normal((400, 2)).astype(np.float32)
QUADRANTS = (POINTS[:, 0] * POINTS[:, 1] > 0).astype(np.int64)  # no straight line parts them


def make_learner(seed: int = 0, **settings) -> scratch.ScratchLearner:
    generator = np.random.default_rng(seed)
    network = scratch.Network(
        [
            scratch.Dense(2, 32, generator=generator),
            scratch.BatchNorm(32),
            scratch.ReLU(),
            scratch.Dropout(0.1, generator=np.random.default_rng(seed + 1)),
            scratch.Dense(32, 2, generator=generator),
        ]
    )
    data = {"inputs": POINTS, "targets": QUADRANTS, "batch_size": 50, "generator": generator} | settings
    return scratch.ScratchLearner(network, scratch.SGD(0.1, 0.9), scratch.cross_entropy_from_logits, **data)


def train(learner: scratch.ScratchLearner, steps: int) -> list[float]:
    return [metrics["loss/training"] for metrics in itertools.islice(learner.learn(), steps)]


def test_it_is_a_learner_and_learns_what_no_line_parts():
    learner = make_learner()
    assert isinstance(learner, Learner)
    train(learner, 400)
    assert (learner.network.predict(POINTS).argmax(1) == QUADRANTS).mean() >= 0.97


def test_resuming_from_a_file_is_exact():
    middle_of_the_second_epoch = 13
    straight, resumed = assert_resumes_exactly(make_learner, middle_of_the_second_epoch, 17, into=make_learner(seed=7))
    for name, array in straight.network.parameters().items():
        assert (resumed.network.parameters()[name] == array).all(), name


def test_a_state_is_not_changed_by_further_learning():
    learner = make_learner()
    train(learner, 1)
    state = learner.state_dict()
    kept = state["network"]["parameters"]["0.weight"].clone()
    train(learner, 1)
    assert torch.equal(state["network"]["parameters"]["0.weight"], kept)


def test_every_sample_is_seen_once_an_epoch():
    seen = []
    learner = make_learner(inputs=np.arange(400)[:, None], prepare=lambda rows: seen.extend(rows[:, 0]) or POINTS[:50])
    train(learner, 8)
    assert sorted(seen) == list(range(400))


def test_a_schedule_of_zero_moves_nothing():
    learner = make_learner(schedule=lambda step: 0.0)
    before = learner.network.parameters()["0.weight"].copy()
    train(learner, 3)
    assert (learner.network.parameters()["0.weight"] == before).all()


BAD = {
    "targets=399": lambda: make_learner(targets=QUADRANTS[:-1]),
    "inputs=0": lambda: make_learner(inputs=POINTS[:0], targets=QUADRANTS[:0]),
    "inputs='NaN or infinity": lambda: make_learner(inputs=np.full((400, 2), np.nan)),
    "batch_size=401": lambda: make_learner(batch_size=401),
    "layers=[]": lambda: scratch.Network([]),
    "layers='a layer twice'": lambda: scratch.Network([scratch.ReLU()] * 2),
    "backward='ReLU': must be called after forward": lambda: scratch.ReLU().backward(np.ones(3)),
    "backward='RecurrentCell'": lambda: scratch.RecurrentCell(1, 1, generator=draw()).backward(np.ones((1, 1))),
    "learning_rate=-1": lambda: scratch.SGD(-1),
    "momentum=1": lambda: scratch.SGD(0.1, 1),
    "in_features=0": lambda: scratch.Dense(0, 1, generator=draw()),
    "kernel_size=0": lambda: scratch.Convolution(1, 1, 0, generator=draw()),
    "truncate=0": lambda: scratch.Recurrent(1, 1, 1, 0, generator=draw()),
    "p=-0.1": lambda: scratch.Dropout(-0.1, generator=draw()),
    "x=0: must be at least 1": lambda: scratch.Network([scratch.ReLU()]).predict(np.ones((0, 3))),
    "batch_size=0": lambda: scratch.Network([scratch.ReLU()]).predict(np.ones((2, 3)), batch_size=0),
    "gradients=[]": lambda: scratch.Network([scratch.Dense(1, 1, generator=draw())]).update(scratch.SGD(0.1)),
}


@pytest.mark.parametrize("message", BAD)
def test_bad_input_is_refused_by_name(message):
    with pytest.raises(InputError) as caught:
        BAD[message]()
    assert str(caught.value).startswith(message)


def test_an_upstream_gradient_of_another_shape_is_refused():
    layer = scratch.ReLU()
    layer.forward(np.ones((2, 3)))
    with pytest.raises(InputError, match=r"upstream shape=\(3,\): must be \(2, 3\)"):
        layer.backward(np.ones(3))


def test_the_state_of_another_network_is_refused():
    one, other = (scratch.Network([scratch.Dense(size, 1, generator=draw())]) for size in (1, 2))
    with pytest.raises(InputError, match=r"^state=.*of a network with the weights"):
        one.load_state_dict(other.state_dict())
