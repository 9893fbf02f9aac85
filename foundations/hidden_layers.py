"""Inside a network of dense layers: what its activations are given, which units are silent, how gradients come back."""

import copy
import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from foundations.errors import require
from foundations.gradient_health import GradientHealth, is_activation
from foundations.layers import Linear
from foundations.losses import cross_entropy_from_logits


def hidden_dense_layers(network: nn.Module) -> list[Linear | nn.Linear]:
    """The dense layers from the input up, without the last, which is the output.

    Raises: InputError for fewer than two dense layers.
    """
    layers = [layer for layer in network.modules() if isinstance(layer, Linear | nn.Linear)]
    require(len(layers) >= 2, "dense layers", len(layers), "at least 2: the last one is the output")
    return layers[:-1]


@torch.no_grad()
def preactivations(network: nn.Module, x: Tensor) -> list[Tensor]:
    """z_l = W_l a_{l-1} + b_l of every hidden layer: the outputs of all dense layers but the last.

    The network stays in its mode, and no hook stays behind.
    Shapes: x as the network takes it -> (batch, *, units) each. Raises: InputError as `hidden_dense_layers`.
    """
    found: list[Tensor] = []
    hooks = [layer.register_forward_hook(lambda _, given, z: found.append(z)) for layer in hidden_dense_layers(network)]
    try:
        network(x)
    finally:
        for hook in hooks:
            hook.remove()
    return found


def silent_share(network: nn.Module, x: Tensor) -> float:
    """The share of hidden units whose z is above 0 for no sample of x; the mean over the layers.

    With ReLU such a unit is dead as far as x goes: it passes no value on and no gradient back.
    Shapes: x (batch, *). Raises: InputError as `preactivations`.
    Source: Lu et al. 2019, arXiv:1903.06733 (dying ReLU).
    """
    shares = [(z.flatten(end_dim=-2).amax(dim=0) <= 0).float().mean().item() for z in preactivations(network, x)]
    return sum(shares) / len(shares)


def gradients_sent_back(network: nn.Module, x: Tensor, generator: torch.Generator | None = None) -> list[float]:
    """|dE/da_l| at the output of every hidden layer, where a random gradient of length 1 is sent back from the last.

    So the last is 1, and the first shows what the layers between make of it: with slopes f' and weights W each takes
    it times W^T diag(f'). `network` has a `body`, an `nn.Sequential` that begins with `Flatten` (see `networks.MLP`).
    Shapes: x (batch, *). Raises: InputError for a network without hidden layers.
    Source: Glorot & Bengio 2010, PMLR 9 (back-propagated gradients by layer).
    """
    outputs = [x]
    for layer in network.body.children():  # type: ignore[union-attr]
        outputs.append(layer(outputs[-1]))
    hidden = outputs[2:]  # without the images, and without them as rows
    require(len(hidden) >= 1, "hidden layers", len(hidden), "at least 1")
    sent = torch.randn(hidden[-1].shape, generator=generator, dtype=x.dtype).to(x.device)
    return [gradient.norm().item() for gradient in torch.autograd.grad(hidden[-1], hidden, sent / sent.norm())]


@dataclass(frozen=True)
class LayerHealth:
    """Figures of one backward pass, one for each hidden layer from the input up.

    `gradients`: norm of the weights' gradient. `spreads`: standard deviation of the activation's output. `zeros`: the
    share of it that is exactly 0.
    """

    gradients: list[float]
    spreads: list[float]
    zeros: list[float]

    @property
    def first_to_last(self) -> float:
        """The first layer's gradient as a multiple of the last hidden layer's; infinite where that is 0."""
        return self.gradients[0] / self.gradients[-1] if self.gradients[-1] else math.inf


def layer_health(network: nn.Module, x: Tensor, labels: Tensor) -> LayerHealth:
    """How a gradient of the cross-entropy comes through the hidden layers.

    One pass forward and backward over the batch, in training mode, by a copy of the network on the CPU and in double
    precision: in single precision 1e-46 would be 0. The network stays as it is.
    Shapes: x (batch, *), labels (batch), class numbers. Raises: InputError as `hidden_dense_layers`.
    Source: Glorot & Bengio 2010, PMLR 9.
    """
    network = copy.deepcopy(network).cpu().double().train()
    dense, active = hidden_dense_layers(network), [each for each in network.modules() if is_activation(each)]
    layers: dict[str, nn.Module] = {f"dense {k}": layer for k, layer in enumerate(dense)}
    layers |= {f"active {k}": layer for k, layer in enumerate(active)}
    with GradientHealth(network, layers) as health:
        cross_entropy_from_logits(network(x.cpu().double()), labels.cpu()).backward()
        found = {name: float(value) for name, value in health().items()}
    return LayerHealth(
        gradients=[found[f"gradients/dense {k}"] for k in range(len(dense))],
        spreads=[found[f"activations/active {k}/std"] for k in range(len(active))],
        zeros=[found[f"activations/active {k}/zeros"] for k in range(len(active))],
    )
