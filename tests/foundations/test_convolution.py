import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from foundations.convolution import Conv2d, ConvTranspose2d
from foundations.errors import InputError

CONVOLUTIONS = {
    "plain": {"kernel_size": 3},
    "1x1 without bias": {"kernel_size": 1, "bias": False},
    "not square": {"kernel_size": (2, 5)},
    "stride and padding": {"kernel_size": 4, "stride": 2, "padding": 1},
    "different in height and width": {"kernel_size": (3, 2), "stride": (1, 3), "padding": (2, 0), "dilation": (2, 1)},
    "dilation": {"kernel_size": 3, "dilation": 2},
    "two groups": {"kernel_size": 3, "groups": 2},
}
TRANSPOSED = {
    "plain": {"kernel_size": 3},
    "1x1 without bias": {"kernel_size": 1, "bias": False},
    "not square": {"kernel_size": (2, 5)},
    "doubling": {"kernel_size": 4, "stride": 2, "padding": 1},
    "output padding": {"kernel_size": 3, "stride": 2, "padding": 1, "output_padding": 1},
    "different in height and width": {"kernel_size": (3, 2), "stride": (2, 3), "output_padding": (0, 2)},
}


@pytest.mark.parametrize("body", ["kernel", "equations"])
@pytest.mark.parametrize("case", CONVOLUTIONS)
def test_convolution_agrees_with_torch(case, body, assert_twins, generator):
    own = Conv2d(4, 6, **CONVOLUTIONS[case], generator=generator, body=body)
    assert_twins(own, nn.Conv2d(4, 6, **CONVOLUTIONS[case]), torch.randn(2, 4, 9, 8, generator=generator))


@pytest.mark.parametrize("body", ["kernel", "equations"])
@pytest.mark.parametrize("case", TRANSPOSED)
def test_transposed_convolution_agrees_with_torch(case, body, assert_twins, generator):
    own = ConvTranspose2d(4, 3, **TRANSPOSED[case], generator=generator, body=body)
    assert_twins(own, nn.ConvTranspose2d(4, 3, **TRANSPOSED[case]), torch.randn(2, 4, 5, 4, generator=generator))


@pytest.mark.parametrize("body", ["kernel", "equations"])
@pytest.mark.parametrize("kind", [Conv2d, ConvTranspose2d])
def test_passes_gradcheck(kind, body, generator):
    layer = kind(2, 3, 3, 2, 1, generator=generator, body=body).double()
    x = torch.randn(2, 2, 4, 4, generator=generator, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(layer, x)


@pytest.mark.parametrize("kind", ["Conv2d", "ConvTranspose2d"])
def test_begins_as_torchs_does_from_the_same_seed(kind, generator):
    own = {"Conv2d": Conv2d, "ConvTranspose2d": ConvTranspose2d}[kind](3, 5, 4, generator=generator)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        reference = getattr(nn, kind)(3, 5, 4)
    torch.testing.assert_close(own.weight, reference.weight)
    torch.testing.assert_close(own.bias, reference.bias)


@pytest.mark.parametrize("body", ["kernel", "equations"])
def test_kernel_is_not_flipped(body):
    layer = Conv2d(1, 1, (1, 2), bias=False, body=body)
    layer.load_state_dict({"weight": torch.tensor([[[[1.0, 10.0]]]])})
    assert layer(torch.tensor([[[[2.0, 3.0]]]])).item() == 2 * 1 + 3 * 10


@pytest.mark.parametrize("body", ["kernel", "equations"])
def test_vertical_edge_kernel_answers_at_the_edge_alone(body):
    image = torch.zeros(1, 1, 5, 6)
    image[..., 3:] = 1
    layer = Conv2d(1, 1, 3, bias=False, body=body)
    layer.load_state_dict({"weight": torch.tensor([[-1.0, 0, 1], [-2, 0, 2], [-1, 0, 1]]).view(1, 1, 3, 3)})
    assert torch.equal(layer(image)[0, 0], torch.tensor([[0.0, 4, 4, 0]] * 3))


@given(
    size=st.integers(1, 12),
    kernel=st.integers(1, 4),
    stride=st.integers(1, 3),
    padding=st.integers(0, 2),
    dilation=st.integers(1, 2),
)
def test_output_has_the_size_that_torch_gives_or_is_refused(size, kernel, stride, padding, dilation):
    settings = (kernel, stride, padding, dilation)
    x = torch.zeros(1, 1, size, size + 1)
    own, reference = Conv2d(1, 1, *settings, body="equations"), nn.Conv2d(1, 1, *settings)
    if dilation * (kernel - 1) + 1 > size + 2 * padding:
        with pytest.raises(InputError, match="no smaller than the kernel"):
            own(x)
    else:
        assert own(x).shape == reference(x).shape


@given(
    size=st.integers(1, 6),
    kernel=st.integers(1, 5),
    stride=st.integers(1, 3),
    padding=st.integers(0, 2),
    extra=st.integers(0, 2),
)
def test_transposed_output_has_the_size_that_torch_gives_or_is_refused(size, kernel, stride, padding, extra):
    def run() -> torch.Tensor:
        layer = ConvTranspose2d(1, 1, kernel, stride, padding, extra, body="equations")
        return layer(torch.zeros(1, 1, size, size))

    if extra >= stride or stride * (size - 1) - 2 * padding + kernel + extra < 1:
        with pytest.raises(InputError):
            run()
    else:
        reference = nn.ConvTranspose2d(1, 1, kernel, stride, padding, extra)
        assert run().shape == reference(torch.zeros(1, 1, size, size)).shape


def test_transposed_convolution_is_the_gradient_of_the_convolution(generator):
    down = Conv2d(2, 3, 4, stride=2, padding=1, bias=False, generator=generator).double()
    up = ConvTranspose2d(3, 2, 4, stride=2, padding=1, bias=False, generator=generator).double()
    up.load_state_dict(down.state_dict())
    x = torch.randn(1, 2, 8, 8, generator=generator, dtype=torch.float64, requires_grad=True)
    slopes = torch.randn(1, 3, 4, 4, generator=generator, dtype=torch.float64)
    (wanted,) = torch.autograd.grad(down(x), x, slopes)
    torch.testing.assert_close(up(slopes), wanted, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize(
    ("settings", "name"),
    [
        ({"kernel_size": 0}, "kernel_size"),
        ({"kernel_size": (3, 3, 3)}, "kernel_size"),
        ({"kernel_size": 2.5}, "kernel_size"),
        ({"kernel_size": 3, "stride": 0}, "stride"),
        ({"kernel_size": 3, "padding": -1}, "padding"),
        ({"kernel_size": 3, "dilation": 0}, "dilation"),
        ({"kernel_size": 3, "groups": 3}, "in_channels"),
        ({"kernel_size": 3, "groups": 0}, "groups"),
    ],
)
def test_convolution_refuses_impossible_settings_by_name(settings, name):
    with pytest.raises(InputError, match=f"^{name}="):
        Conv2d(4, 4, **settings)


def test_output_padding_not_below_the_stride_is_refused():
    with pytest.raises(InputError, match=r"output_padding=2: must be smaller than stride=\(2, 2\)"):
        ConvTranspose2d(1, 1, 3, stride=2, output_padding=2)


@pytest.mark.parametrize("kind", [Conv2d, ConvTranspose2d])
@pytest.mark.parametrize("shape", [(28, 28), (1, 28, 28), (2, 3, 28, 28)])
def test_images_of_another_shape_are_refused(kind, shape):
    with pytest.raises(InputError, match=r"input shape=.*: must be \(batch, 1, height, width\)"):
        kind(1, 1, 3)(torch.zeros(shape))


@pytest.mark.parametrize("kind", [Conv2d, ConvTranspose2d])
def test_bytes_are_refused_with_the_remedy(kind):
    with pytest.raises(InputError, match=r"input dtype=torch.uint8: must be a floating-point type; .*/ 255"):
        kind(1, 1, 3)(torch.zeros(2, 1, 8, 8, dtype=torch.uint8))


@pytest.mark.parametrize("kind", [Conv2d, ConvTranspose2d])
def test_a_passed_generator_leaves_the_global_stream_alone(kind, generator):
    before = torch.get_rng_state()
    kind(1, 2, 3, generator=generator)
    assert torch.equal(torch.get_rng_state(), before)
