"""What all tests share: steady examples, twins compared, a fixed stream of numbers."""

import os

# Before torch and NumPy are loaded, and for every process that a test starts: on two threads, beside another process,
# small tests take several times as long as on one.
for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_name, "1")

import copy
from collections.abc import Callable

import pytest
import torch
from hypothesis import settings
from torch import Tensor, nn

# No deadline and always the same examples: a busy machine fails no test.
settings.register_profile("steady", deadline=None, derandomize=True)
settings.load_profile("steady")

TOLERANCES = {torch.float32: 1e-5, torch.float64: 1e-10}


def _value_and_gradients(module: nn.Module, x: Tensor) -> dict[str, Tensor]:
    leaf = x.clone().requires_grad_()
    y = module(leaf)
    slopes = torch.linspace(-1, 1, y.numel(), dtype=y.dtype).view(y.shape)
    (y * slopes / slopes.norm()).sum().backward()
    found = {"value": y.detach(), "gradient of the input": leaf.grad}
    found |= {f"gradient of {name}": parameter.grad for name, parameter in module.named_parameters()}
    return found | {f"buffer {name}": buffer for name, buffer in module.named_buffers()}


def _assert_twins(own: nn.Module, reference: nn.Module, x: Tensor) -> None:
    for dtype, tolerance in TOLERANCES.items():
        left, right = copy.deepcopy(own).to(dtype), copy.deepcopy(reference).to(dtype)
        right.load_state_dict(left.state_dict())  # strict: the same names and shapes
        found, wanted = _value_and_gradients(left, x.to(dtype)), _value_and_gradients(right, x.to(dtype))
        assert found.keys() == wanted.keys()
        for name, tensor in wanted.items():
            torch.testing.assert_close(
                found[name], tensor, rtol=tolerance, atol=tolerance, msg=lambda text, name=name: f"{name}: {text}"
            )


@pytest.fixture
def assert_twins() -> Callable[[nn.Module, nn.Module, Tensor], None]:
    """Values, gradients of input and weights, and buffers agree: 1e-5 in float32, 1e-10 in float64."""
    return _assert_twins


@pytest.fixture
def generator() -> torch.Generator:
    return torch.Generator().manual_seed(0)
