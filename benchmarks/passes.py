"""What the pairs of several benchmarks do at each step: a pass forward and back, or an update of weights."""

from collections.abc import Callable

import torch
from torch import Tensor


def forward_and_backward(forward: Callable[[Tensor], Tensor], x: Tensor) -> Callable[[], None]:
    """One pass of `forward` in training, with gradients of its input and its weights."""
    leaf = x.clone().requires_grad_()
    with torch.no_grad():
        slopes = torch.randn_like(forward(leaf))
    return lambda: forward(leaf).backward(slopes)


def training_step(optimizer: torch.optim.Optimizer, loss: Callable[[], Tensor]) -> Callable[[], None]:
    """One update by the gradient of `loss`."""

    def step() -> None:
        optimizer.zero_grad()
        loss().backward()
        optimizer.step()

    return step
