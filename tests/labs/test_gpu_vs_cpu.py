"""The lab of processors: what it times, and which GPUs it holds against the CPU."""

import pytest
import torch

from foundations.hardware import GPUS, Place
from labs.gpu_vs_cpu import Config, highest_rates, offloads, places, products, sizes, transfers

CPU = torch.device("cpu")


def test_the_best_rate_at_each_side_leaves_rounded_precisions_out():
    curves = {Place(CPU, 1): {32: 5.0, 64: 5.0}, Place(CPU, 2): {32: 1.0, 64: 9.0}, Place(CPU, 2, "bf16"): {32: 99.0}}
    assert highest_rates(curves) == {32: 5.0, 64: 9.0}


def test_without_a_gpu_every_published_one_is_offered_at_half_its_peak():
    offers = offloads({}, [])
    assert [offer.name for offer in offers] == [gpu.name for gpu in GPUS]
    assert offers[0].curve == {1: 1e3 * GPUS[0].float32 / 2}


def test_a_measured_gpu_is_offered_alone_with_its_measured_copies():
    copies = [
        {"copy": "host to device", "bytes": size, "microseconds": 8.0, "GB/s": rate}
        for size, rate in ((1, 0.5), (2, 12.0))
    ]
    (offer,) = offloads({Place(torch.device("cuda"), 1): {32: 3.0}}, copies)
    assert (offer.curve, offer.bus, offer.copy, offer.call) == ({32: 3.0}, 12.0, 8e-6, 0.0)


@pytest.mark.parametrize(("most", "threads"), [(1, [1, 1]), (6, [1, 2, 4, 6, 6]), (8, [1, 2, 4, 8, 8])])
def test_the_cpu_is_tried_with_doubling_threads_and_all(most, threads):
    assert [place.threads for place in places(CPU, most)] == threads


def test_cuda_is_tried_in_each_precision():
    names = [place.name for place in places(torch.device("cuda"), 1)]
    assert names[-3:] == ["CUDA, float32", "CUDA, TF32", "CUDA, bf16"]


def test_sides_double_up_to_the_largest():
    assert sizes(300) == [32, 64, 128, 256]


def test_products_are_measured_at_every_side():
    found = products(Place(CPU, 1), Config(largest=64, measure_seconds=1e-3))
    assert list(found) == [32, 64]
    assert all(rate > 0 for rate in found.values())


def test_on_a_cpu_only_the_hosts_own_copies_are_timed():
    assert {row["copy"] for row in transfers(CPU, 1e-3)} == {"host to host"}
