import math

import numpy as np
import pytest
import scipy.stats
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from foundations import probability
from foundations.errors import InputError
from foundations.probability import Bernoulli, Categorical, Normal, Uniform

EXACT = 1e-12
SHARES = (0.1, 0.6, 0.0, 0.3)
PAIRS = {
    "uniform": (Uniform(-1, 2.5), scipy.stats.uniform(-1, 3.5)),
    "normal": (Normal(0.7, 2), scipy.stats.norm(0.7, 2)),
    "bernoulli": (Bernoulli(0.3), scipy.stats.bernoulli(0.3)),
    "categorical": (Categorical(SHARES), scipy.stats.rv_discrete(values=(range(4), SHARES))),
}
EACH = pytest.mark.parametrize("name", PAIRS)
DENSITIES = ("uniform", "normal")


def _places(name: str) -> Tensor:
    """Values within and without the support."""
    return torch.linspace(-6, 6, 25, dtype=torch.float64) if name in DENSITIES else torch.arange(-1, 6)


def _rows(*shape: int, seed: int = 0) -> Tensor:
    return torch.from_numpy(np.random.default_rng(seed).dirichlet(np.ones(shape[-1]), shape[:-1]))


@EACH
def test_log_probability_agrees_with_scipy(name):
    own, reference = PAIRS[name]
    x = _places(name)
    with np.errstate(divide="ignore"):
        wanted = reference.logpdf(x) if name in DENSITIES else reference.logpmf(x)
    np.testing.assert_allclose(own.log_prob(x), wanted, rtol=EXACT, atol=EXACT)


@EACH
def test_probability_agrees_with_scipy(name):
    own, reference = PAIRS[name]
    x = _places(name)
    wanted = reference.pdf(x) if name in DENSITIES else reference.pmf(x)
    np.testing.assert_allclose(own.probability(x), wanted, rtol=EXACT, atol=EXACT)


@EACH
@pytest.mark.parametrize("moment", ["mean", "variance", "entropy"])
def test_mean_variance_and_entropy_agree_with_scipy(name, moment):
    own, reference = PAIRS[name]
    wanted = float({"mean": reference.mean, "variance": reference.var, "entropy": reference.entropy}[moment]())
    assert getattr(own, moment) == pytest.approx(wanted, rel=EXACT, abs=EXACT)


@EACH
def test_expectation_agrees_with_scipy(name):
    own, reference = PAIRS[name]
    found = own.expectation(lambda x: x**3 - x)
    assert found == pytest.approx(reference.expect(lambda x: x**3 - x), rel=1e-10)


@EACH
def test_mean_and_variance_are_expectations(name):
    own, _ = PAIRS[name]
    assert own.expectation(lambda x: x) == pytest.approx(own.mean, rel=EXACT)
    assert own.expectation(lambda x: (x - own.mean) ** 2) == pytest.approx(own.variance, rel=EXACT)


def test_expectation_of_a_smooth_function_under_a_normal_has_its_closed_form():
    assert Normal(0.5, 0.8).expectation(torch.exp) == pytest.approx(math.exp(0.5 + 0.8**2 / 2), rel=1e-12)


@EACH
def test_samples_have_mean_and_variance_of_their_distribution(name, generator):
    own, _ = PAIRS[name]
    draws = own.sample(generator, (200, 100)).double()
    error = math.sqrt(own.variance / draws.numel())
    assert draws.shape == (200, 100)
    assert abs(draws.mean() - own.mean) < 4 * error
    assert draws.var() == pytest.approx(own.variance, rel=0.05)


@EACH
def test_samples_come_from_the_given_generator_alone(name):
    own, _ = PAIRS[name]
    draws = []
    for seed in (1, 2):
        torch.manual_seed(seed)
        draws.append(own.sample(torch.Generator().manual_seed(7), (9,)))
    assert torch.equal(*draws)


def test_frequencies_of_a_categorical_are_its_probabilities(generator):
    counts = Categorical(SHARES).sample(generator, (50_000,)).bincount(minlength=4)
    np.testing.assert_allclose(counts / 50_000, SHARES, atol=0.01)
    assert counts[2] == 0


def test_densities_of_float32_stay_float32():
    assert Normal().log_prob(torch.zeros(2)).dtype == torch.float32
    assert Uniform().log_prob(torch.zeros(2)).dtype == torch.float32


def test_log_density_of_the_normal_passes_gradcheck():
    x = torch.tensor([-1.0, 0.3], dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(Normal(0.2, 1.5).log_prob, x)


def test_a_certain_coin_has_no_entropy():
    assert [Bernoulli(p).entropy for p in (0.0, 1.0)] == [0, 0]


def test_a_fair_coin_has_an_entropy_of_log_2():
    assert Bernoulli(0.5).entropy == pytest.approx(math.log(2))


@given(st.integers(1, 12), st.integers(0, 100))
def test_information_measures_agree_with_scipy(classes, seed):
    p, q = _rows(3, classes, seed=seed), _rows(3, classes, seed=seed + 1000)
    np.testing.assert_allclose(probability.entropy(p), scipy.stats.entropy(p, axis=-1), rtol=1e-10, atol=EXACT)
    np.testing.assert_allclose(probability.kl_divergence(p, q), scipy.stats.entropy(p, q, axis=-1), atol=EXACT)


@given(st.integers(1, 12), st.integers(0, 100))
def test_cross_entropy_is_entropy_plus_divergence(classes, seed):
    p, q = _rows(classes, seed=seed), _rows(classes, seed=seed + 1000)
    sum_ = probability.entropy(p) + probability.kl_divergence(p, q)
    torch.testing.assert_close(probability.cross_entropy(p, q), sum_, rtol=EXACT, atol=EXACT)


@given(st.integers(2, 12), st.integers(0, 100))
def test_divergence_is_zero_from_itself_and_above_elsewhere(classes, seed):
    p, q = _rows(classes, seed=seed), _rows(classes, seed=seed + 1000)
    assert probability.kl_divergence(p, p) == 0
    assert probability.kl_divergence(p, q) > 0


def test_classes_that_never_come_add_nothing():
    p, q = torch.tensor([0.5, 0.5, 0.0]), torch.tensor([0.25, 0.75, 0.0])
    assert probability.entropy(p).item() == pytest.approx(math.log(2))
    assert probability.kl_divergence(p, q).item() == pytest.approx(0.5 * math.log(4 / 3))


def test_divergence_from_what_is_held_impossible_is_infinite():
    possible, narrow = torch.tensor([0.5, 0.5]), torch.tensor([1.0, 0.0])
    assert probability.kl_divergence(possible, narrow) == math.inf
    assert probability.cross_entropy(possible, narrow) == math.inf
    assert probability.kl_divergence(narrow, possible).item() == pytest.approx(math.log(2))


def test_gradients_of_the_measures_are_right(generator):
    logits = torch.randn(2, 3, 4, generator=generator, dtype=torch.float64, requires_grad=True)

    def of_logits(logits: Tensor) -> Tensor:
        p, q = logits.softmax(-1)
        return probability.entropy(p) + probability.cross_entropy(p, q) + 2 * probability.kl_divergence(p, q)

    assert torch.autograd.gradcheck(of_logits, logits)


@pytest.mark.parametrize(("p", "q"), [(Normal(), Normal(1, 2)), (Normal(-3, 0.5), Normal(2, 0.1))])
def test_divergence_of_normals_agrees_with_torch(p, q):
    own = probability.normal_kl_divergence(p, q)
    left, right = (torch.distributions.Normal(*map(torch.tensor, (float(n.mu), float(n.sigma)))) for n in (p, q))
    assert own == pytest.approx(torch.distributions.kl_divergence(left, right).item(), rel=1e-5)


def test_divergence_of_normals_is_the_expected_difference_of_their_log_densities():
    p, q = Normal(0.3, 1.2), Normal(-1, 0.7)
    wanted = p.expectation(lambda x: p.log_prob(x) - q.log_prob(x))
    assert probability.normal_kl_divergence(p, q) == pytest.approx(wanted, rel=EXACT)


def test_float32_rows_of_a_softmax_are_distributions(generator):
    rows = torch.randn(8, 1000, generator=generator).softmax(-1)
    assert probability.entropy(rows).isfinite().all()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: Uniform(1, 1), "high=1: must be finite, above low=1"),
        (lambda: Uniform(-math.inf, 1), "low=-inf"),
        (lambda: Normal(0, 0), "sigma=0: must be a finite number above 0"),
        (lambda: Normal(math.nan), "mu=nan"),
        (lambda: Bernoulli(1.1), "p=1.1: must be a probability"),
        (lambda: Categorical((0.5, 0.4)), "largest error of probabilities's sums=0.09"),
        (lambda: Categorical(()), "probabilities shape"),
        (lambda: probability.entropy(torch.tensor([0.5, 0.6])), "largest error of p's sums=0.1"),
        (lambda: probability.entropy(torch.tensor([1.5, -0.5])), "smallest of p=-0.5"),
        (lambda: probability.entropy(torch.tensor([math.nan, 1.0])), "smallest of p=nan"),
        (lambda: probability.entropy(torch.tensor([1, 0])), "p dtype=torch.int64"),
        (lambda: probability.entropy(torch.ones(0, 2)), r"p shape=\(0, 2\)"),
        (lambda: probability.kl_divergence(torch.tensor([1.0]), torch.tensor([0.5, 0.5])), r"q shape=\(2,\)"),
        (lambda: probability.cross_entropy(torch.tensor([1.0]), torch.tensor([0.7])), "largest error of q's sums"),
        (lambda: Normal().expectation(torch.sum), r"function's shape=\(\)"),
    ],
)
def test_bad_input_is_refused_by_name(call, message):
    with pytest.raises(InputError, match=message):
        call()
