"""Layers against torch's: dense, dropout, convolution, pooling, normalisation, residual; and first weights."""

import math
from collections.abc import Callable
from typing import Any, Literal

import torch
from torch import Tensor, nn

import foundations
from foundations import initializers, kernels
from labs.verification.twin import Difference, Twin, functions, generator, largest, modules, normal, same_arguments

SAMPLED = 0.02
"""How far a mean or a standard deviation of 40,000 and more draws may be from its expectation, relative to it."""
_DRAWS = (200, 200)


def layer_twins() -> list[Twin]:
    """Dense, dropout, residual."""
    return [
        *same_arguments(foundations.Linear, nn.Linear, (8, 5), 5, 3, area="layers"),
        *same_arguments(foundations.Linear, nn.Linear, (2, 4, 5), 5, 3, area="layers", variant="no bias", bias=False),
        Twin("Residual", "layers", "x + torch.nn.Linear(x)", modules(_residual, _TorchResidual, lambda: normal(8, 5))),
        *_dropout(foundations.Dropout),
        *_dropout(foundations.SpatialDropout),
    ]


def convolution_twins() -> list[Twin]:
    """Every option of a convolution, alone and together."""
    images = (2, 4, 9, 8)
    own, reference = foundations.Conv2d, nn.Conv2d
    back, torch_back = foundations.ConvTranspose2d, nn.ConvTranspose2d
    return [
        Twin("Conv2d, a vertical edge", "convolution", "2, by hand", _vertical_edge),
        *same_arguments(own, reference, images, 4, 6, 3, area="convolution"),
        *same_arguments(own, reference, images, 4, 6, (3, 2), area="convolution", variant="kernel 3x2"),
        *same_arguments(own, reference, images, 4, 6, 3, area="convolution", variant="stride 2", stride=2, padding=1),
        *same_arguments(own, reference, images, 4, 6, 3, area="convolution", variant="dilation 2", dilation=2),
        *same_arguments(own, reference, images, 4, 6, 3, area="convolution", variant="2 groups", groups=2),
        *same_arguments(own, reference, images, 4, 8, 3, area="convolution", variant="depthwise", groups=4, bias=False),
        *same_arguments(
            *(own, reference, images, 4, 6, (3, 2), (2, 1), (1, 2), (1, 2), 2),
            area="convolution",
            variant="all together",
        ),
        *same_arguments(back, torch_back, images, 4, 6, 3, area="convolution"),
        *same_arguments(
            *(back, torch_back, images, 4, 6, (4, 3), (2, 3), 1, (1, 2)), area="convolution", variant="stride 2x3"
        ),
    ]


def pooling_twins() -> list[Twin]:
    """Windows with and without overlap, and whole images."""
    images = (2, 4, 9, 8)
    most, mean = (foundations.MaxPool2d, nn.MaxPool2d), (foundations.AveragePool2d, nn.AvgPool2d)
    return [
        *same_arguments(*most, images, 2, area="pooling"),
        *same_arguments(*most, images, 3, area="pooling", variant="stride 2, padding 1", stride=2, padding=1),
        *same_arguments(*mean, images, 2, area="pooling"),
        *same_arguments(*mean, images, 3, area="pooling", variant="stride 2, padding 1", stride=2, padding=1),
        _global(foundations.GlobalAveragePool, "mean over height and width", lambda x: x.mean((2, 3))),
        _global(foundations.GlobalMaxPool, "maximum over height and width", lambda x: x.amax((2, 3))),
    ]


def normalisation_twins() -> list[Twin]:
    """Training and evaluation; vectors and images."""
    twins = []
    for training, mode in ((True, "training"), (False, "evaluation")):
        batch: dict[str, Any] = {"area": "normalisation", "training": training}
        own = foundations.BatchNorm
        twins += same_arguments(own, nn.BatchNorm1d, (8, 4), 4, variant=f"vectors, {mode}", **batch)
        twins += same_arguments(own, nn.BatchNorm2d, (4, 4, 5, 3), 4, variant=f"images, {mode}", **batch)
    return [
        *twins,
        *same_arguments(foundations.LayerNorm, nn.LayerNorm, (8, 6), 6, area="normalisation"),
        *same_arguments(foundations.LayerNorm, nn.LayerNorm, (3, 4, 6), (4, 6), area="normalisation", variant="2 axes"),
        *same_arguments(foundations.GroupNorm, nn.GroupNorm, (4, 6, 5, 3), 3, 6, area="normalisation"),
    ]


def initializer_twins() -> list[Twin]:
    """The spread of the drawn weights against its formula, in units of that; orthogonality."""
    rows, columns = _DRAWS
    expected = {
        "glorot_uniform_": math.sqrt(2 / (rows + columns)),
        "glorot_normal_": math.sqrt(2 / (rows + columns)),
        "he_uniform_": math.sqrt(2 / columns),
        "he_normal_": math.sqrt(2 / columns),
    }
    twins = [
        Twin(name, "initialisation", "standard deviation by formula", _spread(name, wanted), SAMPLED)
        for name, wanted in expected.items()
    ]
    names: tuple[Literal["tanh", "relu"], ...] = ("tanh", "relu")
    twins += [Twin(f"gain, {name}", "initialisation", "torch.nn.init.calculate_gain", _gain(name)) for name in names]
    return [*twins, Twin("orthogonal_", "initialisation", "Q^T Q = I", _orthogonality, 1e-5)]


# --- how each is compared ---------------------------------------------------------------------------------------------


def _vertical_edge() -> Difference:
    """One place of a kernel that looks for a vertical edge."""
    image = torch.tensor([[0.0, 0, 1], [1, 0, 1], [0, 1, 1]]).view(1, 1, 3, 3)
    edge = foundations.Conv2d(1, 1, 3, bias=False)
    edge.load_state_dict({"weight": kernels.PREWITT_X.view(1, 1, 3, 3)})
    return Difference(largest(edge(image).flatten(), [2.0]))


def _residual() -> nn.Module:
    return foundations.Residual(foundations.Linear(5, 5, generator=generator()))


class _TorchResidual(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(5, 5)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.linear(x)  # type: ignore[no-any-return]


def _dropout(layer: type[nn.Module], p: float = 0.3) -> list[Twin]:
    """The share kept, the expectation, and what evaluation leaves alone."""

    def run(training: bool, x: Tensor) -> Tensor:
        dropped: Tensor = layer(p, generator=generator()).train(training)(x)
        return dropped

    ones = torch.ones(200, 200, 4, 4, dtype=torch.float64)
    name = layer.__name__
    return [
        Twin(
            *(f"{name}, share kept", "layers", "1 - p"),
            lambda: Difference(largest((run(True, ones) != 0).double().mean() / (1 - p), 1)),
            SAMPLED,
        ),
        Twin(
            f"{name}, expectation",
            "layers",
            "its input",
            lambda: Difference(largest(run(True, ones).mean(), 1)),
            SAMPLED,
        ),
        Twin(
            f"{name}, evaluation",
            "layers",
            "its input",
            functions(lambda x: run(False, x), torch.clone, lambda: normal(4, 3, 2, 2)),
        ),
    ]


def _global(layer: type[nn.Module], reference: str, formula: Callable[[Tensor], Tensor]) -> Twin:
    compare = functions(lambda x: layer()(x).flatten(1), formula, lambda: normal(2, 4, 9, 8))
    return Twin(layer.__name__, "pooling", reference, compare)


def _spread(name: str, wanted: float) -> Callable[[], Difference]:
    def compare() -> Difference:
        weight = getattr(initializers, name)(torch.empty(_DRAWS), generator=generator())
        return Difference(abs(float(weight.std()) / wanted - 1))

    return compare


def _gain(name: Literal["tanh", "relu"]) -> Callable[[], Difference]:
    return lambda: Difference(largest(initializers.gain(name), nn.init.calculate_gain(name)))


def _orthogonality() -> Difference:
    q = initializers.orthogonal_(torch.empty(40, 30), generator=generator())
    return Difference(largest(q.T @ q, torch.eye(30)))
