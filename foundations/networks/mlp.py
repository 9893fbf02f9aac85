"""The multilayer perceptron, any depth and width; without a hidden layer it is linear or logistic regression."""

import itertools
from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor, nn

from foundations.activations import ELU, GELU, Identity, LeakyReLU, ReLU, Sigmoid, SiLU, Tanh
from foundations.errors import require, require_choice
from foundations.layers import Dropout, Flatten, Linear, Residual
from foundations.normalization import BatchNorm, LayerNorm

ACTIVATIONS: dict[str, type[nn.Module]] = {
    "relu": ReLU,
    "leaky_relu": LeakyReLU,
    "elu": ELU,
    "gelu": GELU,
    "silu": SiLU,
    "sigmoid": Sigmoid,
    "tanh": Tanh,
    "identity": Identity,
}
NORMS: dict[str, type[nn.Module]] = {"batch": BatchNorm, "layer": LayerNorm}


class MLP(nn.Module):
    """Multilayer perceptron: a_0 = x, a_l = f(W_l a_{l-1} + b_l) for each hidden layer, y = W a_L + b.

    `sizes` are the widths from input to output: (784, 256, 10) has one hidden layer. With `norm` a hidden layer is
    f(N(W a + b)), N over the batch or over the layer; `dropout` is its probability after each hidden layer; `residual`
    adds a_{l-1} to a_l where both are equally wide, so that the gradient has a way past every layer.

    The output is linear: values for a regression, logits for classes (one for two classes, else one a class), which
    `losses.binary_cross_entropy_from_logits` and `losses.cross_entropy_from_logits` take. Probabilities are their
    sigmoid and softmax.

    Shapes: x (batch, *) with sizes[0] numbers a sample, y (batch, sizes[-1]).
    Raises: InputError for fewer than two sizes, a size below 1, an unknown activation or norm, a dropout outside
    [0, 1), `residual` where no two neighbouring hidden layers are equally wide, and inputs of another size.
    Source: Rumelhart et al. 1986, Nature 323; residual: He et al. 2015, arXiv:1512.03385.
    """

    def __init__(
        self,
        sizes: Sequence[int],
        activation: str = "relu",
        *,
        norm: Literal["batch", "layer"] | None = None,
        dropout: float = 0.0,
        residual: bool = False,
        generator: torch.Generator | None = None,
        dropout_generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        sizes = tuple(sizes)
        require(len(sizes) >= 2 and min(sizes) >= 1, "sizes", sizes, "two or more widths, each at least 1")
        require_choice("activation", activation, ACTIVATIONS)
        if norm is not None:
            require_choice("norm", norm, NORMS)
        steps = list(itertools.pairwise(sizes[:-1]))
        alike = any(before == after for before, after in steps)
        apart = f"False where no two layers next to each other in {sizes} (the output apart) are equally wide"
        require(alike or not residual, "residual", residual, apart)
        self.sizes = sizes
        self.body = nn.Sequential(Flatten())
        for before, after in steps:
            parts: list[nn.Module] = [Linear(before, after, generator=generator)]
            if norm is not None:
                parts.append(NORMS[norm](after))
            parts.append(ACTIVATIONS[activation]())
            if dropout:
                parts.append(Dropout(dropout, generator=dropout_generator))
            layer = nn.Sequential(*parts)
            self.body.append(Residual(layer) if residual and before == after else layer)
        self.head = Linear(sizes[-2], sizes[-1], generator=generator)

    def forward(self, x: Tensor) -> Tensor:
        """Shapes: (batch, *) with sizes[0] numbers a sample -> (batch, sizes[-1])."""
        fits = x.dim() >= 2 and x.shape[1:].numel() == self.sizes[0]
        require(fits, "input shape", tuple(x.shape), f"(batch, *) with {self.sizes[0]} numbers a sample")
        y: Tensor = self.head(self.body(x))
        return y
