"""First weights. Each function fills a tensor in place, from `generator` (None: torch's default stream).

A weight has the shape (fan-out channels, fan-in channels, *kernel). Its fan-in, the number of inputs that one output
adds up, is channels times kernel elements; its fan-out likewise. (A transposed convolution swaps the two, as in torch.)
"""

import math

import torch
from torch import Tensor, nn

from foundations.errors import require, require_choice

_GAINS = {
    "linear": 1.0,
    "sigmoid": 1.0,
    "tanh": 5 / 3,
    "relu": math.sqrt(2.0),
    "elu": 1.2452,
    "gelu": 1.5335,
    "silu": 1.6765,
}


def gain(activation: str, negative_slope: float = 0.01) -> float:
    """The factor on the standard deviation that makes up for what an activation takes from the signal's size.

    1 / sqrt(E[f(z)^2]) for z ~ N(0, 1) in the ReLU family: sqrt(2 / (1 + slope^2)) for leaky ReLU; by custom 5/3 for
    tanh, which keeps the signal's size through any depth but lets the gradient grow (1 keeps the gradient better), and
    1 for sigmoid. `negative_slope` counts for "leaky_relu" only.
    Raises: InputError for an unknown activation.
    Source: He et al. 2015, arXiv:1502.01852.
    """
    require_choice("activation", activation, [*_GAINS, "leaky_relu"])
    if activation == "leaky_relu":
        return math.sqrt(2 / (1 + negative_slope**2))
    return _GAINS[activation]


def fans(weight: Tensor) -> tuple[int, int]:
    """The fan-in and fan-out of a weight. Raises: InputError for a tensor of fewer than two dimensions."""
    require(weight.dim() >= 2, "weight shape", tuple(weight.shape), "of two dimensions or more to have a fan-in")
    kernel = weight.shape[2:].numel()
    return weight.shape[1] * kernel, weight.shape[0] * kernel


@torch.no_grad()
def zeros_(tensor: Tensor) -> Tensor:
    """All zero: right for biases; as weights it leaves every unit of a layer the same for ever."""
    return tensor.zero_()


@torch.no_grad()
def normal_(tensor: Tensor, std: float, mean: float = 0.0, *, generator: torch.Generator | None = None) -> Tensor:
    """N(mean, std^2). Raises: InputError for std < 0."""
    require(std >= 0, "std", std, "at least 0")
    return tensor.normal_(mean, std, generator=generator)


@torch.no_grad()
def glorot_uniform_(weight: Tensor, gain: float = 1.0, *, generator: torch.Generator | None = None) -> Tensor:
    """U(-a, a), a = gain sqrt(6 / (fan_in + fan_out)). Source: Glorot & Bengio 2010, PMLR 9."""
    bound = gain * math.sqrt(6 / sum(fans(weight)))
    return weight.uniform_(-bound, bound, generator=generator)


def glorot_normal_(weight: Tensor, gain: float = 1.0, *, generator: torch.Generator | None = None) -> Tensor:
    """N(0, gain^2 2 / (fan_in + fan_out)). Source: Glorot & Bengio 2010, PMLR 9."""
    return normal_(weight, gain * math.sqrt(2 / sum(fans(weight))), generator=generator)


@torch.no_grad()
def he_uniform_(weight: Tensor, gain: float = math.sqrt(2), *, generator: torch.Generator | None = None) -> Tensor:
    """U(-a, a), a = gain sqrt(3 / fan_in). Source: He et al. 2015, arXiv:1502.01852."""
    bound = gain * math.sqrt(3 / fans(weight)[0])
    return weight.uniform_(-bound, bound, generator=generator)


def he_normal_(weight: Tensor, gain: float = math.sqrt(2), *, generator: torch.Generator | None = None) -> Tensor:
    """N(0, gain^2 / fan_in). Source: He et al. 2015, arXiv:1502.01852."""
    return normal_(weight, gain / math.sqrt(fans(weight)[0]), generator=generator)


@torch.no_grad()
def orthogonal_(weight: Tensor, gain: float = 1.0, *, generator: torch.Generator | None = None) -> Tensor:
    """A random (semi-)orthogonal matrix Q, Q^T Q = gain^2 I: it keeps the length of what passes through.

    The weight counts as a matrix (channels out, all the rest). Q is the factor of a normal matrix A = Q R, with its
    signs chosen so that R's diagonal is positive: only so is Q uniform among orthogonal matrices.
    Source: Saxe et al. 2013, arXiv:1312.6120.
    """
    fans(weight)
    rows, columns = weight.shape[0], weight.shape[1:].numel()
    shape = (max(rows, columns), min(rows, columns))
    tall = torch.empty(shape, device=generator.device if generator else weight.device).normal_(generator=generator)
    tall = tall.to(torch.promote_types(weight.dtype, tall.dtype))  # as exact as the weight can hold
    q, r = torch.linalg.qr(tall)
    q *= r.diagonal().sign()
    return weight.copy_(gain * (q if rows >= columns else q.T).reshape(weight.shape))


@torch.no_grad()
def fan_in_uniform_(weight: Tensor, bias: Tensor | None, *, generator: torch.Generator | None = None) -> None:
    """Weight and bias in U(-1/sqrt(fan_in), 1/sqrt(fan_in)): where every layer begins, here as in torch."""
    bound = 1 / math.sqrt(fans(weight)[0])
    weight.uniform_(-bound, bound, generator=generator)
    if bias is not None:
        bias.uniform_(-bound, bound, generator=generator)


def dcgan_(module: nn.Module, std: float = 0.02, *, generator: torch.Generator | None = None) -> None:
    """The first weights of a DCGAN: dense and convolution N(0, std^2), batch-norm scale N(1, std^2), biases 0.

    Source: Radford et al. 2015, arXiv:1511.06434.
    """
    for parameter in module.parameters():
        if parameter.dim() >= 2:
            normal_(parameter, std, generator=generator)
    for name, parameter in module.named_parameters():
        if parameter.dim() == 1 and name.endswith("weight"):
            normal_(parameter, std, mean=1.0, generator=generator)
        elif name.endswith("bias"):
            zeros_(parameter)
