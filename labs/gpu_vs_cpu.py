"""Measure where a GPU wins and where the CPU does: matrix products by size, training steps, transfers.

A GPU multiplies far faster, but each call of it costs some microseconds and data must travel to it: small networks gain
nothing. The run measures float32 products by size, with bf16 and, on CUDA, TF32 beside them; training steps of a small
MLP, of two convolutional networks and of an LSTM; copies between memories; on the CPU by number of threads, and on a
CUDA or MPS device where there is one. Without one it computes, from published figures of well-known GPUs, what they
would add, and marks that as published.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Annotated, ClassVar

from annotated_types import Ge

import foundations
import labs.kit as kit

if TYPE_CHECKING:
    import torch

    from foundations.hardware import Curve, Gpu, Offload, Place, Precision
    from foundations.timing import Step

topic = "hardware"
Network = Callable[["torch.Tensor"], "torch.Tensor"]

SLOW = 2.0  # a place that needs so many seconds for one product is spared larger ones
CALL_SECONDS = 10e-6  # what starting work on a GPU and waiting for it costs, about: assumed where none is there
REACHED = 0.5  # the share of a published peak that products are assumed to reach


@dataclass(frozen=True)
class Config(kit.Config):
    """Settings of the lab."""

    largest: Annotated[int, Ge(64)] = 2048
    """Largest side of the square matrices; sizes double from 32 on."""
    batch_size: kit.Count = 64
    """Samples a training step."""
    measure_seconds: kit.Rate = 0.3
    """Seconds that each figure takes, about; more is steadier."""

    presets: ClassVar[kit.Presets] = {
        "smoke": {"threads": 1, "largest": 256, "batch_size": 8, "measure_seconds": 0.02},
        "full": {"largest": 8192, "measure_seconds": 1.0},
    }
    useful_threads: ClassVar[int] = 256


def main(config: Config, run: kit.Run) -> None:
    """Products, steps, copies; then what follows from them."""
    import torch

    from labs.drawings import gpu_vs_cpu as drawings

    published = foundations.hardware.GPUS
    everywhere = places(run.device, torch.get_num_threads())
    curves = {place: products(place, config) for place in everywhere}
    steps = {place: training_steps(place, config, run.streams) for place in everywhere}
    copies = transfers(run.device, config.measure_seconds)
    cpu = highest_rates({place: curve for place, curve in curves.items() if place.device.type == "cpu"})
    offers = offloads({place: curve for place, curve in curves.items() if place.device.type != "cpu"}, copies)
    run.table("matrix_products", [{"side": n} | _rates(curves, n) for n in sizes(config.largest)])
    run.table("training_steps", [_milliseconds(steps, name) for name in steps[everywhere[0]]])
    run.table("transfers", copies)
    run.table("published", [_published_row(gpu) for gpu in published])
    run.table("break_even", [_offer_row(offer, cpu) for offer in offers])
    run.figure("matrix_products", drawings.draw_products(curves, {gpu.name: gpu.float32 for gpu in published}))
    run.figure("training_steps", drawings.draw_steps(steps, config.batch_size))
    run.figure("break_even", drawings.draw_break_even(cpu, offers, REACHED))
    run.summary({"speed/cpu_gflops_float32": max(cpu.values())})
    if run.device.type == "cpu":
        run.note("no GPU here: what is said of GPUs is computed from published figures, not measured")
    else:
        run.summary({"speed/gpu_gflops_float32": max(offers[0].curve.values())})


# --- what is measured -------------------------------------------------------------------------------------------------


def places(device: "torch.device", most: int) -> "list[Place]":
    """The CPU with 1, 2, 4, ... and `most` threads, and in bf16; then the accelerator in each of its precisions."""
    import torch

    from foundations.hardware import Place

    cpu = torch.device("cpu")
    counts = sorted({*(2**k for k in range(most.bit_length()) if 2**k <= most), most})
    found = [*(Place(cpu, threads) for threads in counts), Place(cpu, most, "bf16")]
    kinds: dict[str, tuple[Precision, ...]] = {"cuda": ("float32", "TF32", "bf16"), "mps": ("float32", "bf16")}
    return found + [Place(device, most, precision) for precision in kinds.get(device.type, ())]


def sizes(largest: int) -> list[int]:
    """32, 64, ... up to `largest`."""
    return [2**k for k in range(5, largest.bit_length())]


def products(place: "Place", config: Config) -> "Curve":
    """GFLOP/s of C = A B by the side n of the matrices: n^3 multiplications and as many additions."""
    found = {}
    with place.chosen():
        for n in sizes(config.largest):
            seconds = foundations.timing.seconds_per_call(_product(n, place), place.device, config.measure_seconds)
            found[n] = 2e-9 * n**3 / seconds
            if seconds > SLOW:
                break
    return found


def _product(n: int, place: "Place") -> "Step":
    import torch

    dtype = torch.bfloat16 if place.precision == "bf16" else torch.float32
    matrix = torch.linspace(-1, 1, n * n, device=place.device).view(n, n).to(dtype)
    return partial(torch.mm, matrix, matrix.flip(0), out=torch.empty_like(matrix))


def training_steps(place: "Place", config: Config, streams: "foundations.Streams") -> dict[str, float]:
    """Seconds of one update of each network: forward, backward, Adam."""
    with place.chosen():
        steps = _steps(place.device, config.batch_size, streams)
        return {
            name: foundations.timing.seconds_per_call(step, place.device, config.measure_seconds)
            for name, step in steps.items()
        }


def _steps(device: "torch.device", batch: int, streams: "foundations.Streams") -> "dict[str, Step]":
    import torch

    draws, labels = streams.torch("weights"), torch.arange(batch, device=device) % 10
    lstm, head = torch.nn.LSTM(28, 128, batch_first=True), foundations.Linear(128, 10, generator=draws)
    for weight in lstm.parameters():
        foundations.initializers.normal_(weight, 0.1, generator=draws)
    mlp = foundations.MLP((784, 256, 10), generator=draws)
    lenet, resnet = foundations.LeNet5(generator=draws), foundations.CifarResNet(8, generator=draws)
    rows: list[tuple[str, Network, list[torch.nn.Module], tuple[int, ...]]] = [
        ("MLP 784-256-10", mlp, [mlp], (784,)),
        ("LeNet-5, 28x28", lenet, [lenet], (1, 28, 28)),
        ("ResNet-8, 32x32", resnet, [resnet], (3, 32, 32)),
        ("LSTM 128, 28 steps", lambda x: head(lstm(x)[0][:, -1]), [lstm, head], (28, 28)),
    ]
    steps: dict[str, Step] = {}
    for name, network, parts, shape in rows:
        weights = [weight for part in parts for weight in part.to(device).parameters()]
        inputs = torch.rand(batch, *shape, generator=streams.torch("inputs")).to(device)
        steps[name] = partial(_update, network, foundations.Adam(weights), inputs, labels)
    return steps


def _update(network: Network, optimizer: "torch.optim.Optimizer", x: "torch.Tensor", labels: "torch.Tensor") -> None:
    optimizer.zero_grad()
    foundations.losses.cross_entropy_from_logits(network(x), labels).backward()
    optimizer.step()


def transfers(device: "torch.device", budget: float) -> list[dict[str, object]]:
    """GB/s of copies within the host's memory, and between it and the device, from pageable and pinned memory."""
    import torch

    rows: list[dict[str, object]] = []
    for size in (2**12, 2**16, 2**20, 2**24, 2**26):
        host, there = torch.ones(size // 4), torch.ones(size // 4, device=device)
        ways = {"host to host": (host, torch.empty_like(host))}
        if device.type != "cpu":
            ways |= {"host to device": (host, there), "device to host": (there, host)}
        if device.type == "cuda":
            pinned = host.pin_memory()
            ways |= {"pinned host to device": (pinned, there), "device to pinned host": (there, pinned)}
        for way, (source, target) in ways.items():
            seconds = foundations.timing.seconds_per_call(partial(target.copy_, source), device, budget)
            rates = {"microseconds": round(1e6 * seconds, 2), "GB/s": round(size / seconds / 1e9, 2)}
            rows.append({"copy": way, "bytes": size, **rates})
    return rows


# --- what follows from it ---------------------------------------------------------------------------------------------


def offloads(measured: "Mapping[Place, Curve]", copies: Sequence[Mapping[str, object]]) -> "list[Offload]":
    """The GPU that was measured; without one, the published ones at `REACHED` of their peak."""
    from foundations.hardware import GPUS, Offload

    if not measured:
        return [
            Offload(gpu.name, {1: 1e3 * REACHED * gpu.float32}, gpu.bus, CALL_SECONDS, CALL_SECONDS) for gpu in GPUS
        ]
    there = [row for row in copies if str(row["copy"]) == "host to device"]
    start, bus = float(str(there[0]["microseconds"])) * 1e-6, max(float(str(row["GB/s"])) for row in there)
    return [Offload(f"{next(iter(measured)).device.type.upper()}, measured", highest_rates(measured), bus, 0.0, start)]


def highest_rates(curves: "Mapping[Place, Curve]") -> "Curve":
    """The highest float32 rate of any place at each side."""
    found: dict[int, float] = {}
    for place, curve in curves.items():
        if place.precision == "float32":
            found |= {n: max(rate, found.get(n, 0.0)) for n, rate in curve.items()}
    return found


# --- how it is shown --------------------------------------------------------------------------------------------------


def _rates(curves: "Mapping[Place, Curve]", n: int) -> dict[str, object]:
    return {f"{place.name}, GFLOP/s": round(curve[n], 1) if n in curve else "" for place, curve in curves.items()}


def _milliseconds(steps: "Mapping[Place, Mapping[str, float]]", name: str) -> dict[str, object]:
    return {"step of": name} | {f"{place.name}, ms": round(1e3 * found[name], 3) for place, found in steps.items()}


def _published_row(gpu: "Gpu") -> dict[str, object]:
    return {
        "GPU": gpu.name,
        "float32, TFLOP/s": gpu.float32,
        "TF32, TFLOP/s": gpu.tf32 or "none",
        "half precision, TFLOP/s": gpu.half,
        "bus each way, GB/s": gpu.bus,
        "published in": gpu.source,
    }


def _offer_row(offer: "Offload", cpu: "Curve") -> dict[str, object]:
    """What a GPU would add to this machine."""
    travel, stay = (offer.break_even(cpu, travels=travels) or "not reached" for travels in (True, False))
    return {
        "GPU": offer.name,
        "product rate / this CPU's": round(max(offer.curve.values()) / max(cpu.values()), 1),
        "ms to send 1 MB": round(1e3 * (offer.copy + 1e-3 / offer.bus), 3),
        "break-even side, data travel": travel,
        "break-even side, data stay": stay,
    }


if __name__ == "__main__":
    kit.launch(main)
