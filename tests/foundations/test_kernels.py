import pytest
import torch
from scipy import ndimage

from foundations import kernels
from foundations.errors import InputError

EDGES = ["PREWITT_X", "PREWITT_Y", "SOBEL_X", "SOBEL_Y", "LAPLACIAN"]
KEPT = {
    **{name: getattr(kernels, name) for name in ("IDENTITY", "SHARPEN", "EMBOSS")},
    "box": kernels.box_blur(5),
    "gaussian": kernels.gaussian_blur(5, 1.2),
}


def test_a_vertical_edge_under_prewitts_kernel_answers_two():
    image = torch.tensor([[0.0, 0, 1], [1, 0, 1], [0, 1, 1]])
    assert (image * kernels.PREWITT_X).sum() == 2
    assert kernels.filter_images(image.view(1, 1, 3, 3), kernels.PREWITT_X)[0, 0, 1, 1] == 2


@pytest.mark.parametrize("name", EDGES)
def test_edge_detector_is_silent_on_an_even_surface_its_rim_included(name):
    assert not kernels.filter_images(torch.full((1, 1, 6, 6), 0.75), getattr(kernels, name)).any()


@pytest.mark.parametrize("name", KEPT)
def test_other_kernels_keep_an_even_surface(name):
    even = torch.full((1, 1, 7, 7), 0.5)
    torch.testing.assert_close(kernels.filter_images(even, KEPT[name]), even)


@pytest.mark.parametrize(("name", "peak"), [("SOBEL_X", 4.0), ("PREWITT_X", 3.0), ("SOBEL_Y", 0.0), ("PREWITT_Y", 0.0)])
def test_step_to_the_right_excites_only_the_kernels_along_x(name, peak):
    image = torch.zeros(1, 1, 5, 6)
    image[..., 3:] = 1
    assert kernels.filter_images(image, getattr(kernels, name)).abs().max() == peak


@pytest.mark.parametrize("name", ["SOBEL_X", "LAPLACIAN", "EMBOSS"])
def test_filtering_agrees_with_scipy(name, generator):
    images, kernel = torch.rand(2, 3, 7, 9, generator=generator), getattr(kernels, name)
    wanted = ndimage.correlate(images.numpy(), kernel.numpy()[None, None], mode="nearest")
    torch.testing.assert_close(kernels.filter_images(images, kernel), torch.from_numpy(wanted))


def test_every_channel_is_filtered_by_itself():
    images = torch.zeros(1, 3, 5, 5)
    images[0, 1, 2, 2] = 1
    filtered = kernels.filter_images(images, kernels.box_blur())
    assert filtered[0, 1].sum() == pytest.approx(1)
    assert not filtered[0, [0, 2]].any()


def test_gaussian_blur_falls_as_the_bell_curve():
    kernel = kernels.gaussian_blur(5, 2.0)
    assert kernel.sum() == pytest.approx(1)
    assert (kernel[2, 4] / kernel[2, 2]).item() == pytest.approx(torch.tensor(-0.5).exp().item())


@pytest.mark.parametrize(
    ("build", "name"),
    [
        (lambda: kernels.box_blur(0), "size"),
        (lambda: kernels.gaussian_blur(4), "size"),
        (lambda: kernels.gaussian_blur(5, 0.0), "sigma"),
        (lambda: kernels.gaussian_blur(5, float("nan")), "sigma"),
    ],
)
def test_impossible_blurs_are_refused_by_name(build, name):
    with pytest.raises(InputError, match=f"^{name}="):
        build()


@pytest.mark.parametrize(
    ("images", "kernel", "name"),
    [
        (torch.zeros(5, 5), kernels.SHARPEN, "input shape"),
        (torch.zeros(1, 1, 5, 5, dtype=torch.uint8), kernels.SHARPEN, "input dtype"),
        (torch.zeros(1, 1, 5, 5), torch.ones(2, 3), "kernel shape"),
        (torch.zeros(1, 1, 5, 5), torch.ones(3), "kernel shape"),
    ],
)
def test_wrong_operands_are_refused_by_name(images, kernel, name):
    with pytest.raises(InputError, match=f"^{name}="):
        kernels.filter_images(images, kernel)
