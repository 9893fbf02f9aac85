"""The plain layers: dense, dropout, reshaping, residual; and the form of every layer that has two bodies."""

import math
from typing import Literal, get_args

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from foundations import initializers
from foundations.errors import InputError, require, require_choice

Body = Literal["kernel", "equations"]
"""Which of its two bodies a block runs: torch's fused kernel (fast), or the equations as they are written."""


def require_floating(x: Tensor) -> None:
    """Refuse whole numbers, such as the bytes of a stored image, which torch would call a mismatch of types.

    Raises: InputError.
    """
    if not x.is_floating_point():
        allowed = "a floating-point type; convert with .float(), images of bytes with / 255"
        raise InputError(f"input dtype={x.dtype}: must be {allowed}")


class TwoBodies(nn.Module):
    """A layer written twice: as `equations`, to be read, and as the `kernel` that torch ships, to be run.

    Both give the same values and gradients (2e-6 apart in float32); `forward` runs the one named by `body`.
    Raises: InputError for an unknown `body`.
    """

    def __init__(self, body: Body = "kernel") -> None:
        super().__init__()
        require_choice("body", body, get_args(Body))
        self.body: Body = body

    def equations(self, x: Tensor) -> Tensor:
        """The layer as the notes write it."""
        raise NotImplementedError

    def kernel(self, x: Tensor) -> Tensor:
        """The same through torch's fused kernel."""
        raise NotImplementedError

    def forward(self, x: Tensor) -> Tensor:
        """Run the chosen body."""
        return self.kernel(x) if self.body == "kernel" else self.equations(x)


class Linear(TwoBodies):
    """Dense layer: y = x W^T + b.

    Shapes: x (..., in_features), y (..., out_features), weight (out_features, in_features), bias (out_features).
    Both begin uniform in +-1/sqrt(in_features), drawn from `generator` (None: torch's default stream).
    Raises: InputError for sizes below 1, an input of another width, and one of whole numbers.
    """

    def __init__(
        self,
        in_features: int,
        out_features: int,
        bias: bool = True,
        *,
        generator: torch.Generator | None = None,
        body: Body = "kernel",
    ) -> None:
        super().__init__(body)
        require(in_features >= 1, "in_features", in_features, "at least 1")
        require(out_features >= 1, "out_features", out_features, "at least 1")
        self.in_features, self.out_features = in_features, out_features
        self.weight = nn.Parameter(torch.empty(out_features, in_features))
        self.bias = nn.Parameter(torch.empty(out_features)) if bias else None
        initializers.fan_in_uniform_(self.weight, self.bias, generator=generator)

    def equations(self, x: Tensor) -> Tensor:
        """One matrix product and one sum."""
        y = x @ self.weight.T
        return y if self.bias is None else y + self.bias

    def kernel(self, x: Tensor) -> Tensor:
        """The product with the sum folded in."""
        return F.linear(x, self.weight, self.bias)

    def forward(self, x: Tensor) -> Tensor:
        """Shapes: (..., in_features) -> (..., out_features)."""
        if x.shape[-1:] != (self.in_features,):
            raise InputError(f"input shape={tuple(x.shape)}: must be (..., {self.in_features})")
        require_floating(x)
        return super().forward(x)

    def extra_repr(self) -> str:
        """Sizes, for printing."""
        return f"{self.in_features}, {self.out_features}, bias={self.bias is not None}"


class Dropout(nn.Module):
    """Inverted dropout: y = x * mask / (1 - p) in training, mask ~ Bernoulli(1 - p); y = x in evaluation.

    Dividing by the keep probability while training leaves the expectation as it is, so nothing is scaled later.
    The masks are drawn from `generator`, which must be on the input's device (None: torch's default stream there). It
    belongs to whoever made it: a learner keeps its state, so that a resumed run draws the masks of an unbroken one.
    Raises: InputError unless 0 <= p < 1, and for an input of whole numbers.
    Source: Srivastava et al. 2014, JMLR 15.
    """

    def __init__(self, p: float = 0.5, *, generator: torch.Generator | None = None) -> None:
        super().__init__()
        require(0 <= p < 1, "p", p, "a probability of dropping, 0 <= p < 1")
        self.p, self.generator = p, generator

    def forward(self, x: Tensor) -> Tensor:
        """Shapes: any, kept."""
        require_floating(x)
        if not self.training or self.p == 0:
            return x
        keep = 1 - self.p
        kept = torch.rand(self._mask_shape(x), generator=self.generator, device=x.device) < keep
        return x * kept.to(x.dtype).div_(keep)

    def _mask_shape(self, x: Tensor) -> tuple[int, ...]:
        """One draw for every element."""
        return x.shape

    def extra_repr(self) -> str:
        """The probability, for printing."""
        return f"p={self.p}"


class SpatialDropout(Dropout):
    """Dropout of whole channels: y[c] = x[c] * mask[c] / (1 - p) in training, mask[c] ~ Bernoulli(1 - p).

    Neighbouring pixels of a feature map are nearly equal, so a single dropped one could be guessed from the others.
    Shapes: (batch, channels, *), kept; a mask is drawn for each channel of each sample.
    Raises: InputError unless 0 <= p < 1, for an input without channels, and for one of whole numbers.
    Source: Tompson et al. 2015, arXiv:1411.4280.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Shapes: (batch, channels, *), kept."""
        if x.dim() < 3:
            raise InputError(f"input shape={tuple(x.shape)}: must be (batch, channels, ...); for vectors take Dropout")
        return super().forward(x)

    def _mask_shape(self, x: Tensor) -> tuple[int, ...]:
        """One draw for every channel of every sample."""
        return (*x.shape[:2], *(1,) * (x.dim() - 2))


class Flatten(nn.Module):
    """Every sample as one row: (batch, *) -> (batch, features)."""

    def forward(self, x: Tensor) -> Tensor:
        """An image (batch, 1, 28, 28) becomes a vector (batch, 784)."""
        return x.flatten(start_dim=1)


class Reshape(nn.Module):
    """Every sample in another shape: (batch, *) -> (batch, *shape), as `Reshape(128, 7, 7)` after a dense layer.

    Raises: InputError for a size below 1, and for samples with another number of elements.
    """

    def __init__(self, *shape: int) -> None:
        super().__init__()
        require(len(shape) > 0 and min(shape) >= 1, "shape", shape, "one or more sizes, each at least 1")
        self.shape = shape

    def forward(self, x: Tensor) -> Tensor:
        """A vector (batch, 784) becomes an image (batch, 1, 28, 28) through `Reshape(1, 28, 28)`."""
        count = math.prod(self.shape)
        if x.shape[1:].numel() != count:
            elements = f"(batch, *) with {count} elements a sample, to become {self.shape}"
            raise InputError(f"input shape={tuple(x.shape)}: must be {elements}")
        return x.reshape(len(x), *self.shape)

    def extra_repr(self) -> str:
        """The shape, for printing."""
        return ", ".join(map(str, self.shape))


class Residual(nn.Module):
    """Residual connection: y = S(x) + F(x), so that dE/dx = dE/dy (S'(x) + F'(x)), and S' = 1 for the identity.

    `branch` is F; `shortcut` is S, the identity unless F changes the shape (then a 1x1 convolution, say).
    Raises: InputError where the two results differ in shape.
    Source: He et al. 2015, arXiv:1512.03385.
    """

    def __init__(self, branch: nn.Module, shortcut: nn.Module | None = None) -> None:
        super().__init__()
        self.branch = branch
        self.shortcut = nn.Identity() if shortcut is None else shortcut

    def forward(self, x: Tensor) -> Tensor:
        """Shapes: those of the shortcut."""
        carried: Tensor = self.shortcut(x)
        change: Tensor = self.branch(x)
        if change.shape != carried.shape:
            same = f"{tuple(carried.shape)}, the shortcut's; give a shortcut that changes the shape too"
            raise InputError(f"branch output shape={tuple(change.shape)}: must be {same}")
        return carried + change
