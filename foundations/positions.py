"""Positional encodings, where in a sequence a token stands: attention alone would see it as a bag of tokens."""

from functools import lru_cache

import torch
from torch import Tensor, nn

from foundations import initializers
from foundations.errors import require
from foundations.layers import require_floating

BASE = 10_000.0
"""The slowest wave's length is 2 pi times this many places."""


def angles(length: int, pairs: int, start: int = 0) -> Tensor:
    """The angle of each place on each of `pairs` circles: place * 10000^(-pair / pairs), in radians.

    Shapes: (length, pairs), float64, on the CPU; the first place is `start`.
    """
    places = torch.arange(start, start + length, dtype=torch.float64)
    return places[:, None] * BASE ** (-torch.arange(pairs, dtype=torch.float64) / pairs)


def sinusoidal_positions(length: int, features: int, start: int = 0) -> Tensor:
    """Fixed waves: p[t, 2i] = sin(t / 10000^(2i / features)), p[t, 2i + 1] = cos of the same.

    p[t + k] is p[t] turned by angles that depend on k alone, so that a linear map can find what is k places away.
    Shapes: (length, features), float32; the first place is `start`.
    Raises: InputError for sizes below 1 and an odd number of features.
    Source: Vaswani et al. 2017, arXiv:1706.03762, section 3.5.
    """
    require(length >= 1, "length", length, "at least 1")
    require(features >= 2 and features % 2 == 0, "features", features, "an even number, at least 2")
    turned = angles(length, features // 2, start)
    return torch.stack([turned.sin(), turned.cos()], dim=-1).flatten(start_dim=1).float()


class LearnedPositions(nn.Module):
    """A learned vector for each place, added to the token's: y[t] = x[t] + p[start + t].

    Shapes: x (batch, time, features), kept. They begin as N(0, 0.02^2).
    Raises: InputError for sizes below 1, and for places beyond `context`.
    Source: Gehring et al. 2017, arXiv:1705.03122; Radford et al. 2018 (GPT).
    """

    def __init__(self, context: int, features: int, *, generator: torch.Generator | None = None) -> None:
        super().__init__()
        require(context >= 1, "context", context, "at least 1 place")
        require(features >= 1, "features", features, "at least 1")
        self.weight = nn.Parameter(initializers.normal_(torch.empty(context, features), 0.02, generator=generator))

    def forward(self, x: Tensor, start: int = 0) -> Tensor:
        """Shapes: (batch, time, features), kept; the first place of x is `start`."""
        end = start + x.shape[1]
        require(0 <= start < end <= len(self.weight), "places", end, f"between 1 and {len(self.weight)}, the context")
        return x + self.weight[start:end]


class SinusoidalPositions(nn.Module):
    """`sinusoidal_positions` added to the tokens' vectors: y[t] = x[t] + p[start + t]; nothing to learn, no last place.

    Shapes: x (batch, time, features), kept; features even.
    """

    def forward(self, x: Tensor, start: int = 0) -> Tensor:
        """Shapes: (batch, time, features), kept; the first place of x is `start`."""
        end = start + x.shape[1]
        return x + _waves(_room(end), x.shape[2], x.device, x.dtype)[start:end]


def apply_rotary(x: Tensor, start: int = 0) -> Tensor:
    """Rotary positions: each pair of features is turned by its place's angle, z_k e^(i t w_k).

    z_k = x_2k + i x_(2k + 1) is the pair as a complex number, w_k = 10000^(-2k / features) its speed. A product of a
    query at t and a key at s then depends on content and distance alone: R(t) q . R(s) k = q . R(s - t) k. Values are
    not turned.
    Shapes: x (..., time, features), kept; the first place is `start`; features even.
    Raises: InputError for an odd number of features, and for whole numbers.
    Source: Su et al. 2021, arXiv:2104.09864, equation 34.
    """
    require_floating(x)
    length, features = x.shape[-2:]
    require(features % 2 == 0, "features", features, "even: they turn in pairs")
    exact = x if x.dtype in (torch.float32, torch.float64) else x.float()  # there are no complex numbers of 16 bits
    turns = _turns(_room(start + length), features // 2, x.device, exact.dtype)[start : start + length]
    return torch.view_as_real(_as_complex(exact) * turns).flatten(start_dim=-2).to(x.dtype)


def _as_complex(x: Tensor) -> Tensor:
    """Neighbouring features as one complex number each, without a copy where they lie as one would."""
    if x.stride(-1) != 1 or any(step % 2 for step in (*x.stride()[:-1], x.storage_offset())):
        x = x.clone(memory_format=torch.contiguous_format)
    return torch.view_as_complex(x.unflatten(-1, (-1, 2)))


def _room(places: int) -> int:
    """A power of two that is enough: tables of few lengths are made, and each is used often."""
    return 1 << (places - 1).bit_length()


# Kept, since every layer and step asks for them; never as inference tensors, which training could not use later.


@lru_cache(maxsize=16)
@torch.inference_mode(mode=False)
def _turns(length: int, pairs: int, device: torch.device, dtype: torch.dtype) -> Tensor:
    """e^(i angle) for each place and pair: complex (length, pairs)."""
    turned = angles(length, pairs)
    return torch.complex(turned.cos().to(dtype), turned.sin().to(dtype)).to(device)


@lru_cache(maxsize=16)
@torch.inference_mode(mode=False)
def _waves(length: int, features: int, device: torch.device, dtype: torch.dtype) -> Tensor:
    return sinusoidal_positions(length, features).to(dtype).to(device)
