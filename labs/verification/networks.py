"""Whole networks, narrow and on small images, against the same ones put together from torch.nn; published counts."""

from collections.abc import Callable
from functools import partial
from typing import Any, get_args

import torch
from torch import nn

import foundations
from foundations import networks
from foundations.networks.alexnet import Variant as AlexNetVariant
from foundations.networks.inception import Variant as InceptionVariant
from labs.verification.torch_networks import (
    InceptionOfTorch,
    ResidualOfTorch,
    alexnet,
    cifar_resnet,
    googlenet,
    lenet,
    resnet,
)
from labs.verification.twin import Count, Twin, generator, modules, normal

EIGHTH = 1 / 8


def network_twins() -> list[Twin]:
    """Value and gradient of each architecture; dropout is off, since no two draw the same masks."""
    narrow: dict[str, Any] = {"width": EIGHTH, "classes": 7}
    deep = (3, 4, 6, 3)
    digits, photographs, small = (2, 1, 28, 28), (2, 3, 64, 64), (2, 3, 16, 16)
    google = partial(foundations.GoogLeNet, channels=1, image_side=28, dropout=0.0, **narrow)
    return [
        *_mlp_twins(),
        _twin("LeNet5", foundations.LeNet5, lenet, digits),
        _twin(
            "LeNet5, original", partial(foundations.LeNet5, variant="original"), partial(lenet, original=True), digits
        ),
        *(_alexnet(variant) for variant in get_args(AlexNetVariant)),
        *(_inception(variant) for variant in get_args(InceptionVariant)),
        _twin("GoogLeNet", google, partial(googlenet, 7), digits),
        _twin("resnet18", partial(networks.resnet18, **narrow), partial(resnet, (2, 2, 2, 2), 7), photographs),
        _twin("resnet34", partial(networks.resnet34, **narrow), partial(resnet, deep, 7), photographs),
        _twin("resnet50", partial(networks.resnet50, **narrow), partial(resnet, deep, 7, bottleneck=True), photographs),
        _twin("CifarResNet", partial(foundations.CifarResNet, 14), partial(cifar_resnet, 14), small),
        _twin(
            "CifarResNet, plain",
            partial(foundations.CifarResNet, 14, residual=False),
            partial(cifar_resnet, 14, residual=False),
            small,
        ),
    ]


def _mlp_twins() -> list[Twin]:
    rows = (8, 12)
    return [
        _twin("MLP", _mlp, partial(_dense, nn.ReLU), rows),
        _twin("MLP, tanh", partial(_mlp, "tanh"), partial(_dense, nn.Tanh), rows),
        _twin("MLP, batch norm", partial(_mlp, norm="batch"), partial(_dense, nn.ReLU, nn.BatchNorm1d), rows),
        _twin("MLP, layer norm", partial(_mlp, "gelu", norm="layer"), partial(_dense, nn.GELU, nn.LayerNorm), rows),
        _twin("MLP, residual", partial(_mlp, residual=True), partial(_dense, nn.ReLU, residual=True), rows),
    ]


def counts() -> list[Count]:
    """Weights, at full width, beside the published numbers."""
    torchvision = "torchvision's model page"
    cifar = "He et al. 2015, arXiv:1512.03385, table 6"
    net = foundations
    return [
        _count("LeNet5", "the layers of LeCun et al. 1998, all maps joined", 61_706, net.LeNet5),
        _count("AlexNet, two_path", "the layers of Krizhevsky et al. 2012", 60_965_224, net.AlexNet),
        _count("AlexNet, merged", "the same without groups", 62_378_344, lambda: net.AlexNet(variant="merged")),
        _count("AlexNet, one_gpu", torchvision, 61_100_840, lambda: net.AlexNet(variant="one_gpu")),
        _count("GoogLeNet", f"{torchvision}, without auxiliary heads", 6_624_904, net.GoogLeNet),
        _count("resnet18", torchvision, 11_689_512, networks.resnet18),
        _count("resnet34", torchvision, 21_797_672, networks.resnet34),
        _count("resnet50", torchvision, 25_557_032, networks.resnet50),
        _count("CifarResNet, depth 20", cifar, 270_000, lambda: net.CifarResNet(20), unit=10_000),
        _count("CifarResNet, depth 32", cifar, 460_000, lambda: net.CifarResNet(32), unit=10_000),
        _count("CifarResNet, depth 56", cifar, 850_000, lambda: net.CifarResNet(56), unit=10_000),
    ]


def _twin(name: str, own: Callable[[], nn.Module], reference: Callable[[], nn.Module], shape: tuple[int, ...]) -> Twin:
    return Twin(name, "networks", "the same layers of torch.nn", modules(own, reference, lambda: normal(*shape)))


def _count(name: str, source: str, published: int, network: Callable[[], nn.Module], *, unit: int = 1) -> Count:
    def own() -> int:
        with torch.device("meta"):  # shapes alone: nothing is drawn, nothing takes memory
            return foundations.count_parameters(network())

    return Count(name, "networks", source, published, own, unit)


def _mlp(activation: str = "relu", **options: Any) -> nn.Module:
    return foundations.MLP((12, 9, 9, 4), activation, generator=generator(), **options)


def _dense(
    activation: type[nn.Module], norm: Callable[[int], nn.Module] | None = None, *, residual: bool = False
) -> nn.Module:
    hidden = [nn.Sequential(nn.Linear(into, 9), *([norm(9)] if norm else []), activation()) for into in (12, 9)]
    return nn.Sequential(hidden[0], ResidualOfTorch(hidden[1]) if residual else hidden[1], nn.Linear(9, 4))


def _alexnet(variant: AlexNetVariant) -> Twin:
    own = partial(foundations.AlexNet, 7, variant=variant, width=EIGHTH, image_side=64, dropout=0.0)
    return _twin(f"AlexNet, {variant}", own, partial(alexnet, 7, variant), (2, 3, 64, 64))


def _inception(variant: InceptionVariant) -> Twin:
    sizes = (4, 3, 6, 2, 5, 3)
    own = partial(foundations.Inception, 6, sizes, variant=variant)
    return _twin(f"Inception, {variant}", own, partial(InceptionOfTorch, 6, sizes, variant), (2, 6, 8, 8))
