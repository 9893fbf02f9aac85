"""Transfer: what a network has learned for one task serves another, with a new head and parts of it frozen.

A network here has a `body`, an `nn.Sequential` of named layers, and a `head`, the dense layer behind it; those of
`networks` have. Its blocks are the layers of the body that learn anything, from the input to the head.
"""

from collections.abc import Sequence
from typing import Any, Self

import torch
from torch import Tensor, nn

from foundations.errors import InputError, require
from foundations.layers import Linear
from foundations.modes import evaluation_mode
from foundations.normalization import BatchNorm


class _Frozen:
    """Before a kind of batch norm: it stays in evaluation mode, and its running statistics stay as they are."""

    def train(self, mode: bool = True) -> Self:
        """Evaluation, whatever the network around it is put in."""
        return super().train(False)  # type: ignore[misc,no-any-return]

    def reset_running_stats(self) -> None:
        """Nothing is forgotten."""


class FrozenBatchNorm(_Frozen, BatchNorm):
    """A `BatchNorm` that is frozen."""


class FrozenBatchNorm1d(_Frozen, nn.BatchNorm1d):
    """Torch's, frozen."""


class FrozenBatchNorm2d(_Frozen, nn.BatchNorm2d):
    """Torch's, frozen."""


class FrozenBatchNorm3d(_Frozen, nn.BatchNorm3d):
    """Torch's, frozen."""


_FROZEN: dict[type, type] = {kind.__mro__[2]: kind for kind in _Frozen.__subclasses__()}
_THAWED: dict[type, type] = {frozen: thawed for thawed, frozen in _FROZEN.items()}


def freeze(module: nn.Module) -> None:
    """Nothing in `module` learns any more: weights get no gradient, batch norms keep their running statistics.

    Frozen batch norms stay in evaluation mode even after `network.train()`; a batch of the new task would else shift
    what every later layer sees. Dropout goes on as before. Layers stay where they are, and state_dicts as they were.
    """
    for parameter in module.parameters():
        parameter.requires_grad_(False)
        parameter.grad = None  # an optimizer that holds the weight would go on with the last one
    for layer in module.modules():
        if type(layer) in _FROZEN:
            layer.__class__ = _FROZEN[type(layer)]  # in place: whoever holds the layer holds the frozen one
            layer.eval()


def thaw(module: nn.Module) -> None:
    """All in `module` learns again; batch norms take the mode that the module itself is in."""
    _thaw(module, training=module.training)


def _thaw(module: nn.Module, *, training: bool) -> None:
    module.requires_grad_(True)
    for layer in module.modules():
        if type(layer) in _THAWED:
            layer.__class__ = _THAWED[type(layer)]
            layer.train(training)


def replace_head(network: nn.Module, classes: int, *, generator: torch.Generator | None = None) -> nn.Module:
    """Give `network` a new, untrained `head` of so many classes, of the old one's inputs, device and type; gives it.

    Its weights are drawn from `generator`. The old head must not be in an optimizer any more.
    Raises: InputError for classes below 1, and a network without a dense layer `head`.
    """
    require(classes >= 1, "classes", classes, "at least 1")
    old = _head(network)
    new = Linear(old.in_features, classes, bias=old.bias is not None, generator=generator)
    network.head = new.to(old.weight.device, old.weight.dtype).train(network.training)
    return new


def blocks(network: nn.Module) -> dict[str, nn.Module]:
    """The layers of the network's body that have weights, by name, from the input to the head.

    Raises: InputError for a network without `body` and `head`.
    """
    _head(network)
    body = getattr(network, "body", None)
    if not isinstance(body, nn.Sequential):
        raise InputError(f"network={type(network).__name__}: must have a `body`, an nn.Sequential of its layers")
    return {name: layer for name, layer in body.named_children() if next(layer.parameters(), None) is not None}


def thaw_last_blocks(network: nn.Module, count: int) -> None:
    """Freeze all but the head and the last `count` blocks, which learn: 0 is the head alone, `len(blocks)` the whole.

    The first layers hold what is common to many tasks, the last what belongs to one: with few labels thaw few.
    Raises: InputError unless 0 <= count <= len(blocks(network)), and as `blocks`.
    Source: Yosinski et al. 2014, arXiv:1411.1792.
    """
    parts = list(blocks(network).values())
    require(0 <= count <= len(parts), "count", count, f"between 0 and {len(parts)}, the blocks of the body")
    freeze(network)
    for block in (*parts[len(parts) - count :], _head(network)):
        _thaw(block, training=network.training)


def block_learning_rates(network: nn.Module, learning_rate: float, factor: float = 0.5) -> list[dict[str, Any]]:
    """Parameter groups for an optimizer: the head learns at `learning_rate`, block b of B at that * factor^(B - b + 1).

    So the first layers change least. A group is a block, under its `name`; the last is the head, with all weights that
    are in no block. Frozen weights are left out.
    Raises: InputError unless learning_rate > 0 and 0 < factor <= 1, where all is frozen, and as `blocks`.
    Source: Howard & Ruder 2018, arXiv:1801.06146, section 3.2 (there with the factor 1 / 2.6).
    """
    require(0 < learning_rate < float("inf"), "learning_rate", learning_rate, "a finite number above 0")
    require(0 < factor <= 1, "factor", factor, "above 0 and at most 1")
    parts = blocks(network)
    in_blocks = {id(parameter) for block in parts.values() for parameter in block.parameters()}
    members = {name: list(block.parameters()) for name, block in parts.items()}
    members["head"] = [parameter for parameter in network.parameters() if id(parameter) not in in_blocks]
    groups = []
    for above, (name, parameters) in enumerate(reversed(members.items())):
        learning = [parameter for parameter in parameters if parameter.requires_grad]
        if learning:
            groups.append({"params": learning, "lr": learning_rate * factor**above, "name": name})
    require(len(groups) > 0, "network", "all frozen", "thawed in part, so that something can learn")
    return groups[::-1]


def few_shot(labels: Tensor, shots: int, generator: torch.Generator) -> Tensor:
    """The places of `shots` samples of each class, drawn at random: the data of a k-shot task.

    Shapes: labels (n), class numbers from 0 -> (classes * shots), class by class, on the labels' device.
    Raises: InputError for shots below 1, and for a class that has fewer samples.
    """
    scarcest = int(labels.bincount().min())
    require(1 <= shots <= scarcest, "shots", shots, f"from 1 to {scarcest}, the samples of the rarest class")
    order = torch.randperm(len(labels), generator=generator)
    shuffled = labels.cpu()[order]
    chosen = [order[shuffled == label][:shots] for label in range(int(labels.max()) + 1)]
    return torch.cat(chosen).to(labels.device)


@torch.no_grad()
def block_features(network: nn.Module, x: Tensor) -> dict[str, Tensor]:
    """What the body makes of x: "input" is x itself, then the features behind each block (pooling included), by name.

    The network passes in evaluation mode and is as before afterwards.
    Shapes: x (n, *) -> (n, features) each, as rows. Raises: InputError as `blocks`.
    """
    starts = blocks(network)
    features, behind = {}, "input"
    with evaluation_mode(network):
        for name, layer in network.body.named_children():  # type: ignore[union-attr]
            if name in starts:
                features[behind], behind = x.flatten(1), name
            x = layer(x)
    return features | {behind: x.flatten(1)}


def nearest_neighbour_accuracy(features: Tensor, labels: Tensor) -> float:
    """The share of samples whose nearest other sample (Euclidean distance) is of their class.

    So 1-nearest-neighbour classification, each sample left out in turn: it needs no training, and says how well the
    features tell the classes apart. The distances are a matrix (n, n): take a few thousand samples at most.
    Shapes: features (n, *), labels (n). Raises: InputError for other shapes and fewer than two samples.
    Source: Cover & Hart 1967, IEEE Transactions on Information Theory 13(1).
    """
    require(len(features) >= 2, "features", len(features), "at least 2 samples")
    require(labels.shape == features.shape[:1], "labels shape", tuple(labels.shape), f"({len(features)},)")
    rows = features.flatten(1)
    distances = torch.cdist(rows, rows).fill_diagonal_(torch.inf)
    return (labels[distances.argmin(dim=1)] == labels).float().mean().item()


def nearest_neighbour_by_block(network: nn.Module, x: Tensor, labels: Tensor) -> dict[str, float]:
    """`nearest_neighbour_accuracy` of the "input" x itself and of the features behind each block, by name.

    How general a body is: its features tell classes apart that it never saw, or no better than untrained ones do.
    Shapes: x (n, *), labels (n). Raises: InputError as `block_features` and `nearest_neighbour_accuracy`.
    """
    return {name: nearest_neighbour_accuracy(each, labels) for name, each in block_features(network, x).items()}


@torch.no_grad()
def block_changes(before: nn.Module, after: nn.Module) -> dict[str, float]:
    """How far each block of the body went in training: |w - w_0| / |w_0|, all its weights as one vector, by name.

    `before` is a copy of the network as it was, with the weights w_0. A frozen block has 0.
    Raises: InputError as `blocks`, and for a block whose weights were all 0.
    """
    pairs = zip(blocks(before).items(), blocks(after).values(), strict=True)
    return {name: _relative_change(list(old.parameters()), list(new.parameters())) for (name, old), new in pairs}


def _relative_change(before: Sequence[Tensor], after: Sequence[Tensor]) -> float:
    moved = sum(float((new - old).square().sum()) for old, new in zip(before, after, strict=True))
    length = sum(float(old.square().sum()) for old in before)
    require(length > 0, "before", "a block of zeros", "weights that are not all 0")
    return float((moved / length) ** 0.5)


def _head(network: nn.Module) -> Linear | nn.Linear:
    head = getattr(network, "head", None)
    if not isinstance(head, Linear | nn.Linear):
        raise InputError(f"network={type(network).__name__}: must have a `head`, the dense layer that gives the logits")
    return head
