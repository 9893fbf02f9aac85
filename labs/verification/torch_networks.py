"""The architectures put together from torch.nn alone, at an eighth of their width: references for our own.

Each lists its weights in the order of its twin.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

GOOGLENET = (
    (64, 96, 128, 16, 32, 32),
    (128, 128, 192, 32, 96, 64),
    (192, 96, 208, 16, 48, 64),
    (160, 112, 224, 24, 64, 64),
    (128, 128, 256, 24, 64, 64),
    (112, 144, 288, 32, 64, 64),
    (256, 160, 320, 32, 128, 128),
    (256, 160, 320, 32, 128, 128),
    (384, 192, 384, 48, 128, 128),
)
"""Channels of the nine blocks (Szegedy et al. 2014, arXiv:1409.4842, table 1)."""


class ResidualOfTorch(nn.Module):
    """S(x) + F(x), and ReLU behind where `rectified`."""

    def __init__(self, branch: nn.Module, shortcut: nn.Module | None = None, *, rectified: bool = False) -> None:
        super().__init__()
        self.branch, self.shortcut, self.rectified = branch, shortcut, rectified

    def forward(self, x: Tensor) -> Tensor:
        """Shapes: those of the shortcut."""
        y: Tensor = self.branch(x) + (self.shortcut(x) if self.shortcut else x)
        return F.relu(y) if self.rectified else y


class InceptionOfTorch(nn.Module):
    """Four paths side by side."""

    def __init__(self, into: int, sizes: Sequence[int], variant: str = "batch_norm") -> None:
        super().__init__()
        normed = variant == "batch_norm"
        one, before_three, three, before_large, large, pooled = sizes
        self.one = _conv(into, one, 1, normed)
        self.three = nn.Sequential(_conv(into, before_three, 1, normed), _conv(before_three, three, 3, normed))
        size = 3 if normed else 5
        self.large = nn.Sequential(_conv(into, before_large, 1, normed), _conv(before_large, large, size, normed))
        self.pooled = nn.Sequential(nn.MaxPool2d(3, 1, 1), _conv(into, pooled, 1, normed))

    def forward(self, x: Tensor) -> Tensor:
        """Shapes: (batch, in channels, height, width) -> (batch, channels of all paths, height, width)."""
        return torch.cat([self.one(x), self.three(x), self.large(x), self.pooled(x)], 1)


class _SkippingShortcut(nn.Module):
    """Every second pixel, as many channels of 0 again."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([x[:, :, ::2, ::2], torch.zeros_like(x[:, :, ::2, ::2])], 1)


def lenet(*, original: bool = False) -> nn.Module:
    """LeNet-5, activation before pooling as in print."""
    squash = nn.Tanh if original else nn.ReLU
    pool = nn.AvgPool2d if original else nn.MaxPool2d
    return nn.Sequential(
        *(nn.Conv2d(1, 6, 5, padding=2), squash(), pool(2), nn.Conv2d(6, 16, 5), squash(), pool(2), nn.Flatten()),
        *(nn.Linear(400, 120), squash(), nn.Linear(120, 84), squash(), nn.Linear(84, 10)),
    )


def alexnet(classes: int, variant: str) -> nn.Module:
    """AlexNet at an eighth of its width, for images of 64x64, without dropout."""
    c1, c2, c3, c4, c5 = (8, 24, 48, 32, 32) if variant == "one_gpu" else (12, 32, 48, 48, 32)
    groups = 2 if variant == "two_path" else 1

    def normalised() -> list[nn.Module]:
        return [] if variant == "one_gpu" else [nn.LocalResponseNorm(5, alpha=5e-4, beta=0.75, k=2)]

    return nn.Sequential(
        *(nn.Conv2d(3, c1, 11, 4, 2), nn.ReLU(), *normalised(), nn.MaxPool2d(3, 2)),
        *(nn.Conv2d(c1, c2, 5, 1, 2, groups=groups), nn.ReLU(), *normalised(), nn.MaxPool2d(3, 2)),
        *(nn.Conv2d(c2, c3, 3, 1, 1), nn.ReLU()),
        *(nn.Conv2d(c3, c4, 3, 1, 1, groups=groups), nn.ReLU()),
        *(nn.Conv2d(c4, c5, 3, 1, 1, groups=groups), nn.ReLU(), nn.MaxPool2d(3, 2), nn.Flatten()),
        *(nn.Linear(c5, 512), nn.ReLU(), nn.Linear(512, 512), nn.ReLU(), nn.Linear(512, classes)),
    )


def googlenet(classes: int) -> nn.Module:
    """GoogLeNet at an eighth of its width, for grey images of 28x28, without dropout."""
    blocks: list[nn.Module] = []
    into = 24
    for index, sizes in enumerate(GOOGLENET):
        narrow = [size // 8 for size in sizes]
        blocks.append(InceptionOfTorch(into, narrow))
        into = narrow[0] + narrow[2] + narrow[4] + narrow[5]
        if index in (1, 6):
            blocks.append(nn.MaxPool2d(3, 2, ceil_mode=True))
    return nn.Sequential(
        *(_conv(1, 8, 3, True), _conv(8, 8, 1, True), _conv(8, 24, 3, True), *blocks),
        *(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(into, classes)),
    )


def resnet(blocks: Sequence[int], classes: int, *, bottleneck: bool = False) -> nn.Module:
    """ResNet at an eighth of its width, for images of 64 pixels a side or more."""
    layers: list[nn.Module] = [
        nn.Conv2d(3, 8, 7, 2, 3, bias=False),
        nn.BatchNorm2d(8),
        nn.ReLU(),
        nn.MaxPool2d(3, 2, 1),
    ]
    into = 8
    for stage, count in enumerate(blocks):
        narrow = 8 * 2**stage
        out = 4 * narrow if bottleneck else narrow
        for index in range(count):
            stride = 2 if stage and not index else 1
            branch = _bottleneck(into, narrow, out, stride) if bottleneck else _basic(into, out, stride)
            changes = stride > 1 or into != out
            shortcut = (
                nn.Sequential(nn.Conv2d(into, out, 1, stride, bias=False), nn.BatchNorm2d(out)) if changes else None
            )
            layers.append(ResidualOfTorch(branch, shortcut, rectified=True))
            into = out
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(into, classes))


def cifar_resnet(depth: int, *, residual: bool = True) -> nn.Module:
    """The residual network for small images, its shortcuts without weights; or the plain one."""
    layers: list[nn.Module] = [nn.Conv2d(3, 16, 3, 1, 1, bias=False), nn.BatchNorm2d(16), nn.ReLU()]
    into = 16
    for out in (16, 32, 64):
        for _ in range((depth - 2) // 6):
            branch = _basic(into, out, out // into)
            shortcut = _SkippingShortcut() if out > into else None
            layers += [ResidualOfTorch(branch, shortcut, rectified=True)] if residual else [branch, nn.ReLU()]
            into = out
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 10))


def _conv(into: int, out: int, size: int, normed: bool) -> nn.Module:
    conv = nn.Conv2d(into, out, size, padding=size // 2, bias=not normed)
    return nn.Sequential(conv, *([nn.BatchNorm2d(out)] if normed else []), nn.ReLU())


def _basic(into: int, out: int, stride: int) -> nn.Module:
    return nn.Sequential(
        *(nn.Conv2d(into, out, 3, stride, 1, bias=False), nn.BatchNorm2d(out), nn.ReLU()),
        *(nn.Conv2d(out, out, 3, 1, 1, bias=False), nn.BatchNorm2d(out)),
    )


def _bottleneck(into: int, narrow: int, out: int, stride: int) -> nn.Module:
    return nn.Sequential(
        *(nn.Conv2d(into, narrow, 1, bias=False), nn.BatchNorm2d(narrow), nn.ReLU()),
        *(nn.Conv2d(narrow, narrow, 3, stride, 1, bias=False), nn.BatchNorm2d(narrow), nn.ReLU()),
        *(nn.Conv2d(narrow, out, 1, bias=False), nn.BatchNorm2d(out)),
    )
