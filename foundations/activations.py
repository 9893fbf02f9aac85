"""Activations: each as a function, its derivative, and a layer that runs torch's kernel unless asked for the equation.

z is any tensor; values and derivatives have its shape, except softmax's derivative, which is one matrix for each row.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from foundations.layers import Body, TwoBodies

# --- the functions ----------------------------------------------------------------------------------------------------


def identity(z: Tensor) -> Tensor:
    """f(z) = z, the head of a regression."""
    return z


def sigmoid(z: Tensor) -> Tensor:
    """sigma(z) = 1 / (1 + e^-z), in (0, 1)."""
    # For z < 0 the same as e^z / (1 + e^z): the exponential never overflows, nor does its gradient.
    decay = torch.exp(torch.where(z >= 0, -z, z))
    return torch.where(z >= 0, 1, decay) / (1 + decay)


def tanh(z: Tensor) -> Tensor:
    """Hyperbolic tangent: (e^z - e^-z) / (e^z + e^-z) = 2 sigma(2z) - 1, in (-1, 1)."""
    return 2 * sigmoid(2 * z) - 1


def relu(z: Tensor) -> Tensor:
    """f(z) = max(0, z)."""
    return torch.where(z <= 0, 0, z)  # this way round NaN stays NaN, and is found


def leaky_relu(z: Tensor, negative_slope: float = 0.01) -> Tensor:
    """f(z) = z above 0, negative_slope z below. Source: Maas et al. 2013."""
    return torch.where(z > 0, z, negative_slope * z)


def elu(z: Tensor, alpha: float = 1.0) -> Tensor:
    """f(z) = z above 0, alpha (e^z - 1) below. Source: Clevert et al. 2015, arXiv:1511.07289."""
    below = alpha * torch.expm1(torch.where(z > 0, 0, z))  # expm1(large z) is infinite: its gradient would be NaN
    return torch.where(z > 0, z, below)


def gelu(z: Tensor) -> Tensor:
    """f(z) = z Phi(z), Phi the normal distribution function. Source: Hendrycks & Gimpel 2016, arXiv:1606.08415."""
    return z * normal_cdf(z)


def silu(z: Tensor) -> Tensor:
    """f(z) = z sigma(z), also called swish. Source: Ramachandran et al. 2017, arXiv:1710.05941."""
    return z * sigmoid(z)


def softmax(z: Tensor, dim: int = -1) -> Tensor:
    """p_i = e^z_i / sum_j e^z_j along `dim`: class probabilities, so the head of a classifier, not a hidden layer."""
    powers = torch.exp(z - z.amax(dim, keepdim=True).detach())  # the largest becomes e^0: no overflow, same ratio
    return powers / powers.sum(dim, keepdim=True)


def normal_cdf(z: Tensor) -> Tensor:
    """Phi(z) = (1 + erf(z / sqrt 2)) / 2."""
    return (1 + torch.erf(z / math.sqrt(2))) / 2


# --- their derivatives ------------------------------------------------------------------------------------------------


def identity_derivative(z: Tensor) -> Tensor:
    """f'(z) = 1."""
    return torch.ones_like(z)


def sigmoid_derivative(z: Tensor) -> Tensor:
    """f'(z) = sigma(z) (1 - sigma(z)), at most 1/4."""
    s = sigmoid(z)
    return s * (1 - s)


def tanh_derivative(z: Tensor) -> Tensor:
    """f'(z) = 1 - tanh(z)^2."""
    return 1 - tanh(z) ** 2


def relu_derivative(z: Tensor) -> Tensor:
    """f'(z) = 1 above 0, else 0 (at 0 too, by convention)."""
    return (z > 0).to(z.dtype)


def leaky_relu_derivative(z: Tensor, negative_slope: float = 0.01) -> Tensor:
    """f'(z) = 1 above 0, else negative_slope."""
    return torch.where(z > 0, torch.ones_like(z), negative_slope)


def elu_derivative(z: Tensor, alpha: float = 1.0) -> Tensor:
    """f'(z) = 1 above 0, else alpha e^z."""
    return torch.where(z > 0, torch.ones_like(z), alpha * torch.exp(z))


def gelu_derivative(z: Tensor) -> Tensor:
    """f'(z) = Phi(z) + z phi(z), phi(z) = e^(-z^2 / 2) / sqrt(2 pi)."""
    density = torch.exp(-(z**2) / 2) / math.sqrt(2 * math.pi)
    return normal_cdf(z) + z * density


def silu_derivative(z: Tensor) -> Tensor:
    """f'(z) = sigma(z) + z sigma'(z)."""
    return sigmoid(z) + z * sigmoid_derivative(z)


def softmax_derivative(z: Tensor) -> Tensor:
    """dp_i / dz_j = p_i (1[i = j] - p_j) along the last dimension: diag(p) - p p^T.

    Shapes: (..., classes) -> (..., classes, classes).
    """
    p = softmax(z)
    return torch.diag_embed(p) - p[..., :, None] * p[..., None, :]


# --- the layers -------------------------------------------------------------------------------------------------------


class Identity(nn.Module):
    """f(z) = z."""

    def forward(self, z: Tensor) -> Tensor:
        """Return z."""
        return identity(z)


class Sigmoid(TwoBodies):
    """sigma(z) = 1 / (1 + e^-z)."""

    def equations(self, z: Tensor) -> Tensor:
        """See `sigmoid`."""
        return sigmoid(z)

    def kernel(self, z: Tensor) -> Tensor:
        """Through torch."""
        return torch.sigmoid(z)


class Tanh(TwoBodies):
    """tanh(z) = 2 sigma(2z) - 1."""

    def equations(self, z: Tensor) -> Tensor:
        """See `tanh`."""
        return tanh(z)

    def kernel(self, z: Tensor) -> Tensor:
        """Through torch."""
        return torch.tanh(z)


class ReLU(TwoBodies):
    """f(z) = max(0, z)."""

    def equations(self, z: Tensor) -> Tensor:
        """See `relu`."""
        return relu(z)

    def kernel(self, z: Tensor) -> Tensor:
        """Through torch."""
        return torch.relu(z)


class LeakyReLU(TwoBodies):
    """f(z) = z above 0, negative_slope z below."""

    def __init__(self, negative_slope: float = 0.01, *, body: Body = "kernel") -> None:
        super().__init__(body)
        self.negative_slope = negative_slope

    def equations(self, z: Tensor) -> Tensor:
        """See `leaky_relu`."""
        return leaky_relu(z, self.negative_slope)

    def kernel(self, z: Tensor) -> Tensor:
        """Through torch."""
        return F.leaky_relu(z, self.negative_slope)

    def extra_repr(self) -> str:
        """The slope, for printing."""
        return f"negative_slope={self.negative_slope}"


class ELU(TwoBodies):
    """f(z) = z above 0, alpha (e^z - 1) below."""

    def __init__(self, alpha: float = 1.0, *, body: Body = "kernel") -> None:
        super().__init__(body)
        self.alpha = alpha

    def equations(self, z: Tensor) -> Tensor:
        """See `elu`."""
        return elu(z, self.alpha)

    def kernel(self, z: Tensor) -> Tensor:
        """Through torch."""
        return F.elu(z, self.alpha)


class GELU(TwoBodies):
    """f(z) = z Phi(z)."""

    def equations(self, z: Tensor) -> Tensor:
        """See `gelu`."""
        return gelu(z)

    def kernel(self, z: Tensor) -> Tensor:
        """Through torch."""
        return F.gelu(z)


class SiLU(TwoBodies):
    """f(z) = z sigma(z)."""

    def equations(self, z: Tensor) -> Tensor:
        """See `silu`."""
        return silu(z)

    def kernel(self, z: Tensor) -> Tensor:
        """Through torch."""
        return F.silu(z)


class Softmax(TwoBodies):
    """p_i = e^z_i / sum_j e^z_j along `dim`."""

    def __init__(self, dim: int = -1, *, body: Body = "kernel") -> None:
        super().__init__(body)
        self.dim = dim

    def equations(self, z: Tensor) -> Tensor:
        """See `softmax`."""
        return softmax(z, self.dim)

    def kernel(self, z: Tensor) -> Tensor:
        """Through torch."""
        return torch.softmax(z, self.dim)
