"""What codes are used for, worked out by hand; principal components against scikit-learn's."""

import math

import numpy as np
import pytest
import torch
from sklearn.decomposition import PCA
from torch import nn

from foundations.errors import InputError
from foundations.layers import Dropout
from generative.autoencoders import Autoencoder
from generative.codes import (
    PrincipalComponents,
    anomaly_scores,
    anomaly_threshold,
    bits_by_variance,
    compression,
    embed,
    hoyer_sparsity,
    nearest,
    novelty_scores,
    precision_at,
    psnr,
    quantize,
    reconstruct,
    reconstruction_errors,
)
from generative.pixels import in_unit_range


class Halves:
    """Keeps the first of two numbers and takes the other for 0."""

    def encode(self, images):
        return images[:, :1]

    def decode(self, codes):
        return torch.cat([codes, torch.zeros_like(codes)], dim=1)


# --- principal components ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("count", [50, 500])  # fewer images than pixels, and more
def test_principal_components_reconstruct_as_scikit_learns_do(count, digit_images):
    images = digit_images[:count, :, 6:22, 6:22].contiguous()
    rows = (images.float() / 255).flatten(1).numpy()
    reference = PCA(12, svd_solver="full").fit(rows)
    wanted = reference.inverse_transform(reference.transform(rows))
    found = reconstruct(PrincipalComponents(images, 12), images)
    assert found.shape == images.shape
    np.testing.assert_allclose(found.flatten(1).numpy(), wanted, atol=1e-4)


def test_the_first_components_are_those_of_a_smaller_fit(digit_images):
    images = digit_images[:200, :, 8:20, 8:20]
    few, first = PrincipalComponents(images, 5), PrincipalComponents(images, 20).first(5)
    torch.testing.assert_close(reconstruct(first, images), reconstruct(few, images), atol=1e-4, rtol=0)


def test_as_many_components_as_pixels_lose_nothing():
    images = torch.rand(50, 1, 2, 3, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(reconstruct(PrincipalComponents(images, 6), images), images, atol=1e-5, rtol=0)


@pytest.mark.parametrize("size", [0, 51])
def test_more_components_than_images_are_refused(size, digit_images):
    with pytest.raises(InputError, match=f"code_size={size}: must be between 1 and 50"):
        PrincipalComponents(digit_images[:50], size)


def test_images_that_are_not_finite_are_refused():
    with pytest.raises(InputError, match="must be finite"):
        PrincipalComponents(torch.full((9, 1, 2, 2), math.nan), 2)


# --- there and back ---------------------------------------------------------------------------------------------------


def test_bytes_and_floats_of_the_same_images_have_the_same_codes_and_scores(digit_images):
    coder, images = PrincipalComponents(digit_images, 4), digit_images[:7]
    torch.testing.assert_close(embed(coder, images), embed(coder, images / 255))
    torch.testing.assert_close(anomaly_scores(coder, images), anomaly_scores(coder, images / 255))


def test_a_module_is_looked_through_in_evaluation_mode_and_put_back():
    coder = Autoencoder(Dropout(0.5), nn.Identity())
    images = torch.ones(8, 5)
    assert torch.equal(reconstruct(coder, images), images)
    assert coder.training


def test_results_do_not_depend_on_the_batch_size(digit_images):
    coder = PrincipalComponents(digit_images, 4)
    errors = [reconstruction_errors(coder, digit_images[:100], batch_size=size) for size in (7, 100)]
    torch.testing.assert_close(*errors)


def test_no_images_are_refused():
    with pytest.raises(InputError, match="images=0: must be at least 1"):
        embed(Halves(), torch.empty(0, 2))


def test_the_anomaly_score_is_the_mean_squared_error_of_each_image():
    assert anomaly_scores(Halves(), torch.tensor([[3.0, 0.0], [1.0, 2.0]])).tolist() == [0.0, 2.0]


# --- similarity search ------------------------------------------------------------------------------------------------

GALLERY = torch.tensor([[1.0, 0.0], [10.0, 0.0], [0.0, 2.0], [1.0, 1.0]])


def test_the_nearest_by_distance_come_in_order():
    assert nearest(torch.tensor([[2.0, 0.0]]), GALLERY, 3, measure="euclidean").tolist() == [[0, 3, 2]]


def test_the_nearest_by_angle_disregard_length():
    found = nearest(torch.tensor([[2.0, 0.1]]), GALLERY, 4, measure="cosine").tolist()[0]
    assert (sorted(found[:2]), found[2:]) == ([0, 1], [3, 2])


def test_by_angle_a_row_of_zeros_is_farther_than_any_row_that_points_the_same_way():
    gallery = torch.tensor([[0.0, 0.0], [1.0, 2.0], [-1.0, 0.0]])  # cosines 0, 0.45 and -1
    assert nearest(torch.tensor([[1.0, 0.0]]), gallery, 3, measure="cosine").tolist() == [[1, 0, 2]]


def test_the_nearest_agree_with_distances_measured_one_by_one(generator):
    queries, gallery = torch.randn(30, 5, generator=generator), torch.randn(40, 5, generator=generator)
    wanted = torch.cdist(queries, gallery).argsort(dim=1)[:, :6]
    assert torch.equal(nearest(queries, gallery, 6, measure="euclidean", batch_size=7), wanted)


def test_precision_at_three_by_hand():
    labels = torch.tensor([0, 0, 1, 2])
    neighbours = torch.tensor([[0, 1, 2], [2, 3, 0]])  # of class 0, 0, 1 and of 1, 2, 0
    assert precision_at(neighbours, labels, torch.tensor([0, 1])) == pytest.approx((2 / 3 + 1 / 3) / 2)


def test_impossible_searches_are_refused():
    with pytest.raises(InputError, match="count=5: must be between 1 and 4"):
        nearest(GALLERY, GALLERY, 5)
    with pytest.raises(InputError, match="queries shape"):
        nearest(torch.zeros(1, 3), GALLERY, 1)
    with pytest.raises(InputError, match="did you mean 'cosine'"):
        nearest(GALLERY, GALLERY, 1, measure="cosin")
    with pytest.raises(InputError, match="query_labels shape"):
        precision_at(torch.zeros(3, 2, dtype=torch.int64), torch.zeros(4), torch.zeros(2))


# --- how sparse a code is ---------------------------------------------------------------------------------------------


def test_hoyers_sparsity_by_hand():
    codes = torch.tensor([[0.0, -3.0, 0.0, 0.0], [2.0, 2.0, -2.0, 2.0], [3.0, 4.0, 0.0, 0.0], [0.0, 0.0, 0.0, 0.0]])
    assert hoyer_sparsity(codes).tolist() == pytest.approx([1, 0, (2 - 7 / 5) / (2 - 1), 0], abs=1e-6)


def test_hoyers_sparsity_disregards_the_codes_scale(generator):
    codes = torch.randn(50, 32, generator=generator)
    torch.testing.assert_close(hoyer_sparsity(codes), hoyer_sparsity(1e-3 * codes))


@pytest.mark.parametrize("shape", [(5,), (5, 1), (5, 2, 2)])
def test_codes_without_units_to_compare_have_no_sparsity(shape):
    with pytest.raises(InputError, match="codes shape"):
        hoyer_sparsity(torch.ones(shape))


# --- finding what is odd ----------------------------------------------------------------------------------------------


def test_the_novelty_score_is_the_mean_angle_to_the_nearest_ordinary_codes_by_hand():
    class Same(Halves):
        def encode(self, images):
            return images

    ordinary = torch.tensor([[2.0, 0.0], [0.0, 3.0], [-1.0, 0.0]])
    images = torch.tensor([[5.0, 0.0], [-1.0, -1.0]])
    wanted = [(0 + 1) / 2, ((1 - math.sqrt(0.5)) + (1 + math.sqrt(0.5))) / 2]
    assert novelty_scores(Same(), images, ordinary, count=2).tolist() == pytest.approx(wanted, abs=1e-6)


def test_the_threshold_lets_the_asked_share_of_ordinary_images_pass():
    scores = torch.arange(1000.0).flip(0)
    assert (scores > anomaly_threshold(scores, 0.95)).sum() == 50
    assert anomaly_threshold(torch.tensor([0.0, 1.0, 2.0]), 0.75) == pytest.approx(1.5)


def test_impossible_thresholds_are_refused():
    with pytest.raises(InputError, match=r"quantile=1\.0: must be above 0 and below 1"):
        anomaly_threshold(torch.ones(3), 1.0)
    with pytest.raises(InputError, match="diverged"):
        anomaly_threshold(torch.tensor([1.0, math.nan]))


# --- saving space -----------------------------------------------------------------------------------------------------


def test_an_error_of_a_tenth_is_twenty_decibels():
    assert psnr(torch.zeros(2, 3), torch.full((2, 3), 0.1)) == pytest.approx(20)
    assert psnr(torch.zeros(2, 3), torch.zeros(2, 3)) == math.inf
    with pytest.raises(InputError, match="reconstruction shape"):
        psnr(torch.zeros(2, 3), torch.zeros(3, 2))


def test_two_bits_leave_four_values_within_half_a_cell():
    codes = torch.linspace(0, 1, 201).unsqueeze(1)
    found = quantize(codes, codes, 2)
    assert len(found.unique()) == 4
    assert (found - codes).abs().max() <= 0.125 + 0.005


def test_a_rare_code_far_out_does_not_widen_the_cells():
    references = torch.cat([torch.linspace(0, 1, 999), torch.tensor([1000.0])]).unsqueeze(1)
    found = quantize(torch.tensor([[0.1], [0.6], [50.0]]), references, 1)
    torch.testing.assert_close(found.flatten(), torch.tensor([0.25, 0.75, 0.75]), rtol=0, atol=0.01)


def test_units_that_vary_more_get_more_bits(generator):
    references = torch.randn(5_000, 4, generator=generator) * torch.tensor([8.0, 4.0, 2.0, 0.01])
    assert bits_by_variance(references, 1).tolist() == [2, 1, 1, 0]  # 64, 16 and 4 are in the end 4, 4 and 1
    assert bits_by_variance(references, 3).tolist() == [5, 4, 3, 0]


def test_units_that_vary_alike_get_equal_bits(generator):
    references = torch.randn(5_000, 6, generator=generator) * torch.linspace(0.8, 1.2, 6)
    assert bits_by_variance(references, 4).tolist() == [4] * 6


def test_no_unit_gets_more_than_sixteen_bits(generator):
    references = torch.randn(100, 2, generator=generator) * torch.tensor([1e9, 1e-9])
    assert bits_by_variance(references, 10).tolist() == [16, 4]


def test_a_unit_without_bits_is_put_to_its_mean():
    references = torch.tensor([[0.0, 0.0], [1.0, 0.0], [1.0, 9.0]])
    assert quantize(torch.tensor([[1.0, 8.0]]), references, torch.tensor([3, 0]))[0, 1] == 3


@pytest.mark.parametrize("bits", [0, 17, torch.tensor([0, 0]), torch.tensor([-1, 4])])
def test_impossible_bits_are_refused(bits):
    with pytest.raises(InputError, match="bits="):
        quantize(torch.ones(2, 2), torch.ones(3, 2), bits)


def test_sharing_out_bits_by_variance_keeps_more_of_principal_components(digit_images):
    coder, shown = PrincipalComponents(digit_images, 32), digit_images[:200]
    references = embed(coder, digit_images)
    equal = coder.decode(quantize(embed(coder, shown), references, 2)).clamp(0, 1)
    assert compression(coder, shown, references, 2).psnr > psnr(shown, equal) + 0.5


def test_pixels_beyond_the_range_are_brought_back_into_it():
    class Loud(Halves):
        def decode(self, codes):
            return 3 * super().decode(codes)

    images = torch.tensor([[1.0, 0.0]]).repeat(9, 1)
    assert compression(Loud(), images, torch.ones(9, 1), 8).psnr == math.inf


def test_the_compression_rate_counts_bits(digit_images):
    coder = PrincipalComponents(digit_images, 16)
    references = embed(coder, digit_images)
    assert compression(coder, digit_images[:50], references, 8).rate == pytest.approx(784 * 8 / (16 * 8))
    assert compression(coder, digit_images[:50], references, 4).rate == pytest.approx(784 * 8 / (16 * 4))


def test_more_bits_keep_more(digit_images):
    coder = PrincipalComponents(digit_images, 16)
    references = embed(coder, digit_images)
    ratios = [compression(coder, digit_images[:200], references, bits).psnr for bits in (1, 2, 4, 8)]
    whole = psnr(digit_images[:200], reconstruct(coder, digit_images[:200]).clamp(0, 1))
    assert ratios == sorted(ratios)
    assert ratios[-1] == pytest.approx(whole, abs=0.1)


def test_bytes_count_as_zero_to_one():
    assert in_unit_range(torch.tensor([0, 255], dtype=torch.uint8)).tolist() == [0.0, 1.0]


@pytest.mark.parametrize("dtype", [torch.bool, torch.int64])
def test_pixels_of_another_type_are_refused_since_their_range_is_unknown(dtype):
    with pytest.raises(InputError, match="images dtype"):
        in_unit_range(torch.ones(2, dtype=dtype))
