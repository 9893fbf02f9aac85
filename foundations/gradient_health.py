"""Vanishing and exploding gradients, measured: the size of gradients and activations, layer by layer, step by step."""

from collections.abc import Mapping
from functools import partial
from types import TracebackType
from typing import Any, Self

import torch
from torch import Tensor, nn
from torch.nn.modules import activation as torch_activations

from foundations import activations
from foundations.errors import require
from foundations.learner import Metrics


class GradientHealth:
    """Call it after each backward pass: it measures the gradient of each layer, and the statistics of its output.

        health = GradientHealth(network)
        loss.backward()
        health()   # {"gradients/0": |dE/dW|, "activations/0/mean": ..., "activations/0/std": ..., ".../zeros": ...}

    `gradients/NAME` is the norm of the gradient of the layer's weights (two dimensions or more: no biases, no norms);
    mean, standard deviation and share of exact zeros (a dead ReLU's: 1) are those of the layer's last output in a pass
    with gradients, so that validation in between does not count. All are scalar tensors on their device: nothing waits.
    `layers` are the modules to watch by name; by default all with such weights of their own, and all activations.

    Hooks sit on the layers until `remove`, or the end of a `with`; with `enabled` False they cost next to nothing.
    Raises: InputError where there is no layer to watch, and when called before any backward pass.
    Source: Glorot & Bengio 2010, PMLR 9 (the measurements); Lu et al. 2019, arXiv:1903.06733 (dying ReLU).
    """

    def __init__(self, network: nn.Module, layers: Mapping[str, nn.Module] | None = None) -> None:
        layers = watched_layers(network) if layers is None else layers
        require(len(layers) > 0, "layers", dict(layers), "at least one layer with weights, or an activation")
        self.enabled = True
        self._weights = {name: weights for name, layer in layers.items() if (weights := _own_weights(layer))}
        self._outputs: dict[str, dict[str, Tensor]] = {}
        # Partials of a method, unlike local functions, let the watched network be copied and pickled.
        self._hooks = [layer.register_forward_hook(partial(self._observe, name)) for name, layer in layers.items()]

    def _observe(self, name: str, layer: nn.Module, inputs: Any, output: Any) -> None:
        if self.enabled and torch.is_grad_enabled():
            first = output[0] if isinstance(output, tuple) else output  # a recurrent layer gives its state as well
            self._outputs[name] = output_statistics(first)

    @torch.no_grad()
    def __call__(self) -> Metrics:
        """The figures of the last pass; none where it is not enabled."""
        if not self.enabled:
            return {}
        gradients = {name: [w.grad for w in weights if w.grad is not None] for name, weights in self._weights.items()}
        gradients = {name: found for name, found in gradients.items() if found}
        seen = bool(gradients or not self._weights) and bool(self._outputs)
        require(seen, "gradients", None, "there: call it after loss.backward(), hooks in place before the forward pass")
        figures = dict(zip((f"gradients/{name}" for name in gradients), _norms(list(gradients.values())), strict=True))
        for name, statistics in self._outputs.items():
            figures |= {f"activations/{name}/{kind}": value for kind, value in statistics.items()}
        return figures

    def remove(self) -> None:
        """Take the hooks off the network; afterwards nothing is measured."""
        for hook in self._hooks:
            hook.remove()
        self.enabled = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.remove()


def watched_layers(network: nn.Module) -> dict[str, nn.Module]:
    """The layers worth watching, by their name in `network`: those with weights of their own, and the activations."""
    found = {name or "network": module for name, module in network.named_modules()}
    return {name: module for name, module in found.items() if _own_weights(module) or is_activation(module)}


@torch.no_grad()
def output_statistics(output: Tensor) -> dict[str, Tensor]:
    """Mean, standard deviation (over all elements, 1/n) and share of exact zeros, as scalar tensors."""
    x = output.detach().float()
    mean = x.mean()
    std = torch.linalg.vector_norm(x - mean) / x.numel() ** 0.5
    living = x.sign().abs_().mean()  # counting zeros is many times slower on a CPU: it branches at every element
    return {"mean": mean, "std": std, "zeros": 1 - living}


def _own_weights(layer: nn.Module) -> list[nn.Parameter]:
    return [weight for weight in layer.parameters(recurse=False) if weight.dim() >= 2]


def is_activation(module: nn.Module) -> bool:
    """Whether the module comes from this project's activations or torch's (its attention lives there as well)."""
    home = type(module).__module__
    return home in (activations.__name__, torch_activations.__name__) and not any(module.children())


def _norms(groups: list[list[Tensor]]) -> list[Tensor]:
    """The norm of all tensors of a group together, for every group, with one kernel for them all where there is one."""
    singles = torch._foreach_norm([tensor for group in groups for tensor in group])
    rest = iter(singles)
    norms = [torch.stack([next(rest) for _ in group]) for group in groups]
    return [found[0] if len(found) == 1 else torch.linalg.vector_norm(found) for found in norms]
