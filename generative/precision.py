"""Half precision: matrices multiplied with 8 bits of mantissa, where the hardware is faster at it."""

from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch import Tensor


def half_precision(like: Tensor, *, on: bool) -> AbstractContextManager[Any]:
    """A context in which networks on the device of `like` multiply matrices in bf16; with `on` false, one of no effect.

    Their outputs are bf16 too: losses, which want their digits, take them as float32.
    """
    return torch.autocast(like.device.type, torch.bfloat16) if on else nullcontext()
