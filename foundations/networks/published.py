"""The networks that made history, at full size: their number of weights as published, and as counted here."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import torch
from torch import nn

from foundations.inspection import Summary, summary
from foundations.networks.alexnet import AlexNet
from foundations.networks.inception import GoogLeNet
from foundations.networks.lenet import LeNet5
from foundations.networks.resnet import CifarResNet, resnet18, resnet34, resnet50

DIGIT, SMALL, PHOTOGRAPH = (1, 28, 28), (3, 32, 32), (3, 224, 224)


@dataclass(frozen=True)
class Published:
    """A network as it was published: `weights` to the nearest `rounded`, images of `shape` (channels, height, width).

    Sources: LeCun et al. 1998, Proc. IEEE 86(11); Krizhevsky et al. 2012, NeurIPS (the counts are those of its layers,
    of torchvision for one GPU); Szegedy et al. 2014, arXiv:1409.4842 (with batch norm, as in torchvision, without the
    auxiliary classifiers); He et al. 2015, arXiv:1512.03385 (torchvision's counts; table 6 for CIFAR).
    """

    name: str
    weights: int
    build: Callable[[], nn.Module]
    shape: tuple[int, int, int]
    rounded: int = 1

    def count(self) -> Summary:
        """The network's layers, weights and multiply-adds, counted without memory for the weights."""
        with torch.device("meta"):
            return summary(self.build(), torch.zeros(1, *self.shape))


PUBLISHED = (
    Published("LeNet-5", 61_706, LeNet5, DIGIT),
    Published("AlexNet, two paths", 60_965_224, AlexNet, PHOTOGRAPH),
    Published("AlexNet, merged", 62_378_344, partial(AlexNet, variant="merged"), PHOTOGRAPH),
    Published("AlexNet, one graphics card", 61_100_840, partial(AlexNet, variant="one_gpu"), PHOTOGRAPH),
    Published("GoogLeNet with batch norm", 6_624_904, GoogLeNet, PHOTOGRAPH),
    Published("ResNet-18", 11_689_512, resnet18, PHOTOGRAPH),
    Published("ResNet-34", 21_797_672, resnet34, PHOTOGRAPH),
    Published("ResNet-50", 25_557_032, resnet50, PHOTOGRAPH),
    Published("CIFAR ResNet-20", 270_000, partial(CifarResNet, 20), SMALL, 10_000),
    Published("CIFAR ResNet-32", 460_000, partial(CifarResNet, 32), SMALL, 10_000),
    Published("CIFAR ResNet-56", 850_000, partial(CifarResNet, 56), SMALL, 10_000),
)
