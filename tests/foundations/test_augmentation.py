import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from foundations.augmentation import affine, random_affine, random_crop, random_flip, random_noise
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


def test_a_turn_in_an_oblong_image_keeps_distances():
    dot = torch.zeros(100, 1, 41, 81)
    dot[:, :, 20, 60] = 1  # 20 pixels right of the centre
    turned = random_affine(dot, stream(), degrees=90)[:, 0]
    rows, columns = (torch.arange(size, dtype=torch.float32) - size // 2 for size in (41, 81))
    y, x = ((turned * where).sum((1, 2)) / turned.sum((1, 2)) for where in (rows[:, None], columns))
    inside = y.abs() < 18  # a dot turned out of the image is gone
    torch.testing.assert_close(torch.hypot(x, y)[inside], torch.full((100,), 20.0)[inside], atol=0.3, rtol=0)
    assert inside.sum() > 50


def test_turns_stay_within_their_bound_and_go_both_ways():
    dot = torch.zeros(300, 1, 41, 41)
    dot[:, :, 20, 35] = 1
    turned = random_affine(dot, stream(), degrees=30)[:, 0]
    place = torch.arange(41.0) - 20
    y, x = ((turned * where).sum((1, 2)) / turned.sum((1, 2)) for where in (place[:, None], place))
    degrees = torch.rad2deg(torch.atan2(y, x))
    assert 27 < degrees.max() < 32
    assert -32 < degrees.min() < -27


def test_scaling_changes_the_side_of_a_square_within_its_bound():
    square = torch.zeros(300, 1, 64, 64)
    square[:, :, 22:42, 22:42] = 1
    sides = random_affine(square, stream(), scale=0.25).sum((1, 2, 3)).sqrt() / 20
    assert 0.74 < sides.min() < 0.8
    assert 1.2 < sides.max() < 1.27


@pytest.mark.parametrize(
    ("probabilities", "dims"),
    [
        ({"horizontal": 1.0}, (3,)),
        ({"horizontal": 0.0, "vertical": 1.0}, (2,)),
        ({"horizontal": 1, "vertical": 1}, (2, 3)),
    ],
)
def test_a_certain_flip_is_torchs(probabilities, dims):
    assert torch.equal(random_flip(IMAGES, stream(), **probabilities), IMAGES.flip(dims))


def test_a_flip_of_probability_zero_changes_nothing():
    assert torch.equal(random_flip(IMAGES, stream(), horizontal=0), IMAGES)


@given(st.integers(0, 1000), st.floats(0, 1), st.floats(0, 1))
def test_the_same_flips_twice_are_the_identity(seed, horizontal, vertical):
    once = random_flip(IMAGES, stream(seed), horizontal=horizontal, vertical=vertical)
    assert torch.equal(random_flip(once, stream(seed), horizontal=horizontal, vertical=vertical), IMAGES)


def test_each_image_is_flipped_or_not_by_itself_at_the_asked_rate():
    images = torch.arange(2.0).view(1, 1, 1, 2).expand(4000, -1, -1, -1)
    flipped = random_flip(images, stream(), horizontal=0.3)[:, 0, 0, 0]
    assert set(flipped.tolist()) == {0.0, 1.0}
    assert flipped.mean().item() == pytest.approx(0.3, abs=0.03)


def test_bytes_stay_bytes_when_flipped_or_cropped():
    images = (255 * IMAGES).byte()
    assert random_flip(images, stream()).dtype == torch.uint8
    assert random_crop(images, stream(), size=28, padding=2).dtype == torch.uint8


def test_a_crop_of_the_whole_image_is_the_image():
    assert torch.equal(random_crop(IMAGES, stream(), size=28), IMAGES)


@given(st.integers(0, 1000), st.integers(1, 9), st.integers(1, 7), st.integers(0, 3))
def test_a_crop_is_a_window_of_the_padded_image(seed, height, width, padding):
    image = torch.arange(1.0, 64).view(1, 1, 9, 7)
    crop = random_crop(image, stream(seed), size=(height, width), padding=padding)[0, 0]
    padded = torch.nn.functional.pad(image, [padding] * 4)[0, 0]
    windows = padded.unfold(0, height, 1).unfold(1, width, 1).reshape(-1, height, width)
    assert crop.shape == (height, width)
    assert any(torch.equal(crop, window) for window in windows)


def test_a_crop_takes_the_same_window_of_every_channel():
    images = IMAGES[:1].expand(50, 3, -1, -1)
    crops = random_crop(images, stream(), size=20)
    assert torch.equal(crops[:, 0], crops[:, 2])


def test_all_places_of_a_window_are_alike():
    images = torch.arange(9.0).view(1, 1, 3, 3).expand(9000, -1, -1, -1)
    counts = random_crop(images, stream(), size=1).flatten().long().bincount(minlength=9)
    assert (counts - 1000).abs().max() < 130  # four standard deviations


def test_flips_and_crops_leave_the_global_random_stream_alone():
    before = torch.get_rng_state()
    random_crop(random_flip(IMAGES, stream()), stream(), size=24)
    assert torch.equal(before, torch.get_rng_state())


@pytest.mark.parametrize("probabilities", [{"horizontal": 1.5}, {"vertical": -0.1}, {"horizontal": math.nan}])
def test_impossible_probabilities_are_refused_by_name(probabilities):
    with pytest.raises(InputError, match=f"{next(iter(probabilities))}="):
        random_flip(IMAGES, stream(), **probabilities)


@pytest.mark.parametrize("settings", [{"size": 29}, {"size": 0}, {"size": (28, 33), "padding": 2}])
def test_a_window_that_does_not_fit_is_refused(settings):
    with pytest.raises(InputError, match="size="):
        random_crop(IMAGES, stream(), **settings)


def test_a_negative_padding_is_refused():
    with pytest.raises(InputError, match="padding=-1"):
        random_crop(IMAGES, stream(), size=20, padding=-1)


def test_a_single_image_without_its_batch_is_refused():
    for augment in (random_flip, random_affine):
        with pytest.raises(InputError, match="images shape"):
            augment(IMAGES[0], stream())


@pytest.mark.parametrize("bounds", [{"degrees": -1}, {"scale": 1.0}, {"shift": -0.1}])
def test_impossible_bounds_are_refused_by_name(bounds):
    with pytest.raises(InputError, match=f"{next(iter(bounds))}="):
        random_affine(IMAGES, stream(), **bounds)


@pytest.mark.parametrize("augment", [random_affine, lambda images, stream: random_noise(images, stream, largest=0.1)])
def test_bytes_are_refused_where_pixels_are_mixed(augment):
    with pytest.raises(InputError, match=r"input dtype=torch.uint8: .*/ 255"):
        augment((255 * IMAGES).byte(), stream())


def test_maps_for_another_number_of_images_are_refused():
    with pytest.raises(InputError, match="maps shape"):
        affine(IMAGES, torch.zeros(5, 2, 3))
