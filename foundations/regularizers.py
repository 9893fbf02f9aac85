"""Regularisation of the weights: penalties on the loss, the proximal step of L1, decoupled decay, bounded norms.

Biases and the scales and shifts of normalisation are left alone: they add little to a function's complexity, and
shrinking them can make it fit too little (Goodfellow et al. 2016, Deep Learning, section 7.1).
"""

import math
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor, nn

from foundations import normalization
from foundations.errors import require

Penalty = Callable[[nn.Module], Tensor]
"""From a network to a scalar that is added to its loss."""

NORMALISATIONS = (
    normalization.__name__,
    *(f"torch.nn.modules.{room}" for room in ("batchnorm", "instancenorm", "normalization")),
)
"""The modules of Python in which layers that normalise are defined."""


def weights_to_penalize(network: nn.Module) -> list[Tensor]:
    """The weights that make a network complex: of two dimensions or more, in no normalisation, no biases, not frozen.

    A weight that several layers share comes once.
    """
    found: dict[int, Tensor] = {}
    for module in network.modules():
        if type(module).__module__ not in NORMALISATIONS:
            for name, parameter in module.named_parameters(recurse=False):
                if parameter.dim() >= 2 and parameter.requires_grad and "bias" not in name:
                    found[id(parameter)] = parameter
    return list(found.values())


def zero_share(network: nn.Module) -> float:
    """The share of `weights_to_penalize` that are exactly 0. Raises: InputError for a network without such weights."""
    weights = weights_to_penalize(network)
    count = sum(weight.numel() for weight in weights)
    require(count > 0, "network", type(network).__name__, "one with weights of two dimensions or more")
    return sum(int((weight == 0).sum()) for weight in weights) / count


def l1_penalty(strength: float) -> Penalty:
    """Omega = strength sum |w|: pulls every weight to 0 with the same force, so that many end near it.

    By gradient steps they jitter about 0 and never stay there: `soft_threshold_` makes them exactly 0.
    Raises: InputError unless strength is at least 0, and, when called, for a network without weights.
    Source: Tibshirani 1996, JRSS B 58.
    """
    return elastic_net_penalty(strength, l1_share=1.0)


def l2_penalty(strength: float) -> Penalty:
    """Omega = strength / 2 sum w^2: its gradient is strength w, so large weights are pulled harder, and none to 0.

    Under plain SGD it is the same as weight decay; under Adam it is not: see `decay_groups`.
    Raises: InputError unless strength is at least 0, and, when called, for a network without weights.
    Source: Hoerl & Kennard 1970, Technometrics 12.
    """
    return elastic_net_penalty(strength, l1_share=0.0)


def elastic_net_penalty(strength: float, l1_share: float = 0.5) -> Penalty:
    """Omega = strength (l1_share sum |w| + (1 - l1_share) / 2 sum w^2), summed over `weights_to_penalize`.

    Raises: InputError unless strength >= 0 and 0 <= l1_share <= 1, and, when called, for a network without weights.
    Source: Zou & Hastie 2005, JRSS B 67, with scikit-learn's names: strength is alpha, l1_share is l1_ratio.
    """
    _require_strength("strength", strength)
    require(0 <= l1_share <= 1, "l1_share", l1_share, "between 0 and 1")

    def penalty(network: nn.Module) -> Tensor:
        weights = weights_to_penalize(network)
        require(len(weights) > 0, "network", type(network).__name__, "one with weights of two dimensions or more")
        total = torch.zeros((), device=weights[0].device, dtype=weights[0].dtype)
        for w in weights:
            if l1_share > 0:
                total = total + strength * l1_share * w.abs().sum()
            if l1_share < 1:
                total = total + strength * (1 - l1_share) / 2 * w.square().sum()
        return total

    return penalty


@torch.no_grad()
def soft_threshold_(weights: Iterable[Tensor], threshold: float) -> None:
    """Shrink in place, w <- sign(w) max(|w| - threshold, 0): what lies within the threshold becomes exactly 0.

    It is the proximal step of L1: after a gradient step of size lr on the loss alone, threshold = lr strength gives
    the minimum that `l1_penalty(strength)` only comes near.
    Raises: InputError unless threshold is at least 0.
    Source: Daubechies et al. 2004, arXiv:math/0307152; Parikh & Boyd 2014, section 6.5.2.
    """
    _require_strength("threshold", threshold)
    for w in weights:
        w.copy_(w.sign() * (w.abs() - threshold).clamp_(min=0))


@torch.no_grad()
def max_norm_(weights: Iterable[Tensor], largest: float) -> None:
    """Bound in place, w_j <- w_j min(1, largest / |w_j|), w_j all weights into unit (or channel) j.

    Shapes: each (units, ...), of two dimensions or more. Raises: InputError for vectors, and unless largest is above 0.
    Source: Srivastava et al. 2014, JMLR 15, section 5.1.
    """
    require(0 < largest < math.inf, "largest", largest, "above 0 and finite")
    for w in weights:
        require(w.dim() >= 2, "weight shape", tuple(w.shape), "(units, ...), of two dimensions or more")
        norms = w.flatten(start_dim=1).norm(dim=1)
        w.mul_((largest / norms).clamp_(max=1).view(-1, *[1] * (w.dim() - 1)))


def decay_groups(network: nn.Module, weight_decay: float) -> list[dict[str, Any]]:
    """Two groups for an optimizer with decoupled decay, such as AdamW: theta <- theta - lr weight_decay theta - ...

    The first group holds `weights_to_penalize` with this `weight_decay`, the second all other parameters with 0.
    Raises: InputError unless weight_decay is at least 0.
    Source: Loshchilov & Hutter 2017, arXiv:1711.05101.
    """
    _require_strength("weight_decay", weight_decay)
    decayed = weights_to_penalize(network)
    chosen = {id(weight) for weight in decayed}
    others = [parameter for parameter in network.parameters() if id(parameter) not in chosen]
    return [{"params": decayed, "weight_decay": weight_decay}, {"params": others, "weight_decay": 0.0}]


def _require_strength(name: str, value: float) -> None:
    require(0 <= value < math.inf, name, value, "at least 0 and finite")
