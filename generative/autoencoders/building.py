"""Autoencoders by name, ready to learn."""

from collections.abc import Sequence
from typing import Literal, get_args

import torch
from torch import Tensor, nn

from foundations.activations import Sigmoid
from foundations.errors import require, require_choice
from foundations.images import channels_last
from foundations.optimizers import AdamW
from foundations.schedules import warmup_cosine
from foundations.streams import Streams
from generative.autoencoders.hardships import Change, Sparsity, kl_sparsity, soil
from generative.autoencoders.learner import AutoencoderLearner
from generative.autoencoders.networks import conv_autoencoder, dense_autoencoder, fixed_spread

Model = Literal["dense", "deep", "conv", "denoising", "sparse"]
"""Networks of dense or convolutional layers; denoising and sparse are dense, taught otherwise."""

SOILED = ("denoising", "sparse")
"""The models whose training images are soiled."""

HIDDEN: dict[str, tuple[int, ...]] = {
    "dense": (512, 256),
    "deep": (1000, 500, 250),
    "denoising": (512, 256),
    "sparse": (512, 256),
}
"""Widths between image and code of the models of dense layers; those of `deep` are Hinton and Salakhutdinov's."""

SPARSE_RATE, SPARSE_STRENGTH = 0.1, 5e-3
"""Where the KL penalty of the sparse model holds each unit's mean, and its weight: weaker, the mean stays above."""

SPARSE_NOISE = 0.03
"""Standard deviation of the noise on the sparse model's code, whose units have a range of 1.

Without noise any decoder can enlarge small differences, and the penalty is met by units that all idle near the rate."""


def build_autoencoder(
    model: Model,
    images: Tensor,
    *,
    code_size: int,
    steps: int,
    streams: Streams,
    hidden: Sequence[int] | None = None,
    channels: int = 16,
    batch_size: int = 128,
    learning_rate: float = 2e-3,
    code_noise: float | None = None,
    corrupt: Change | None = None,
    sparsity: Sparsity | None = None,
    validation: Tensor | None = None,
    validate_every: int = 500,
    device: torch.device | str = "cpu",
) -> AutoencoderLearner:
    """The autoencoder named `model`, fresh, to learn from `images`: (n, channels, height, width), bytes or in [0, 1].

    - dense, deep: layers of widths `hidden` (None: the model's own, `HIDDEN`), the decoder their mirror.
    - conv: two convolutions of `channels` and twice as many, each halving the side, and the mirror of them.
    - denoising: dense, and the images that go in are moved a little and made noisy (`soil`, or `corrupt`).
    - sparse: denoising with a code of sigmoids, each at 0.1 on average (`kl_sparsity`, or `sparsity`), and noise on
      it: an image is told by the few units that stand out of the noise.

    Other codes are normalised over the batch. Where `code_noise` or `sparsity` asks something of their size, their
    spread is fixed (`fixed_spread`): noise of 0.5 is then half of each number's standard deviation. `code_noise` None:
    0.03 for sparse, else none.

    AdamW (without decay); its learning rate rises for a tenth of the steps, then falls along a cosine to 0.
    Raises: InputError for an unknown model, images of other kinds, and impossible settings.
    """
    require_choice("model", model, get_args(Model))
    require(images.dim() == 4, "images shape", tuple(images.shape), "(n, channels, height, width)")
    require(code_size >= 1, "code_size", code_size, "at least 1")
    shape, weights, sparse = tuple(images.shape[1:]), streams.torch("weights"), model == "sparse"
    noise = (SPARSE_NOISE if sparse else 0.0) if code_noise is None else code_noise
    end: nn.Module | None = None
    if sparse or noise or sparsity:
        end = Sigmoid() if sparse else fixed_spread(code_size)
    if model == "conv":
        autoencoder = conv_autoencoder(shape, code_size, weights, channels=channels, end=end)
    else:
        autoencoder = dense_autoencoder(shape, code_size, weights, hidden=hidden or HIDDEN[model], end=end)
    return AutoencoderLearner(
        channels_last(autoencoder, device),
        AdamW(autoencoder.parameters(), lr=learning_rate, weight_decay=0.0, fused=True),
        images.to(device),
        batch_size=batch_size,
        streams=streams,
        corrupt=corrupt or (soil if model in SOILED else None),
        code_noise=noise,
        sparsity=sparsity or (kl_sparsity(SPARSE_STRENGTH, rate=SPARSE_RATE) if sparse else None),
        schedule=warmup_cosine(steps // 10, steps),
        validation=None if validation is None else validation.to(device),
        validate_every=validate_every,
    )
