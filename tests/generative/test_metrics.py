import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import linalg

from foundations.errors import InputError
from generative.judge import load_judge
from generative.metrics import (
    Assessor,
    frechet_distance,
    gaussian_of,
    inception_score,
    nearest_distances,
    noisy,
    smallest_class_share,
    spread,
    yardsticks,
)


def stream(seed=0):
    return torch.Generator().manual_seed(seed)


def random_covariance(size, seed):
    root = torch.randn(size, size, generator=stream(seed), dtype=torch.float64)
    return root @ root.T / size


@pytest.fixture(scope="module")
def assessor(digit_images):
    return Assessor(load_judge(), digit_images[:1200])


# --- Inception Score --------------------------------------------------------------------------------------------------


def test_inception_score_of_clear_and_even_classes_is_their_number():
    assert inception_score(torch.eye(10).repeat(3, 1)) == pytest.approx(10)


def test_inception_score_of_one_class_only_is_one():
    assert inception_score(torch.eye(10)[[4] * 20]) == pytest.approx(1)


def test_inception_score_of_unclear_images_is_one():
    assert inception_score(torch.full((17, 10), 0.1)) == pytest.approx(1)


def test_inception_score_of_a_case_worked_by_hand():
    probabilities = torch.tensor([[0.5, 0.5], [1.0, 0.0]])
    together = -0.75 * math.log(0.75) - 0.25 * math.log(0.25)
    assert inception_score(probabilities) == pytest.approx(math.exp(together - math.log(2) / 2), rel=1e-6)


@settings(max_examples=25, deadline=None)
@given(count=st.integers(12, 40), classes=st.integers(2, 12), seed=st.integers(0, 1000))
def test_inception_score_lies_between_one_and_the_number_of_classes(count, classes, seed):
    probabilities = (3 * torch.randn(count, classes, generator=stream(seed))).softmax(dim=1)
    assert 1 - 1e-6 <= inception_score(probabilities) <= classes + 1e-6


def test_inception_score_refuses_a_vector():
    with pytest.raises(InputError, match="probabilities shape"):
        inception_score(torch.ones(10))


def test_inception_score_refuses_fewer_samples_than_classes():
    with pytest.raises(InputError, match=r"probabilities shape=\(9, 10\): must be \(n, classes\) with n >= classes"):
        inception_score(torch.full((9, 10), 0.1))


# --- Frechet distance -------------------------------------------------------------------------------------------------


def test_frechet_distance_of_axis_aligned_gaussians_is_the_closed_form():
    mean, other_mean = torch.tensor([1.0, -2.0]), torch.tensor([4.0, 2.0])
    sigma, other_sigma = torch.tensor([1.0, 3.0]), torch.tensor([2.0, 0.5])
    closed = 25 + (sigma - other_sigma).square().sum().item()
    measured = frechet_distance(mean, sigma.square().diag(), other_mean, other_sigma.square().diag())
    assert measured == pytest.approx(closed, rel=1e-10)


def test_frechet_distance_agrees_with_the_root_of_the_unsymmetric_product():
    mean, other_mean = torch.randn(2, 12, generator=stream(), dtype=torch.float64)
    covariance, other = random_covariance(12, 1), random_covariance(12, 2)
    root = np.asarray(linalg.sqrtm((covariance @ other).numpy())).real
    closed = (mean - other_mean).square().sum() + covariance.trace() + other.trace() - 2 * np.trace(root)
    assert frechet_distance(mean, covariance, other_mean, other) == pytest.approx(closed.item(), rel=1e-8)


def test_frechet_distance_is_symmetric_and_zero_for_equal_gaussians():
    mean, covariance, other = torch.zeros(6), random_covariance(6, 1), random_covariance(6, 2)
    there, back = frechet_distance(mean, covariance, mean, other), frechet_distance(mean, other, mean, covariance)
    assert there == pytest.approx(back)
    assert frechet_distance(mean, covariance, mean, covariance) == pytest.approx(0, abs=1e-9)


def test_frechet_distance_bears_a_covariance_without_full_rank():
    flat = torch.diag(torch.tensor([1.0, 0.0, 0.0]))
    assert frechet_distance(torch.zeros(3), flat, torch.zeros(3), torch.eye(3)) == pytest.approx(2)


def test_frechet_distance_refuses_means_of_two_lengths():
    with pytest.raises(InputError, match="covariance shape"):
        frechet_distance(torch.zeros(3), torch.eye(3), torch.zeros(4), torch.eye(4))


def test_gaussian_of_features_is_numpys_mean_and_covariance():
    features = torch.randn(80, 4, generator=stream()) + 1e3
    mean, covariance = gaussian_of(features)
    expected = features.double().numpy()
    np.testing.assert_allclose(mean, expected.mean(axis=0))
    np.testing.assert_allclose(covariance, np.cov(expected, rowvar=False), rtol=1e-9)


def test_too_few_samples_for_a_covariance_are_refused_with_the_number_needed():
    with pytest.raises(InputError, match="samples=319: must be at least 320"):
        gaussian_of(torch.zeros(319, 64))


# --- alarms -----------------------------------------------------------------------------------------------------------


def test_smallest_class_share_is_zero_when_a_class_is_missing():
    assert smallest_class_share(torch.eye(10)[:9]) == 0


def test_smallest_class_share_counts_the_rarest_class():
    assert smallest_class_share(torch.eye(2)[[0, 0, 0, 1]]) == 0.25


def test_a_copy_of_a_training_image_is_at_distance_zero(digit_images):
    assert nearest_distances(digit_images[:50], digit_images[:500], batch_size=64).max() == 0


def test_nearest_distances_agree_with_all_differences_taken_one_by_one(digit_images):
    made, references = digit_images[:20] / 255, digit_images[100:200] / 255
    differences = (made[:, None] - references[None]).flatten(start_dim=2)
    expected = differences.norm(dim=2).amin(dim=1)
    torch.testing.assert_close(nearest_distances(made, references, batch_size=30), expected)


def test_nearest_training_distance_is_the_median(assessor, digit_images):
    references = digit_images[:1200]
    expected = nearest_distances(digit_images[1300:1401], references).median().item()
    assert assessor.nearest_training_distance(digit_images[1300:1401]) == expected


# --- the assessor -----------------------------------------------------------------------------------------------------


def test_the_order_of_images_changes_nothing(assessor, digit_images):
    images = digit_images[1200:]
    shuffled = images[torch.randperm(len(images), generator=stream())]
    one, other = assessor.assess(images), assessor.assess(shuffled)
    assert other.inception_score == pytest.approx(one.inception_score, rel=1e-6)
    assert other.frechet_distance == pytest.approx(one.frechet_distance, rel=1e-5)
    assert other.smallest_class_share == one.smallest_class_share
    # A distance that equals a reach may be rounded to either side of it.
    assert other.precision == pytest.approx(one.precision, abs=2.5 / one.count)
    assert other.recall == pytest.approx(one.recall, abs=2.5 / one.real_count)


def test_as_many_training_images_are_taken_for_precision_and_recall_as_there_are_images(assessor, digit_images):
    look = assessor.assess(digit_images[1200:1600])
    assert (look.count, look.real_count) == (400, 400)
    assert 0.5 < look.precision < 1
    assert 0.5 < look.recall < 1


def test_images_of_one_class_are_precise_but_cover_little(assessor, digits):
    ones = digits[0][digits[1] == 1].repeat(3, 1, 1, 1)
    look = assessor.assess(ones)
    assert look.precision > 0.8
    assert look.recall < 0.15


def test_the_judge_reads_the_digits(assessor, digits):
    assert (assessor.classes(digits[0][:300]) == digits[1][:300]).float().mean() > 0.75


def test_rows_are_spread_evenly_and_all_kept_where_they_are_few():
    rows = torch.arange(10)
    assert spread(rows, 4).tolist() == [0, 2, 5, 7]
    assert spread(rows, 10) is rows


def test_bytes_and_floats_of_the_same_images_are_assessed_alike(assessor, digit_images):
    assert assessor.assess(digit_images) == assessor.assess(digit_images / 255)


def test_training_images_are_at_distance_zero_from_themselves(digit_images):
    assert Assessor(load_judge(), digit_images).assess(digit_images).frechet_distance == pytest.approx(0, abs=1e-6)


def test_yardsticks_go_from_real_images_down_to_noise(assessor, digit_images):
    sticks = yardsticks(assessor, digit_images[1200:], stream())
    real, noisy, blurred, noise = (stick.frechet_distance for stick in sticks.values())
    assert real < min(noisy, blurred) < max(noisy, blurred) < noise
    assert sticks["real test images"].inception_score > 5
    assert sticks["uniform noise"].inception_score < 2
    assert sticks["real test images"].precision > 0.7
    assert sticks["uniform noise"].precision == 0


def test_the_yardsticks_are_made_as_their_names_say(digit_images):
    class Watching:
        def assess(self, images):
            return images

    images = digit_images[:50]
    sticks = yardsticks(Watching(), images, stream())
    torch.testing.assert_close(sticks["real test images"], images / 255)
    window = images[:, :, 9:12, 9:12].float().mean(dim=(1, 2, 3)) / 255
    torch.testing.assert_close(sticks["real blurred 3x3"][:, 0, 10, 10], window)
    torch.testing.assert_close(sticks["real with N(0, 0.3) noise"], noisy(images / 255, stream()))
    assert sticks["uniform noise"].std().item() == pytest.approx(12**-0.5, abs=0.005)


def test_the_noise_of_the_second_yardstick_has_the_spread_in_its_name(generator):
    changes = (noisy(torch.zeros(100, 1, 28, 28), generator) > 0.3).float().mean()
    assert changes == pytest.approx(0.1587, abs=0.005)  # beyond one standard deviation


def test_a_collapse_to_one_image_shows_in_every_figure(assessor, digit_images):
    collapsed = assessor.assess(digit_images[:1].repeat(400, 1, 1, 1))
    assert collapsed.inception_score == pytest.approx(1, abs=1e-4)
    assert collapsed.smallest_class_share == 0
    assert collapsed.recall < 0.02
    assert collapsed.frechet_distance > 10 * assessor.assess(digit_images[1200:]).frechet_distance


def test_the_generators_own_pixel_range_is_refused(assessor, digit_images):
    with pytest.raises(InputError, match=r"image values=\(-1.0, 1.0\): must be in \[0, 1\]"):
        assessor.assess(digit_images / 127.5 - 1)


def test_images_with_not_a_number_are_refused(assessor, digit_images):
    images = digit_images[:400] / 255
    images[7, 0, 3, 3] = torch.nan
    with pytest.raises(InputError, match="image values"):
        assessor.assess(images)


def test_images_of_another_size_are_refused(assessor):
    with pytest.raises(InputError, match=r"must be \(batch, 1, 28, 28\)"):
        assessor.assess(torch.zeros(400, 1, 32, 32))


def test_assessing_leaves_the_global_random_stream_alone(assessor, digit_images):
    before = torch.get_rng_state()
    yardsticks(assessor, digit_images[1200:], stream())
    assert torch.equal(before, torch.get_rng_state())
