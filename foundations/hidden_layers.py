"""Inside a network of dense layers: what its activations are given, which units are silent, how gradients come back."""

import torch
from torch import Tensor, nn

from foundations.errors import require
from foundations.layers import Linear


@torch.no_grad()
def preactivations(network: nn.Module, x: Tensor) -> list[Tensor]:
    """z_l = W_l a_{l-1} + b_l of every hidden layer: the outputs of all dense layers but the last.

    The network stays in its mode, and no hook stays behind.
    Shapes: x as the network takes it -> (batch, *, units) each. Raises: InputError for fewer than two dense layers.
    """
    layers = [layer for layer in network.modules() if isinstance(layer, Linear | nn.Linear)]
    require(len(layers) >= 2, "dense layers", len(layers), "at least 2: the last one is the output")
    found: list[Tensor] = []
    hooks = [layer.register_forward_hook(lambda layer, given, z: found.append(z)) for layer in layers[:-1]]
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
