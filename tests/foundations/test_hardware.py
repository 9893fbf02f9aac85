"""The arithmetic of where a GPU begins to pay, and settings that are put back."""

import pytest
import torch

from foundations.errors import InputError
from foundations.hardware import Offload, Place, rate_at

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
    assert rate_at({32: 1.0, 128: 100.0}, 64) == pytest.approx(10)


def test_rates_beyond_the_measured_sides_stay_level():
    assert rate_at({32: 1.0, 128: 100.0}, 4096) == pytest.approx(100)


def test_the_order_of_the_sides_in_a_curve_does_not_matter():
    assert rate_at({128: 100.0, 32: 1.0}, 64) == pytest.approx(10)


@pytest.mark.parametrize(
    ("curve", "n", "message"),
    [({}, 32, "curve={}: must be one side"), ({32: 0.0}, 32, "rates.*above 0"), (LEVEL, 0, "above 0")],
)
def test_a_curve_that_gives_no_rate_is_refused(curve, n, message):
    with pytest.raises(InputError, match=message):
        rate_at(curve, n)


def test_a_place_chooses_threads_and_autocast():
    with Place(CPU, 1, "bf16").chosen():
        assert torch.get_num_threads() == 1
        assert torch.is_autocast_enabled("cpu")
    assert not torch.is_autocast_enabled("cpu")


def _settings() -> tuple[int, str, bool]:
    return torch.get_num_threads(), torch.get_float32_matmul_precision(), torch.backends.cudnn.allow_tf32


@pytest.mark.parametrize("precision", ["float32", "TF32", "bf16"])
@pytest.mark.parametrize("before", ["highest", "high"])
def test_a_place_leaves_threads_and_precision_as_they_were(precision, before):
    torch.set_float32_matmul_precision(before)
    try:
        settings = _settings()
        with Place(CPU, 1, precision).chosen():
            pass
        assert _settings() == settings
    finally:
        torch.set_float32_matmul_precision("highest")
