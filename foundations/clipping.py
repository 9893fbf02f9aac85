"""Gradient clipping: bounds on the gradient, so that one steep batch cannot throw the weights far off."""

import math
from collections.abc import Iterable

import torch
from torch import Tensor

from foundations.errors import require


@torch.no_grad()
def clip_gradient_norm(parameters: Tensor | Iterable[Tensor], max_norm: float, norm_type: float = 2.0) -> Tensor:
    """Shrink all gradients together, direction kept, so that their norm as one vector is at most `max_norm`.

        norm = (sum_i |g_i|^p)^(1/p),  p = norm_type, inf for the largest element
        g *= min(1, max_norm / (norm + 1e-6))

    Returns the norm before, shape (), on the gradients' one device: nothing waits for it. A NaN makes all of them NaN.
    Raises: InputError unless max_norm >= 0 and norm_type > 0.
    Source: Pascanu, Mikolov & Bengio 2012, arXiv:1211.5063.
    """
    require(max_norm >= 0, "max_norm", max_norm, "a number >= 0")
    require(norm_type > 0, "norm_type", norm_type, "above 0, for example 2 or inf")
    gradients = _gradients(parameters)
    if not gradients:
        return torch.zeros(())
    total: Tensor = torch.linalg.vector_norm(torch.stack(torch._foreach_norm(gradients, norm_type)), norm_type)
    shrink = (max_norm / (total + 1e-6)).clamp(max=1.0)
    torch._foreach_mul_(gradients, shrink)
    return total


@torch.no_grad()
def clip_gradient_value(parameters: Tensor | Iterable[Tensor], max_value: float) -> None:
    """Cut every element of the gradients to [-max_value, max_value]; the direction may change.

    Raises: InputError unless max_value >= 0.
    """
    require(0 <= max_value < math.inf, "max_value", max_value, "a finite number >= 0")
    gradients = _gradients(parameters)
    if gradients:
        torch._foreach_clamp_min_(gradients, -max_value)
        torch._foreach_clamp_max_(gradients, max_value)


def _gradients(parameters: Tensor | Iterable[Tensor]) -> list[Tensor]:
    several = [parameters] if isinstance(parameters, Tensor) else parameters
    return [each.grad for each in several if each.grad is not None]
