import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn.datasets import load_iris
from sklearn.neural_network import MLPClassifier, MLPRegressor
from torch import nn

from foundations.errors import InputError
from foundations.losses import binary_cross_entropy_from_logits
from foundations.networks import MLP

TORCHS = {
    "relu": nn.ReLU,
    "leaky_relu": nn.LeakyReLU,
    "elu": nn.ELU,
    "gelu": nn.GELU,
    "silu": nn.SiLU,
    "sigmoid": nn.Sigmoid,
    "tanh": nn.Tanh,
    "identity": nn.Identity,
}


class Reference(nn.Module):
    """The same network of torch's layers: 6 -> 5 -> 4 -> 3."""

    def __init__(self, *after_linear) -> None:
        super().__init__()
        layers = [nn.Sequential(nn.Linear(a, b), *(make(b) for make in after_linear)) for a, b in ((6, 5), (5, 4))]
        self.body = nn.Sequential(nn.Flatten(), *layers)
        self.head = nn.Linear(4, 3)

    def forward(self, x):
        return self.head(self.body(x))


@pytest.mark.parametrize("activation", TORCHS)
def test_mlp_agrees_with_torchs_layers(activation, assert_twins, generator):
    own = MLP((6, 5, 4, 3), activation, generator=generator)
    assert_twins(own, Reference(lambda size: TORCHS[activation]()), torch.randn(7, 6, generator=generator))


@pytest.mark.parametrize(("norm", "torchs"), [("batch", nn.BatchNorm1d), ("layer", nn.LayerNorm)])
def test_mlp_normalizes_before_the_activation(norm, torchs, assert_twins, generator):
    own = MLP((6, 5, 4, 3), norm=norm, generator=generator)
    assert_twins(own, Reference(torchs, lambda size: nn.ReLU()), torch.randn(7, 6, generator=generator))


def test_mlp_without_hidden_layers_is_a_linear_map(generator):
    network, x = MLP((6, 3), generator=generator), torch.randn(7, 6, generator=generator)
    weight, bias = network.parameters()
    torch.testing.assert_close(network(x), x @ weight.T + bias)


def _with_weights_of(model, sizes, activation):
    network = MLP(sizes, activation).double()
    parameters = list(network.parameters())
    for weight, bias, given_weight, given_bias in zip(
        parameters[::2], parameters[1::2], model.coefs_, model.intercepts_, strict=True
    ):
        weight.data = torch.from_numpy(given_weight.T.copy())
        bias.data = torch.from_numpy(given_bias.copy())
    return network


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize(("activation", "own_name"), [("relu", "relu"), ("tanh", "tanh"), ("logistic", "sigmoid")])
def test_mlp_gives_the_probabilities_of_scikit_learns_classifier(activation, own_name):
    x, labels = load_iris(return_X_y=True)
    model = MLPClassifier(hidden_layer_sizes=(8, 6), activation=activation, max_iter=20, random_state=0).fit(x, labels)
    logits = _with_weights_of(model, (4, 8, 6, 3), own_name)(torch.from_numpy(x))
    wanted = torch.from_numpy(model.predict_proba(x))
    torch.testing.assert_close(torch.softmax(logits, 1), wanted, rtol=1e-10, atol=1e-10)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_mlp_with_one_logit_gives_the_probability_of_scikit_learns_binary_classifier():
    x, labels = load_iris(return_X_y=True)
    model = MLPClassifier(hidden_layer_sizes=(8,), max_iter=20, random_state=0).fit(x, labels == 1)
    logits = _with_weights_of(model, (4, 8, 1), "relu")(torch.from_numpy(x))
    wanted = torch.from_numpy(model.predict_proba(x)[:, 1:])
    torch.testing.assert_close(torch.sigmoid(logits), wanted, rtol=1e-10, atol=1e-10)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_mlp_gives_the_values_of_scikit_learns_regressor():
    x, _ = load_iris(return_X_y=True)
    model = MLPRegressor(hidden_layer_sizes=(8,), max_iter=20, random_state=0).fit(x[:, :3], x[:, 3])
    values = _with_weights_of(model, (3, 8, 1), "relu")(torch.from_numpy(x[:, :3].copy()))
    wanted = torch.from_numpy(model.predict(x[:, :3]))
    torch.testing.assert_close(values[:, 0], wanted, rtol=1e-10, atol=1e-10)


def test_mlp_learns_xor(generator):
    x = torch.tensor([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
    targets = torch.tensor([[0.0], [1.0], [1.0], [0.0]])
    network = MLP((2, 8, 1), "tanh", generator=generator)
    optimizer = torch.optim.Adam(network.parameters(), lr=0.05)
    for _ in range(300):
        loss = binary_cross_entropy_from_logits(network(x), targets)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert loss.item() < 0.05


@given(st.lists(st.integers(1, 6), min_size=2, max_size=5), st.integers(1, 4))
def test_mlp_maps_a_batch_from_the_first_to_the_last_size(sizes, batch):
    assert MLP(sizes)(torch.zeros(batch, sizes[0])).shape == (batch, sizes[-1])


def test_mlp_takes_images_as_rows_of_pixels(generator):
    network, images = MLP((12, 3), generator=generator), torch.randn(2, 1, 3, 4, generator=generator)
    assert torch.equal(network(images), network(images.reshape(2, 12)))


def test_residual_mlp_adds_each_layers_input_where_widths_agree(generator):
    network = MLP((3, 5, 5, 2), residual=True, generator=generator)
    x = torch.randn(4, 3, generator=generator)
    first = network.body[1](x)
    second = torch.relu(network.body[2].branch[0](first)) + first
    torch.testing.assert_close(network(x), network.head(second))


def test_gradient_reaches_the_first_of_fifty_layers_only_when_they_are_residual():
    norms = {}
    for residual in (False, True):
        stream = torch.Generator().manual_seed(0)
        network = MLP((16,) * 52, "tanh", residual=residual, generator=stream)
        network(torch.randn(8, 16, generator=stream)).sum().backward()
        norms[residual] = next(network.parameters()).grad.norm().item()
    assert norms[False] < 1e-6
    assert norms[True] > 1


def test_dropout_of_an_mlp_draws_from_its_own_stream_and_stops_in_evaluation(generator):
    network = MLP((4, 64, 2), dropout=0.5, generator=generator, dropout_generator=torch.Generator().manual_seed(1))
    x = torch.randn(3, 4, generator=generator)
    before = generator.get_state()
    assert not torch.equal(network(x), network(x))
    assert torch.equal(generator.get_state(), before)
    network.eval()
    assert torch.equal(network(x), network(x))


def test_the_same_seed_gives_the_same_mlp():
    first, second = (MLP((4, 5, 2), generator=torch.Generator().manual_seed(3)) for _ in range(2))
    assert all(map(torch.equal, first.parameters(), second.parameters()))


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"sizes": (4,)}, "sizes="),
        ({"sizes": (4, 0, 2)}, "sizes="),
        ({"sizes": (4, 2), "activation": "rleu"}, "did you mean 'relu'"),
        ({"sizes": (4, 3, 2), "activation": "softmax"}, "activation="),
        ({"sizes": (4, 3, 2), "norm": "group"}, "norm="),
        ({"sizes": (4, 3, 2), "dropout": 1.0}, "p=1.0"),
        ({"sizes": (4, 3, 2), "residual": True}, "residual=True"),
    ],
)
def test_mlp_refuses_impossible_settings(settings, named):
    with pytest.raises(InputError, match=named):
        MLP(**settings)


@pytest.mark.parametrize("shape", [(2, 5), (4,), (2, 2, 3)])
def test_mlp_refuses_samples_of_another_size(shape):
    with pytest.raises(InputError, match="input shape"):
        MLP((4, 2))(torch.zeros(shape))
