import math

import pytest
import torch

from foundations.augmentation import affine, random_affine, random_noise
from foundations.errors import InputError


def stream(seed=0):
    return torch.Generator().manual_seed(seed)


def rotation(angle):
    return torch.tensor([[math.cos(angle), -math.sin(angle), 0.0], [math.sin(angle), math.cos(angle), 0.0]])


IMAGES = torch.rand(6, 1, 28, 28, generator=torch.Generator().manual_seed(1))


def test_a_map_by_a_quarter_turn_is_torchs_rot90():
    turned = affine(IMAGES, rotation(math.pi / 2).expand(6, 2, 3))
    torch.testing.assert_close(turned, IMAGES.rot90(1, (2, 3)), atol=1e-5, rtol=0)


def test_a_map_by_a_whole_pixel_shifts_and_fills_with_zeros():
    one_pixel_left = torch.tensor([[1.0, 0, 2 / 28], [0, 1, 0]])
    shifted = affine(IMAGES, one_pixel_left.expand(6, 2, 3))
    torch.testing.assert_close(shifted[..., :-1], IMAGES[..., 1:], atol=1e-5, rtol=0)
    assert shifted[..., -1].abs().max() < 1e-5


def test_without_bounds_images_stay_as_they_are():
    torch.testing.assert_close(random_affine(IMAGES, stream()), IMAGES, atol=1e-5, rtol=0)


def test_each_image_is_moved_in_its_own_way():
    moved = random_affine(IMAGES[:1].expand(6, -1, -1, -1), stream(), degrees=10, scale=0.1, shift=0.1)
    assert all(not torch.equal(moved[0], other) for other in moved[1:])


def test_shifts_stay_within_their_bound():
    dot = torch.zeros(200, 1, 29, 29)
    dot[:, :, 14, 14] = 1
    rows = random_affine(dot, stream(), shift=0.1).flatten(1).argmax(1).div(29, rounding_mode="floor")
    assert (rows - 14).abs().max() <= math.ceil(0.1 * 29)
    assert (rows - 14).abs().max() >= 2


def test_one_stream_makes_the_same_images_again():
    one, other = (random_affine(IMAGES, stream(5), degrees=10, shift=0.1) for _ in range(2))
    assert torch.equal(one, other)


def test_noise_falls_on_the_asked_share_and_stays_in_the_unit_range():
    images = torch.full((2000, 1, 4, 4), 0.5)
    noisy = random_noise(images, stream(), largest=0.2, share=0.25)
    touched = (noisy != 0.5).flatten(1).any(1).double().mean()
    assert touched.item() == pytest.approx(0.25, abs=0.04)
    assert noisy.min() >= 0
    assert noisy.max() <= 1


def test_noise_has_the_spread_of_a_uniform_standard_deviation():
    noise = random_noise(torch.full((4000, 1, 6, 6), 0.5), stream(), largest=0.1, share=1.0) - 0.5
    assert noise.std().item() == pytest.approx(0.1 / math.sqrt(3), rel=0.05)  # the mean of s^2 is largest^2 / 3


def test_augmenting_leaves_the_global_random_stream_alone():
    before = torch.get_rng_state()
    random_noise(random_affine(IMAGES, stream(), degrees=5), stream(), largest=0.1)
    assert torch.equal(before, torch.get_rng_state())


@pytest.mark.parametrize("bounds", [{"degrees": -1}, {"scale": 1.0}, {"shift": -0.1}])
def test_impossible_bounds_are_refused_by_name(bounds):
    with pytest.raises(InputError, match=f"{next(iter(bounds))}="):
        random_affine(IMAGES, stream(), **bounds)


def test_maps_for_another_number_of_images_are_refused():
    with pytest.raises(InputError, match="maps shape"):
        affine(IMAGES, torch.zeros(5, 2, 3))
