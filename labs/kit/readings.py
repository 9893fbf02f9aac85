"""From metrics, tensors among them, to plain numbers."""

from collections.abc import Sequence

import torch
from torch import Tensor

from foundations.learner import Metrics


def read(metrics: Sequence[Metrics]) -> list[dict[str, float]]:
    """The values of each of `metrics`, in one transfer where tensors are on another device than the CPU."""
    away = [value for each in metrics for value in each.values() if _is_away(value)]
    if not away:
        return [{name: float(value) for name, value in each.items()} for each in metrics]
    values = iter(_fetch(away))
    return [
        {name: next(values) if _is_away(value) else float(value) for name, value in each.items()} for each in metrics
    ]


def _is_away(value: float | Tensor) -> bool:
    return isinstance(value, Tensor) and value.device.type != "cpu"


def _fetch(tensors: Sequence[float | Tensor]) -> list[float]:
    stacked = [torch.as_tensor(tensor).detach() for tensor in tensors]
    exact = torch.float32 if stacked[0].device.type == "mps" else torch.float64  # MPS has no float64
    values: list[float] = torch.stack([tensor.to(exact) for tensor in stacked]).tolist()
    return values
