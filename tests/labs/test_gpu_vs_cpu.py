"""The lab of processors: what it times, and the arithmetic of where a GPU begins to pay."""

import pytest
import torch

from labs.gpu_vs_cpu import (
    GPUS,
    Config,
    Offload,
    Place,
    at_side,
    best,
    offloads,
    places,
    products,
    seconds_per_call,
    sizes,
    transfers,
)

CPU = torch.device("cpu")
LEVEL = {32: 100.0, 1024: 100.0}
"""A CPU of 100 GFLOP/s at every size."""


def offload(*, rate: float = 1e4, bus: float = 10.0, call: float = 0.0, copy: float = 0.0) -> Offload:
    return Offload("made", {1: rate}, bus, call, copy)


def test_a_product_that_stays_takes_its_start_and_its_operations():
    assert offload(call=1e-5).seconds(1000, travels=False) == pytest.approx(1e-5 + 2e9 / 1e13)


def test_a_product_that_travels_takes_three_copies_as_well():
    stays, travels = (offload(copy=1e-6).seconds(1000, travels=way) for way in (False, True))
    assert travels - stays == pytest.approx(3 * (1e-6 + 4e6 / 1e10))


def test_the_break_even_is_where_the_start_of_a_kernel_is_paid():
    # 2 n^3 / 1e11 = 1e-5 + 2 n^3 / 1e13: n^3 = 505,050.5, n = 79.6
    assert offload(call=1e-5).break_even(LEVEL, travels=False) == 80


def test_a_gpu_slower_than_the_cpu_never_pays():
    assert offload(rate=50).break_even(LEVEL, travels=False) is None


def test_a_gpu_that_is_always_faster_pays_from_the_smallest_side():
    assert offload().break_even(LEVEL, travels=False) == 32


def test_rates_between_sides_are_interpolated_in_logarithms():
    assert at_side({32: 1.0, 128: 100.0}, 64) == pytest.approx(10)
    assert at_side({32: 1.0, 128: 100.0}, 4096) == pytest.approx(100)


def test_the_best_rate_at_each_side_leaves_rounded_precisions_out():
    curves = {Place(CPU, 1): {32: 5.0, 64: 5.0}, Place(CPU, 2): {32: 1.0, 64: 9.0}, Place(CPU, 2, "bf16"): {32: 99.0}}
    assert best(curves) == {32: 5.0, 64: 9.0}


def test_without_a_gpu_every_published_one_is_offered_at_half_its_peak():
    offers = offloads({}, [])
    assert [offer.name for offer in offers] == [gpu[0] for gpu in GPUS]
    assert offers[0].curve == {1: 1e3 * GPUS[0][1] / 2}


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


def test_a_place_leaves_threads_and_precision_as_they_were():
    before = torch.get_num_threads(), torch.get_float32_matmul_precision()
    with Place(CPU, 1, "bf16").chosen():
        assert torch.get_num_threads() == 1
        assert torch.is_autocast_enabled("cpu")
    assert (torch.get_num_threads(), torch.get_float32_matmul_precision()) == before
    assert not torch.is_autocast_enabled("cpu")


def test_sides_double_up_to_the_largest():
    assert sizes(300) == [32, 64, 128, 256]


def test_a_call_is_timed_without_its_warm_up():
    calls = []
    assert seconds_per_call(lambda: calls.append(1), CPU, 1e-4) < 1e-3
    assert len(calls) > 7


def test_products_are_measured_at_every_side():
    found = products(Place(CPU, 1), Config(largest=64, measure_seconds=1e-3))
    assert list(found) == [32, 64]
    assert all(rate > 0 for rate in found.values())


def test_on_a_cpu_only_the_hosts_own_copies_are_timed():
    assert {row["copy"] for row in transfers(CPU, 1e-3)} == {"host to host"}
