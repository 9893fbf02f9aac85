"""Bounds on log p(x): by hand on two points, against Monte Carlo, and where log p(x) is known exactly."""

import math

import pytest
import torch
from torch.distributions import MultivariateNormal, Normal, kl_divergence

from foundations import probability
from foundations.errors import InputError
from generative.bounds import (
    ElboTerms,
    active_units,
    elbo,
    elbo_terms,
    importance_weighted_bound,
    log_likelihood,
    log_weights,
    posterior_collapsed,
    standard_normal_kl,
)


def stream(seed=0):
    return torch.Generator().manual_seed(seed)


class LinearGaussian(torch.nn.Module):
    """z ~ N(0, I_2), x = W z + noise of variance s: p(x) = N(0, W W^T + s I) exactly; q(z|x) too wide."""

    def __init__(self, too_wide=2.0):
        super().__init__()
        self.weight = torch.tensor([[1.0, 0.2], [-0.5, 0.8], [0.3, 0.3]], dtype=torch.float64)
        self.variance, self.too_wide = 0.3, too_wide
        self.precision = torch.eye(2, dtype=torch.float64) + self.weight.T @ self.weight / self.variance

    def encode(self, x, labels=None):
        mean = torch.linalg.solve(self.precision, self.weight.T @ x.T / self.variance).T
        return mean, (self.too_wide / self.precision.diag()).log().expand_as(mean)

    def decode(self, z, labels=None):
        return z @ self.weight.T

    def log_prob(self, x, outputs):
        return Normal(outputs, self.variance**0.5).log_prob(x).sum(-1)

    def exact(self, x):
        covariance = self.weight @ self.weight.T + self.variance * torch.eye(3, dtype=torch.float64)
        return MultivariateNormal(torch.zeros(3, dtype=torch.float64), covariance).log_prob(x)


def points(count=200):
    return torch.randn(count, 3, generator=stream(1), dtype=torch.float64)


# --- the divergence ---------------------------------------------------------------------------------------------------


def test_the_divergence_of_two_points_is_that_worked_out_by_hand():
    kl = standard_normal_kl(torch.tensor([[1.0], [0.0]]), torch.tensor([[0.0], [math.log(2.0)]]))
    torch.testing.assert_close(kl, torch.tensor([[0.5], [(1 - math.log(2)) / 2]]))


def test_the_divergence_is_that_of_the_foundations_normal():
    kl = standard_normal_kl(torch.tensor(0.7), torch.tensor(2 * math.log(0.4)))
    assert float(kl) == pytest.approx(
        probability.normal_kl_divergence(probability.Normal(0.7, 0.4), probability.Normal()), rel=1e-6
    )


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 1e-5), (torch.float64, 1e-10)])
def test_the_divergence_is_torchs_in_value_and_gradient(dtype, tolerance):
    found = []
    for own in (True, False):
        mean, log_variance = torch.randn(2, 6, 4, generator=stream(), dtype=dtype).requires_grad_().unbind()
        mean, log_variance = mean.detach().requires_grad_(), log_variance.detach().requires_grad_()
        prior = Normal(torch.zeros((), dtype=dtype), torch.ones((), dtype=dtype))
        kl = standard_normal_kl(mean, log_variance)
        kl = kl if own else kl_divergence(Normal(mean, (log_variance / 2).exp()), prior)
        kl.sum().backward()
        found.append((kl.detach(), mean.grad, log_variance.grad))
    for one, other in zip(*found, strict=True):
        torch.testing.assert_close(one, other, rtol=tolerance, atol=tolerance)


def test_the_divergence_is_the_mean_log_ratio_of_many_draws():
    mean, log_variance = torch.tensor([0.8, -0.3]), torch.tensor([-1.0, 0.5])
    noise = torch.randn(200_000, 2, generator=stream())
    posterior = Normal(mean, (log_variance / 2).exp())
    draws = mean + (log_variance / 2).exp() * noise
    ratios = posterior.log_prob(draws) - Normal(0.0, 1.0).log_prob(draws)
    error = ratios.std(0) / len(ratios) ** 0.5
    assert ((ratios.mean(0) - standard_normal_kl(mean, log_variance)).abs() < 4 * error).all()


# --- ELBO -------------------------------------------------------------------------------------------------------------

TWO = torch.tensor([-10.0, -20.0])
KL = torch.tensor([[1.0, 0.1], [3.0, 0.3]])  # of two images, two units: 2 and 0.2 on average


def test_the_elbo_of_two_points_is_that_worked_out_by_hand():
    assert float(elbo(TWO, KL)) == pytest.approx(-15 - 2.2)


def test_beta_weighs_the_divergence():
    assert float(elbo(TWO, KL, beta=4.0)) == pytest.approx(-15 - 8.8)


def test_free_bits_make_a_unit_below_them_cost_the_same_whatever_it_says():
    kl = KL.clone().requires_grad_()
    value = elbo(TWO, kl, free_bits=0.5)
    assert value.item() == pytest.approx(-15 - 2 - 0.5)
    value.backward()
    assert kl.grad.tolist() == [[-0.5, 0], [-0.5, 0]]


@pytest.mark.parametrize("settings", [{"beta": -1.0}, {"free_bits": -0.1}, {"beta": math.inf}])
def test_impossible_weights_of_the_divergence_are_refused(settings):
    (name,) = settings
    with pytest.raises(InputError, match=f"{name}="):
        elbo(TWO, KL, **settings)


def test_the_figures_of_two_images_are_those_worked_out_by_hand():
    means = torch.tensor([[0.0, 1.0], [0.1, 1.0]])  # variances 0.005 and 0
    figures = ElboTerms(TWO, KL, means).metrics()
    assert figures == pytest.approx({"bound": -17.2, "reconstruction": -15, "kl": 2.2, "active_units": 0})


# --- the importance-weighted bound ------------------------------------------------------------------------------------


def test_the_weighted_bound_of_two_weights_is_the_log_of_their_mean():
    weights = torch.tensor([[2.0, 1.0], [4.0, 9.0]])
    torch.testing.assert_close(importance_weighted_bound(weights.log()), torch.tensor([3.0, 5.0]).log())


def test_the_weighted_bound_does_not_underflow_where_every_weight_does():
    torch.testing.assert_close(importance_weighted_bound(torch.full((50, 2), -5000.0)), torch.full((2,), -5000.0))


def test_its_gradient_weighs_each_latent_by_its_share():
    logs = torch.tensor([[2.0], [6.0]]).log().requires_grad_()
    importance_weighted_bound(logs).sum().backward()
    torch.testing.assert_close(logs.grad, torch.tensor([[0.25], [0.75]]))


def test_log_weights_are_the_joint_over_the_posterior():
    mean, log_variance = torch.randn(2, 4, 3, generator=stream(), dtype=torch.float64)
    noise = torch.randn(5, 4, 3, generator=stream(1), dtype=torch.float64)
    z, likelihood = mean + (log_variance / 2).exp() * noise, torch.randn(5, 4, generator=stream(2), dtype=torch.float64)
    prior, posterior = Normal(0.0, 1.0).log_prob(z), Normal(mean, (log_variance / 2).exp()).log_prob(z)
    wanted = likelihood + 0.5 * (prior - posterior).sum(-1)
    torch.testing.assert_close(log_weights(likelihood, z, noise, log_variance, beta=0.5), wanted)


def test_with_one_latent_it_is_the_elbo_on_average():
    model, x = LinearGaussian(), points(1)
    many = x.expand(100_000, 3)
    terms = elbo_terms(model, many, generator=stream(), batch_size=100_000)
    one = log_likelihood(model, many, samples=1, generator=stream(5))
    error = float(one.std()) / len(many) ** 0.5
    assert float(one.mean()) == pytest.approx(terms.metrics()["bound"], abs=5 * error)


def test_it_grows_with_the_number_of_latents_towards_the_exact_log_likelihood():
    model, x = LinearGaussian(), points(2000)
    exact = model.exact(x).mean()
    gaps = [float(exact - log_likelihood(model, x, samples=k, generator=stream()).mean()) for k in (1, 5, 50, 1000)]
    assert gaps == sorted(gaps, reverse=True)
    assert gaps[0] > 0.1
    assert abs(gaps[-1]) < 2e-3


def test_with_the_true_posterior_one_latent_gives_the_exact_log_likelihood():
    model = LinearGaussian(too_wide=1.0)
    model.weight = torch.tensor([[1.0, 0.0], [0.0, 0.8], [0.0, 0.3]], dtype=torch.float64)  # independent latents
    model.precision = torch.eye(2, dtype=torch.float64) + model.weight.T @ model.weight / model.variance
    torch.testing.assert_close(log_likelihood(model, points(), samples=1, generator=stream()), model.exact(points()))


@pytest.mark.parametrize("pixels_at_once", [2, 10, 100_000])
def test_the_estimate_does_not_depend_on_how_much_is_decoded_at_once(pixels_at_once):
    model, x = LinearGaussian(), points(20)
    found = log_likelihood(model, x, samples=300, generator=stream(), pixels_at_once=pixels_at_once * 3)
    assert found.shape == (20,)
    torch.testing.assert_close(found, model.exact(x), rtol=0, atol=0.25)


def test_no_more_is_decoded_at_once_than_is_allowed():
    decoded = []

    class Watched(LinearGaussian):
        def decode(self, z, labels=None):
            decoded.append(z.shape[:-1].numel())
            return super().decode(z)

    log_likelihood(Watched(), points(7), samples=25, generator=stream(), pixels_at_once=30)
    assert max(decoded) == 10
    assert sum(decoded) == 7 * 25


def test_estimates_are_made_in_evaluation_mode_and_leave_the_mode_as_it_was():
    modes = []

    class Watched(LinearGaussian):
        def decode(self, z, labels=None):
            modes.append(self.training)
            return super().decode(z)

    model = Watched().train()
    log_likelihood(model, points(2), samples=2, generator=stream())
    elbo_terms(model, points(2), generator=stream())
    assert modes == [False, False]
    assert model.training


class Shifted(LinearGaussian):
    """Its x lies 3 higher for each step of the label: log p(x | label) = log p(x - 3 label)."""

    def encode(self, x, labels=None):
        return super().encode(x - 3 * labels[:, None])

    def decode(self, z, labels=None):
        return super().decode(z) + 3 * labels[:, None]


def test_of_a_conditional_model_the_estimates_are_given_the_label():
    x, labels = points(20), torch.arange(20) % 3
    given, plain = x + 3 * labels[:, None], {"samples": 10, "generator": stream(), "pixels_at_once": 90}
    found = log_likelihood(Shifted(), given, labels, **plain)
    torch.testing.assert_close(found, log_likelihood(LinearGaussian(), x, **plain | {"generator": stream()}))
    terms = elbo_terms(Shifted(), given, labels, generator=stream(), batch_size=7)
    wanted = elbo_terms(LinearGaussian(), x, generator=stream(), batch_size=7)
    torch.testing.assert_close(terms.log_likelihood, wanted.log_likelihood)


@pytest.mark.parametrize("samples", [0, -3])
def test_fewer_than_one_latent_is_refused(samples):
    with pytest.raises(InputError, match=f"samples={samples}: must be at least 1"):
        log_likelihood(LinearGaussian(), points(2), samples=samples, generator=stream())
    with pytest.raises(InputError, match="k=0: must be at least 1"):
        importance_weighted_bound(torch.zeros(0, 2))


# --- active units -----------------------------------------------------------------------------------------------------


def test_a_unit_is_active_where_its_posterior_mean_varies_from_image_to_image():
    spread = torch.tensor([0.0, 0.05, 0.2, 2.0])  # variances 0, 0.0025, 0.04 and 4
    assert active_units(5 + spread * torch.randn(2000, 4, generator=stream())) == 2


def test_fewer_than_a_tenth_of_active_units_are_a_collapse():
    assert posterior_collapsed(0, 2, kl=20.0)
    assert not posterior_collapsed(1, 2, kl=20.0)
    assert posterior_collapsed(4, 50, kl=20.0)
    assert not posterior_collapsed(5, 50, kl=20.0)


def test_active_units_that_together_say_less_than_a_nat_are_a_collapse():
    assert posterior_collapsed(8, 10, kl=0.14)  # as of images of noise, whose means barely vary
    assert posterior_collapsed(0, 10, kl=20.0)
    assert not posterior_collapsed(8, 10, kl=1.5)


def test_the_variance_of_one_image_is_refused():
    with pytest.raises(InputError, match=r"means shape=\(1, 4\)"):
        active_units(torch.zeros(1, 4))
