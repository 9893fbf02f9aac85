import math

import pytest
import torch
from scipy.stats import gaussian_kde, norm
from sklearn.neighbors import KernelDensity

from foundations.errors import InputError
from generative.parzen import choose_bandwidth, parzen_log_likelihood


def test_samples_in_one_point_are_one_gaussian():
    found = parzen_log_likelihood(torch.zeros(100, 1), torch.tensor([[0.0], [3.0]]), 1.5)
    torch.testing.assert_close(found, torch.from_numpy(norm(0, 1.5).logpdf([0, 3])))


def test_in_one_dimension_it_is_scipys_kernel_density(generator):
    samples = torch.randn(150, 1, generator=generator, dtype=torch.float64)
    test = torch.linspace(-4, 4, 9, dtype=torch.float64)
    density = gaussian_kde(samples[:, 0].numpy(), bw_method=0.3 / samples.std().item())
    found = parzen_log_likelihood(samples, test[:, None], 0.3)
    torch.testing.assert_close(found, torch.from_numpy(density.logpdf(test.numpy())))


def test_of_images_it_is_scikit_learns_kernel_density(generator):
    samples, test = torch.rand(2, 120, 1, 6, 5, generator=generator, dtype=torch.float64)
    # In one leaf: the sums over the branches of its tree cancel digits, 13 nats of them here.
    density = KernelDensity(bandwidth=0.2, leaf_size=500).fit(samples.flatten(1).numpy())
    found = parzen_log_likelihood(samples, test, 0.2, batch_size=50)
    torch.testing.assert_close(found, torch.from_numpy(density.score_samples(test.flatten(1).numpy())))


def test_nothing_overflows_far_from_every_sample():
    found = parzen_log_likelihood(torch.zeros(100, 784), torch.full((1, 784), 1.0), 0.05)
    # cdist computes the distance of 28 in float32.
    assert found.item() == pytest.approx(-784 / (2 * 0.05**2) - 392 * math.log(2 * math.pi * 0.05**2), rel=1e-5)


def test_the_order_of_samples_changes_nothing(generator):
    samples, test = torch.rand(200, 9, generator=generator), torch.rand(20, 9, generator=generator)
    shuffled = samples[torch.randperm(200, generator=generator)]
    torch.testing.assert_close(
        parzen_log_likelihood(shuffled, test, 0.2), parzen_log_likelihood(samples, test, 0.2), rtol=1e-5, atol=1e-5
    )


def test_the_bandwidth_chosen_is_the_one_under_which_validation_is_likeliest(generator):
    samples, validation = torch.randn(2, 1000, 1, generator=generator)
    candidates = [0.01, 0.3, 5.0]
    assert choose_bandwidth(samples, validation, candidates) == 0.3
    means = [parzen_log_likelihood(samples, validation, each).mean() for each in candidates]
    assert means.index(max(means)) == 1


def test_its_known_weakness_cluster_centres_beat_the_training_images_themselves(digit_images):
    """Theis et al. 2016: why nobody should rank models by it."""
    from sklearn.cluster import KMeans

    small = torch.nn.functional.avg_pool2d(digit_images / 255, 4).flatten(1)
    training, validation, test = small[:800], small[800:1300], small[1300:]
    centres = torch.from_numpy(KMeans(120, n_init=1, random_state=0).fit(training.numpy()).cluster_centers_)
    scores = []
    for samples in (training[:120], centres):
        bandwidth = choose_bandwidth(samples, validation, [0.1, 0.15, 0.2, 0.25, 0.3])
        scores.append(parzen_log_likelihood(samples, test, bandwidth).mean().item())
    assert scores[1] > scores[0] + 1


@pytest.mark.parametrize(
    ("samples", "test", "bandwidth", "message"),
    [
        (torch.zeros(99, 2), torch.zeros(3, 2), 1.0, "^samples=99: must be at least 100"),
        (torch.zeros(100, 2), torch.zeros(3, 4), 1.0, "^test shape"),
        (torch.zeros(100, 2, dtype=torch.uint8), torch.zeros(3, 2), 1.0, "^samples dtype"),
        (torch.zeros(100, 2), torch.zeros(3, 2), 0.0, "^bandwidth=0"),
    ],
)
def test_bad_input_is_refused_by_name(samples, test, bandwidth, message):
    with pytest.raises(InputError, match=message):
        parzen_log_likelihood(samples, test, bandwidth)


def test_no_candidates_are_refused():
    with pytest.raises(InputError, match=r"^candidates"):
        choose_bandwidth(torch.zeros(100, 2), torch.zeros(3, 2), [])
