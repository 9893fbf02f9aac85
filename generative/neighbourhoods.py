"""Precision and recall of made images: how many of them look real, and how much of what is real they cover.

One figure such as the Frechet distance cannot tell blurred images of every kind from sharp ones of a single kind; these
two can: blur costs precision, missing kinds cost recall.
"""

import torch
from torch import Tensor

from foundations.errors import require

NEIGHBOURS = 3
"""k: a point's neighbourhood reaches to its k-th nearest neighbour in its own set."""
FEWEST = 100
"""With fewer samples a set the neighbourhoods are so wide that they cover nearly everything."""


def precision_recall(real: Tensor, made: Tensor, *, k: int = NEIGHBOURS, batch_size: int = 500) -> tuple[float, float]:
    """(precision, recall): the share of `made` within the neighbourhood of a real one, and the other way round.

    x lies within set S where |x - s| <= r(s) for some s in S, r(s) being the distance from s to its k-th nearest
    neighbour in S. Both figures are from 0 to 1 and grow with k and as the sets shrink: compare only where k and both
    numbers of samples are alike, and beside those of a second real set, which stay below 1 too.
    The order of samples is all one. 10,000 of each take about a second.
    Shapes: real (n, features), made (m, features).
    Raises: InputError unless 1 <= k < 100 samples or more a set, and for features of another width.
    Source: Kynkaanniemi et al. 2019, arXiv:1904.06991.
    """
    for name, features in (("real", real), ("made", made)):
        shape, wanted = tuple(features.shape), f"(n, {real.shape[-1]}), one row a sample"
        require(len(shape) == 2 and shape[1] == real.shape[-1], f"{name} shape", shape, wanted)
        require(shape[0] >= FEWEST, f"{name} samples", shape[0], f"at least {FEWEST}")
    require(1 <= k < FEWEST, "k", k, f"from 1 to {FEWEST - 1} neighbours")
    centre = real.mean(dim=0)  # distances stay; squares become small, and so does their rounding
    real, made = (real - centre).float(), (made - centre).float()
    real_reach, made_reach = (squared_reach(features, k, batch_size) for features in (real, made))
    looks_real, covered = [], torch.zeros(len(real), dtype=torch.bool, device=real.device)
    for part, reach in zip(made.split(batch_size), made_reach.split(batch_size), strict=True):
        distances = _squared_distances(part, real)
        looks_real.append((distances <= real_reach).any(dim=1))
        covered |= (distances <= reach.unsqueeze(1)).any(dim=0)
    return float(torch.cat(looks_real).double().mean()), float(covered.double().mean())


def squared_reach(features: Tensor, k: int, batch_size: int = 500) -> Tensor:
    """The squared distance from each of `features` (n, features) to its k-th nearest neighbour among the others: (n).

    Source: Kynkaanniemi et al. 2019, arXiv:1904.06991.
    """
    # The nearest of all is the sample itself.
    parts = [_squared_distances(part, features).topk(k + 1, largest=False) for part in features.split(batch_size)]
    return torch.cat([nearest.values[:, k] for nearest in parts])


def _squared_distances(one: Tensor, other: Tensor) -> Tensor:
    """|a - b|^2 = |a|^2 + |b|^2 - 2 a b for each pair: (n, features), (m, features) -> (n, m)."""
    squares = one.square().sum(dim=1, keepdim=True) + other.square().sum(dim=1)
    return torch.addmm(squares, one, other.T, alpha=-2).clamp_(min=0)
