"""The judge: one small classifier of grey digits, kept fixed, by whose eyes made digits are measured."""

import hashlib
from importlib.resources import files

import torch
from safetensors.torch import load
from torch import Tensor, nn

from foundations.activations import ReLU
from foundations.convolution import Conv2d
from foundations.errors import InputError, require
from foundations.images import channels_last
from foundations.layers import Flatten, Linear
from foundations.normalization import BatchNorm

FEATURES = 64
"""Width of the judge's last hidden layer, in which Frechet distances are measured."""
CLASSES = 10
_WEIGHTS = files("generative") / "weights" / "judge.safetensors"


class Judge(nn.Module):
    """A convolutional network of 261,882 weights from a grey digit to ten logits.

    Four convolutions of 3x3 (28x28 x16, 14x14 x32, 7x7 x64, 7x7 x64) and a dense layer of 64 features, each with batch
    norm and ReLU; then the ten logits.

    Shapes: images (batch, 1, 28, 28), values in [0, 1]; features (batch, 64), at least 0; logits (batch, 10).
    Raises: InputError for images of another shape or type.
    """

    def __init__(self, *, generator: torch.Generator | None = None) -> None:
        super().__init__()
        channels, strides = (1, 16, 32, 64, 64), (1, 2, 2, 1)
        layers: list[nn.Module] = []
        for into, out, stride in zip(channels[:-1], channels[1:], strides, strict=True):
            layers += [Conv2d(into, out, 3, stride, padding=1, bias=False, generator=generator), BatchNorm(out), ReLU()]
        dense = Linear(64 * 7 * 7, FEATURES, bias=False, generator=generator)
        layers += [Flatten(), dense, BatchNorm(FEATURES), ReLU()]
        self.body = nn.Sequential(*layers)
        self.head = Linear(FEATURES, CLASSES, generator=generator)

    def features(self, images: Tensor) -> Tensor:
        """The last hidden layer: (batch, 1, 28, 28) -> (batch, 64)."""
        shape = tuple(images.shape)
        require(images.dim() == 4 and shape[1:] == (1, 28, 28), "images shape", shape, "(batch, 1, 28, 28)")
        require(images.is_floating_point(), "images dtype", images.dtype, "floating point, with values in [0, 1]")
        # Convolutions are faster on a CPU where a pixel's channels lie side by side.
        features: Tensor = self.body(images.contiguous(memory_format=torch.channels_last))
        return features

    def forward(self, images: Tensor) -> Tensor:
        """The logits: (batch, 1, 28, 28) -> (batch, 10)."""
        logits: Tensor = self.head(self.features(images))
        return logits


def load_judge(device: torch.device | str = "cpu") -> Judge:
    """The judge with the weights that the project carries, in evaluation mode and without gradients.

    Its recipe is `python -m labs.judge_mnist`. Raises: InputError where the weights do not travel with the package.
    """
    judge = Judge(generator=torch.Generator().manual_seed(0))
    judge.load_state_dict(load(_read_weights()))
    return channels_last(judge, device).eval().requires_grad_(False)


def judge_version() -> str:
    """The judge's name: the first 12 hexadecimal digits of the SHA-256 of its file of weights.

    Figures of two judges with different names must not be compared.
    """
    return hashlib.sha256(_read_weights()).hexdigest()[:12]


def _read_weights() -> bytes:
    try:
        return _WEIGHTS.read_bytes()
    except OSError as error:
        raise InputError(
            f"judge weights {_WEIGHTS}: cannot be read ({error.strerror}); install the package anew"
        ) from None
