import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from foundations.clipping import clip_gradient_norm, clip_gradient_value
from foundations.errors import InputError


def _parameters(dtype=torch.float64, scale=1.0):
    generator = torch.Generator().manual_seed(0)
    parameters = [nn.Parameter(torch.zeros(shape, dtype=dtype)) for shape in [(3, 4), (5,), (2, 1, 2)]]
    for parameter in parameters[:2]:  # the last has no gradient
        parameter.grad = scale * torch.randn(parameter.shape, generator=generator).to(dtype)
    return parameters


def _gradients(parameters):
    return torch.cat([each.grad.flatten() for each in parameters if each.grad is not None])


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("norm_type", [1, 2, 3.5, math.inf])
@pytest.mark.parametrize("max_norm", [0.5, 100.0])
def test_norm_and_clipped_gradients_equal_torchs(max_norm, norm_type, dtype):
    own, reference = _parameters(dtype), _parameters(dtype)
    found = clip_gradient_norm(own, max_norm, norm_type)
    wanted = nn.utils.clip_grad_norm_(reference, max_norm, norm_type)
    assert torch.equal(found, wanted)
    assert torch.equal(_gradients(own), _gradients(reference))


@given(max_norm=st.floats(1e-3, 1e3), scale=st.floats(1e-3, 1e3))
def test_the_norm_is_never_above_the_bound_and_the_direction_stays(max_norm, scale):
    parameters = _parameters(scale=scale)
    before = _gradients(parameters)
    norm = clip_gradient_norm(parameters, max_norm)
    after = _gradients(parameters)
    assert norm.item() == pytest.approx(before.norm().item())
    assert after.norm() <= max_norm * (1 + 1e-9)
    assert torch.cosine_similarity(before, after, dim=0).item() == pytest.approx(1)


def test_a_gradient_within_the_bound_stays_as_it_is():
    parameters = _parameters()
    before = _gradients(parameters)
    clip_gradient_norm(parameters, 1e6)
    assert torch.equal(_gradients(parameters), before)


def test_values_are_cut_as_by_torch():
    own, reference = _parameters(), _parameters()
    clip_gradient_value(own, 0.3)
    nn.utils.clip_grad_value_(reference, 0.3)
    assert torch.equal(_gradients(own), _gradients(reference))
    assert _gradients(own).abs().max() == 0.3


def test_one_parameter_and_none_with_a_gradient_are_fine():
    parameter = nn.Parameter(torch.zeros(2))
    assert clip_gradient_norm(parameter, 1.0) == 0
    clip_gradient_value(iter([parameter]), 1.0)
    parameter.grad = torch.tensor([3.0, 4.0])
    assert clip_gradient_norm(parameter, 1.0) == 5
    torch.testing.assert_close(parameter.grad, torch.tensor([0.6, 0.8]))


@pytest.mark.parametrize(
    ("clip", "name"),
    [
        (lambda parameters: clip_gradient_norm(parameters, -1.0), "max_norm"),
        (lambda parameters: clip_gradient_norm(parameters, float("nan")), "max_norm"),
        (lambda parameters: clip_gradient_norm(parameters, 1.0, 0), "norm_type"),
        (lambda parameters: clip_gradient_value(parameters, -1.0), "max_value"),
        (lambda parameters: clip_gradient_value(parameters, float("nan")), "max_value"),
    ],
)
def test_impossible_bounds_are_refused_by_name(clip, name):
    with pytest.raises(InputError, match=f"^{name}="):
        clip(_parameters())
