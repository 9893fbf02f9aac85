"""Adversarial examples: inputs moved too little for the eye, and far enough for a network to be wrong; and the defence.

Both attacks climb the loss of the true label, within a ball around each input and within the pixels' range 0 to 1.
"""

import math
from collections.abc import Iterator
from typing import Any, Literal, get_args

import torch
from torch import Tensor, nn

from foundations.errors import require, require_choice
from foundations.learner import Metrics
from foundations.losses import cross_entropy_from_logits
from foundations.modes import evaluation_mode
from foundations.schedules import linear_warmup
from foundations.streams import Streams
from foundations.training import Prepare, SupervisedLearner
from generative.pixels import in_unit_range

Norm = Literal["linf", "l2"]
"""How far a change is: linf: its largest over the pixels. l2: its Euclidean length over all of them."""

MARGIN = 1e-5
"""The share of epsilon that attacks stay inside the ball, so that no rounding carries them out of it."""
STRIDE = 2.5
"""Steps of 2.5 epsilon / steps can cross the ball from any start, and still turn round on its surface."""


def fast_gradient_sign(
    network: nn.Module, x: Tensor, labels: Tensor, epsilon: float, *, norm: Norm = "linf", batch_size: int = 500
) -> Tensor:
    """One step: x' = x + epsilon sign(g), g the gradient of -log softmax(network(x))[label] to x, clipped to [0, 1].

    With norm "l2" x' = x + epsilon g / |g|. Either way |x' - x| <= epsilon holds exactly. The network is asked in
    evaluation mode; its weights, their gradients and its mode stay as they are.
    Shapes: x (n, *), floats in [0, 1]; labels (n), int64 -> (n, *).
    Raises: InputError for other inputs, labels of another number, an unknown norm, and a negative epsilon.
    Source: Goodfellow et al. 2015, arXiv:1412.6572.
    """
    _require(x, labels, epsilon, norm)
    require(batch_size >= 1, "batch_size", batch_size, "at least 1")
    parts = zip(x.split(batch_size), labels.split(batch_size), strict=True)
    with evaluation_mode(network):
        moved = [
            _moved(part, epsilon * _uphill(network, part, of_part, norm), epsilon, norm) for part, of_part in parts
        ]
    return torch.cat(moved)


def projected_gradient(
    network: nn.Module,
    x: Tensor,
    labels: Tensor,
    epsilon: float,
    *,
    stream: torch.Generator,
    steps: int = 20,
    step_size: float | None = None,
    norm: Norm = "linf",
    batch_size: int = 500,
) -> Tensor:
    """From a random place in the ball, `steps` steps x' <- P(x' + step_size u), P the nearest place of the ball.

    u is the sign of the gradient ("linf") or the gradient over its length ("l2"), as in `fast_gradient_sign`; after
    each step x' is clipped to [0, 1]. |x' - x| <= epsilon holds exactly. The start is drawn from `stream`, evenly over
    the ball; a `step_size` of None is 2.5 epsilon / steps. All else is as with `fast_gradient_sign`.
    Shapes: x (n, *), floats in [0, 1], on the stream's device; labels (n), int64 -> (n, *).
    Raises: InputError as `fast_gradient_sign`, and for steps or a step size that are not above 0.
    Source: Madry et al. 2018, arXiv:1706.06083.
    """
    _require(x, labels, epsilon, norm)
    _require_steps(steps, step_size)
    require(batch_size >= 1, "batch_size", batch_size, "at least 1")
    stride = STRIDE * epsilon / steps if step_size is None else step_size
    start = _random_change(x, epsilon, norm, stream)
    parts = zip(x.split(batch_size), labels.split(batch_size), start.split(batch_size), strict=True)
    with evaluation_mode(network):
        return torch.cat([_climb(network, *part, epsilon, steps, stride, norm) for part in parts])


def _climb(
    network: nn.Module,
    x: Tensor,
    labels: Tensor,
    change: Tensor,
    epsilon: float,
    steps: int,
    stride: float,
    norm: Norm,
) -> Tensor:
    place = (x + change).clamp_(0, 1)
    for _ in range(steps):
        change = place - x + stride * _uphill(network, place, labels, norm)
        place = _moved(x, change, epsilon, norm)
    return place


def _uphill(network: nn.Module, x: Tensor, labels: Tensor, norm: Norm) -> Tensor:
    """The direction of length 1 in which the loss rises fastest; 0 where it is flat. Shapes: x's."""
    with torch.enable_grad():
        leaf = x.detach().requires_grad_()
        loss = cross_entropy_from_logits(network(leaf), labels, reduction="sum")  # the sum: each its own gradient
        (gradient,) = torch.autograd.grad(loss, leaf)  # of the input alone: the weights' own gradients stay
    if norm == "linf":
        return gradient.sign()
    return gradient / _lengths(gradient).clamp(min=torch.finfo(x.dtype).tiny)


def _moved(x: Tensor, change: Tensor, epsilon: float, norm: Norm) -> Tensor:
    """The sum x + change as far as the ball and the range 0 to 1 allow, rounded towards x."""
    radius = epsilon * (1 - MARGIN)
    if norm == "linf":
        change = change.clamp(-radius, radius)
    else:
        change = change * (radius / _lengths(change).clamp(min=torch.finfo(x.dtype).tiny)).clamp(max=1)
    return torch.nextafter(x + change, x).clamp_(0, 1)


def _random_change(x: Tensor, epsilon: float, norm: Norm, stream: torch.Generator) -> Tensor:
    """A place of the ball around 0 for each sample, all alike: shapes of x."""
    if norm == "linf":
        return torch.empty_like(x).uniform_(-epsilon, epsilon, generator=stream)
    direction = torch.empty_like(x).normal_(generator=stream)
    share = torch.rand(len(x), *[1] * (x.dim() - 1), generator=stream, device=x.device, dtype=x.dtype)
    distance = epsilon * share ** (1 / x[0].numel())  # a ball's volume within r grows as r^pixels
    return direction * (distance / _lengths(direction))


def _lengths(rows: Tensor) -> Tensor:
    """The Euclidean length of each sample: (n, *) -> (n, 1, ...)."""
    lengths: Tensor = torch.linalg.vector_norm(rows, dim=tuple(range(1, rows.dim())), keepdim=True)
    return lengths


def _require(x: Tensor, labels: Tensor, epsilon: float, norm: str) -> None:
    require_choice("norm", norm, get_args(Norm))
    require(0 <= epsilon < math.inf, "epsilon", epsilon, "at least 0 and finite")
    floating = x.dtype in (torch.float32, torch.float64)
    require(floating, "x dtype", x.dtype, "torch.float32 or torch.float64; bytes: divide by 255")
    require(x.dim() >= 2 and len(x) >= 1, "x shape", tuple(x.shape), "(n, *) with n >= 1")
    require(labels.shape == (len(x),), "labels shape", tuple(labels.shape), f"({len(x)},), one an input")
    low, high = (float(bound) for bound in x.aminmax())
    # Not-a-number fails every comparison, and so this one.
    require(low >= 0 and high <= 1, "x values", (low, high), "in [0, 1]")


def _require_steps(steps: int, step_size: float | None) -> None:
    require(steps >= 1, "steps", steps, "at least 1")
    good = step_size is None or 0 < step_size < math.inf
    require(good, "step_size", step_size, "above 0 and finite, or None for 2.5 epsilon / steps")


# --- the defence ------------------------------------------------------------------------------------------------------


class AdversarialLearner(SupervisedLearner):
    """Adversarial training: min over theta of the mean of max over |x' - x| <= epsilon of -log softmax(f(x'))[label].

    The inner maximum is looked for by `projected_gradient` with `attack_steps` steps, anew for each batch; the outer
    minimum as in `SupervisedLearner`, on what it finds. Over the first `warmup` steps epsilon grows in a straight line:
    a small network that meets the whole attack at once may learn nothing but the classes' shares. One attack step of
    1.25 epsilon is far cheaper, and may be learned by heart: measure with many steps (Wong et al. 2020,
    arXiv:2001.03994).

    `prepare` makes images in [0, 1] of a batch of inputs; None takes bytes as 0 to 1, and floats as they are.
    `settings` are the other ones of `SupervisedLearner`.
    Yields: what that does, `loss/training` being that of the attacked images; `epsilon` while it grows.
    Raises: InputError as those two do.
    Source: Madry et al. 2018, arXiv:1706.06083.
    """

    def __init__(
        self,
        network: nn.Module,
        optimizer: torch.optim.Optimizer,
        inputs: Tensor,
        labels: Tensor,
        *,
        epsilon: float,
        streams: Streams,
        attack_steps: int = 7,
        step_size: float | None = None,
        norm: Norm = "linf",
        warmup: int = 0,
        prepare: Prepare | None = None,
        **settings: Any,
    ) -> None:
        _require_steps(attack_steps, step_size)
        self.epsilon, self.attack_steps, self.step_size, self.norm = epsilon, attack_steps, step_size, norm
        self._growth, self._warmup = linear_warmup(warmup), warmup
        self._make = prepare or _unchanged
        loss = cross_entropy_from_logits
        super().__init__(network, optimizer, loss, inputs, labels, streams=streams, prepare=self._attacked, **settings)
        _require(self._make(inputs[:1], torch.Generator(inputs.device)), labels[:1], epsilon, norm)

    def learn(self) -> Iterator[Metrics]:
        """Yield the metrics of each update, until stopped early."""
        for metrics in super().learn():
            growing = self.step <= self._warmup
            yield {**metrics, "epsilon": self.epsilon * self._growth(self.step - 1)} if growing else metrics

    def _leave_gradients(self, chosen: Tensor) -> dict[str, float | Tensor]:
        self._chosen = chosen
        return super()._leave_gradients(chosen)

    def _attacked(self, batch: Tensor, stream: torch.Generator) -> Tensor:
        """The inputs of this step, as badly placed as the attack can."""
        growth = self._growth(self.step)
        return projected_gradient(
            self.network,
            self._make(batch, stream),
            self.targets[self._chosen],
            self.epsilon * growth,
            stream=stream,
            steps=self.attack_steps,
            step_size=None if self.step_size is None else self.step_size * growth,
            norm=self.norm,
        )


def _unchanged(batch: Tensor, stream: torch.Generator) -> Tensor:
    return in_unit_range(batch)
