"""Spectral norm: a layer that lengthens nothing, whatever its weights."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.func import functional_call

from foundations.convolution import Conv2d
from foundations.errors import require
from foundations.layers import Linear

FIRST_ROUNDS = 15
"""Rounds of power iteration on the first weights; later, one in each pass follows the weights as they move."""


class SpectralNorm(nn.Module):
    """`layer` with the weight W / s(W), s(W) being the largest singular value of W: the most that W lengthens anything.

    s = u^T W v, with u and v from power iteration, u <- W v / |W v|, v <- W^T u / |W^T u|, one round in each pass while
    training. Gradients flow through s, but not through u and v. A convolution's weight counts as a matrix (channels
    out, all the rest).

    Shapes: those of `layer`. v begins as N(0, I) from `generator`. Twin of
    `torch.nn.utils.parametrizations.spectral_norm`.
    Raises: InputError for a layer whose `weight` has fewer than two dimensions, or that has none.
    Source: Miyato et al. 2018, arXiv:1802.05957.
    """

    u: Tensor
    v: Tensor

    def __init__(self, layer: nn.Module, *, generator: torch.Generator | None = None) -> None:
        super().__init__()
        weight = getattr(layer, "weight", None)
        dimensions = weight.dim() if isinstance(weight, Tensor) else None
        require(dimensions is not None and dimensions >= 2, "weight dimensions", dimensions, "at least 2")
        self.layer = layer
        matrix = self._matrix().detach()
        self.register_buffer("u", torch.zeros_like(matrix[:, 0]))
        self.register_buffer("v", torch.randn(matrix.shape[1], generator=generator).to(matrix))
        for _ in range(FIRST_ROUNDS):
            self._iterate(matrix)

    def singular_value(self) -> Tensor:
        """s(W) as u and v tell it, a scalar with a gradient."""
        u, v = self.u.clone(), self.v.clone()  # the next pass moves them before this one's gradient is asked for
        return torch.dot(u, self._matrix() @ v)

    def forward(self, x: Tensor) -> Tensor:
        """Shapes: those of the layer."""
        if self.training:
            self._iterate(self._matrix().detach())
        y: Tensor = functional_call(self.layer, {"weight": self._weight() / self.singular_value()}, (x,))
        return y

    @torch.no_grad()
    def _iterate(self, matrix: Tensor) -> None:
        self.u.copy_(F.normalize(matrix @ self.v, dim=0))
        self.v.copy_(F.normalize(matrix.T @ self.u, dim=0))

    def _weight(self) -> Tensor:
        weight = self.layer.weight
        assert isinstance(weight, Tensor)
        return weight

    def _matrix(self) -> Tensor:
        return self._weight().flatten(start_dim=1)


def with_spectral_norm(module: nn.Module, stream: torch.Generator) -> nn.Module:
    """`module` with every dense layer and convolution in it under spectral norm; their weights are kept.

    The start of the power iterations is drawn from `stream`.
    """
    for name, child in module.named_children():
        if isinstance(child, Linear | Conv2d):
            setattr(module, name, SpectralNorm(child, generator=stream))
        else:
            with_spectral_norm(child, stream)
    return module
