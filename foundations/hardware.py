"""Where a computation runs, and from which size on it pays to send a matrix product to a GPU."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
import torch

from foundations.errors import require

Precision = Literal["float32", "TF32", "bf16"]
Curve = Mapping[int, float]
"""Side of the square matrices -> GFLOP/s of their product."""


@dataclass(frozen=True)
class Place:
    """A device, the number of CPU threads, and the precision of matrix products."""

    device: torch.device
    threads: int
    precision: Precision = "float32"

    @property
    def name(self) -> str:
        """As in tables and legends: "CPU, 2 threads", "CUDA, TF32"."""
        if self.device.type != "cpu":
            return f"{self.device.type.upper()}, {self.precision}"
        precision = "" if self.precision == "float32" else f", {self.precision}"
        return f"CPU, {self.threads} thread{'s' * (self.threads > 1)}{precision}"

    @contextmanager
    def chosen(self) -> Iterator[None]:
        """Compute with these threads and this precision; afterwards torch's settings are as they were.

        TF32 rounds the factors of float32 products to 10 bits of mantissa, on GPUs that can; bf16 is autocast.
        """
        threads, products = torch.get_num_threads(), torch.get_float32_matmul_precision()
        convolutions = torch.backends.cudnn.allow_tf32
        torch.set_num_threads(self.threads)
        torch.set_float32_matmul_precision("high" if self.precision == "TF32" else "highest")
        torch.backends.cudnn.allow_tf32 = self.precision == "TF32"
        try:
            with torch.autocast(self.device.type, torch.bfloat16, enabled=self.precision == "bf16"):
                yield
        finally:
            torch.set_num_threads(threads)
            torch.set_float32_matmul_precision(products)
            torch.backends.cudnn.allow_tf32 = convolutions


class Gpu(NamedTuple):
    """What a maker publishes of a GPU: peaks in TFLOP/s without sparsity, the bus in GB/s each way, and where.

    Half precision is bf16, on the T4 fp16, summed in float32; `tf32` is None where the GPU has no such mode.
    """

    name: str
    float32: float
    tf32: float | None
    half: float
    bus: float
    source: str


GPUS = (
    Gpu("T4", 8.1, None, 65.0, 15.8, "NVIDIA T4 datasheet, 2019; PCIe 3.0 x16"),
    Gpu("RTX 4090", 82.6, 82.6, 165.2, 31.5, "NVIDIA Ada GPU architecture whitepaper, 2022; PCIe 4.0 x16"),
    Gpu("A100 SXM", 19.5, 156.0, 312.0, 31.5, "NVIDIA A100 datasheet, 2021; PCIe 4.0 x16"),
    Gpu("H100 SXM", 66.9, 494.7, 989.4, 63.0, "NVIDIA H100 architecture whitepaper, 2022; PCIe 5.0 x16"),
)


def rate_at(curve: Curve, n: int) -> float:
    """GFLOP/s at side `n`: straight between the measured sides in a log-log plot, level beyond them.

    Raises: InputError for an empty curve and for sides or rates that are not above 0.
    """
    require(len(curve) >= 1, "curve", dict(curve), "one side with its rate, or more")
    require(min(*curve, *curve.values(), n) > 0, "sides and rates", (n, dict(curve)), "above 0")
    sides = sorted(curve)
    return float(np.exp(np.interp(np.log(n), np.log(sides), np.log([curve[side] for side in sides]))))


@dataclass(frozen=True)
class Offload:
    """A GPU to which float32 products of square matrices may be sent.

    curve: its rates. bus: GB/s, each way. call: seconds to start a product, where the curve does not hold them.
    copy: seconds to start a copy.
    """

    name: str
    curve: Curve
    bus: float
    call: float
    copy: float

    def seconds(self, n: int, *, travels: bool) -> float:
        """One product of n x n matrices: call + 2 n^3 / rate(n), and three copies where the data `travels`.

        Both factors then go to the GPU and the product comes back: 3 (copy + 4 n^2 bytes / bus).
        """
        copies = 3 * (self.copy + 4 * n**2 / (self.bus * 1e9)) if travels else 0.0
        return copies + self.call + _product_seconds(self.curve, n)

    def speed_up(self, cpu: Curve, n: int, *, travels: bool) -> float:
        """How many times faster than the CPU one product of n x n matrices is."""
        return _product_seconds(cpu, n) / self.seconds(n, travels=travels)

    def break_even(self, cpu: Curve, *, travels: bool) -> int | None:
        """The smallest side from which on the GPU is the faster; None where it is not at the largest measured one."""
        found = None
        for n in range(max(cpu), min(cpu) - 1, -1):
            if self.speed_up(cpu, n, travels=travels) < 1:
                break
            found = n
        return found


def _product_seconds(curve: Curve, n: int) -> float:
    """n^3 multiplications and as many additions."""
    return 2e-9 * n**3 / rate_at(curve, n)
