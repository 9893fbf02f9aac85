import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from foundations.errors import InputError
from foundations.pooling import AveragePool2d, GlobalAveragePool, GlobalMaxPool, MaxPool2d

SETTINGS = {
    "plain": {"kernel_size": 2},
    "overlapping": {"kernel_size": 3, "stride": 2},
    "padded": {"kernel_size": 3, "stride": 2, "padding": 1},
    "not square": {"kernel_size": (2, 3), "stride": (1, 2), "padding": (1, 0)},
    "rounded up": {"kernel_size": 3, "stride": 2, "ceil_mode": True},
    "rounded up and padded": {"kernel_size": (2, 4), "stride": 3, "padding": (1, 2), "ceil_mode": True},
}
TWINS = {MaxPool2d: nn.MaxPool2d, AveragePool2d: nn.AvgPool2d}
GLOBAL = {GlobalAveragePool: nn.AdaptiveAvgPool2d, GlobalMaxPool: nn.AdaptiveMaxPool2d}


@pytest.mark.parametrize("body", ["kernel", "equations"])
@pytest.mark.parametrize("case", SETTINGS)
@pytest.mark.parametrize("kind", TWINS)
def test_agrees_with_torch(kind, case, body, assert_twins, generator):
    x = torch.randn(2, 3, 8, 7, generator=generator)
    assert_twins(kind(**SETTINGS[case], body=body), TWINS[kind](**SETTINGS[case]), x)


@pytest.mark.parametrize("body", ["kernel", "equations"])
@pytest.mark.parametrize("kind", TWINS)
def test_passes_gradcheck(kind, body, generator):
    x = torch.randn(2, 2, 5, 4, generator=generator, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(kind(3, 2, 1, body=body), x)


@pytest.mark.parametrize("body", ["kernel", "equations"])
def test_of_equal_pixels_the_first_takes_the_gradient(body):
    x = torch.zeros(1, 1, 2, 2, requires_grad=True)
    MaxPool2d(2, body=body)(x).sum().backward()
    assert x.grad.flatten().tolist() == [1, 0, 0, 0]


@pytest.mark.parametrize("body", ["kernel", "equations"])
def test_padding_never_wins_the_maximum_but_lowers_the_average(body):
    x = torch.full((1, 1, 2, 2), -4.0)
    assert (MaxPool2d(2, 2, 1, body=body)(x) == -4).all()
    assert (AveragePool2d(2, 2, 1, body=body)(x) == -1).all()


@given(
    size=st.integers(1, 9),
    kernel=st.integers(1, 4),
    stride=st.integers(1, 5),
    padding=st.integers(0, 2),
    ceil_mode=st.booleans(),
)
@pytest.mark.parametrize("kind", TWINS)
def test_values_are_those_of_torch_for_any_size_or_it_is_refused(kind, size, kernel, stride, padding, ceil_mode):
    x = torch.arange(size * (size + 1.0)).sin().view(1, 1, size, size + 1)
    try:
        wanted = TWINS[kind](kernel, stride, padding, ceil_mode=ceil_mode)(x)
    except RuntimeError:
        with pytest.raises(InputError):
            kind(kernel, stride, padding, ceil_mode, body="equations")(x)
    else:
        torch.testing.assert_close(kind(kernel, stride, padding, ceil_mode, body="equations")(x), wanted)


@pytest.mark.parametrize(
    ("settings", "name"),
    [
        ({"kernel_size": 0}, "kernel_size"),
        ({"kernel_size": (2, 2, 2)}, "kernel_size"),
        ({"kernel_size": 2.5}, "kernel_size"),
        ({"kernel_size": 2, "stride": 0}, "stride"),
        ({"kernel_size": 2, "padding": -1}, "padding"),
        ({"kernel_size": 3, "padding": 2}, "padding"),
    ],
)
@pytest.mark.parametrize("kind", TWINS)
def test_impossible_settings_are_refused_by_name(kind, settings, name):
    with pytest.raises(InputError, match=f"^{name}="):
        kind(**settings)


@pytest.mark.parametrize("kind", TWINS)
def test_a_window_larger_than_the_image_is_refused(kind):
    with pytest.raises(InputError, match=r"input shape=\(1, 1, 3, 3\): must be no smaller than the window \(4, 4\)"):
        kind(4)(torch.zeros(1, 1, 3, 3))


@pytest.mark.parametrize("kind", TWINS)
def test_images_of_another_shape_are_refused(kind):
    with pytest.raises(InputError, match=r"must be \(batch, channels, height, width\)"):
        kind(2)(torch.zeros(28, 28))


@pytest.mark.parametrize("layer", [MaxPool2d(2), AveragePool2d(2), GlobalAveragePool(), GlobalMaxPool()])
def test_bytes_are_refused_with_the_remedy(layer):
    with pytest.raises(InputError, match=r"input dtype=torch.uint8: must be a floating-point type; .*/ 255"):
        layer(torch.zeros(1, 1, 4, 4, dtype=torch.uint8))


@pytest.mark.parametrize("kind", GLOBAL)
def test_global_pool_agrees_with_torch(kind, assert_twins, generator):
    reference = nn.Sequential(GLOBAL[kind](1), nn.Flatten())
    assert_twins(kind(), reference, torch.randn(2, 3, 5, 4, generator=generator))


@pytest.mark.parametrize("kind", GLOBAL)
@given(batch=st.integers(0, 3), channels=st.integers(1, 4), places=st.lists(st.integers(1, 4), min_size=1, max_size=3))
def test_global_pool_leaves_one_number_a_channel(kind, batch, channels, places):
    assert kind()(torch.zeros(batch, channels, *places)).shape == (batch, channels)


@pytest.mark.parametrize("kind", GLOBAL)
@pytest.mark.parametrize("shape", [(2, 3), (2, 3, 0, 4)])
def test_global_pool_refuses_what_has_no_places(kind, shape):
    with pytest.raises(InputError, match="input shape="):
        kind()(torch.zeros(shape))
