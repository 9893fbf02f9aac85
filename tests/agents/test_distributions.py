import math

import pytest
import torch
from torch import distributions as twins

from agents.distributions import Categorical, DiagonalGaussian, MultiCategorical
from foundations.errors import InputError

TOLERANCES = {torch.float32: 1e-5, torch.float64: 1e-10}
BOTH_TYPES = pytest.mark.parametrize("dtype", TOLERANCES)


def assert_alike(mine, theirs, *parameters):
    """Values agree, and gradients with respect to the parameters."""
    tolerance = TOLERANCES[mine.dtype]
    close = {"rtol": tolerance, "atol": tolerance}
    torch.testing.assert_close(mine, theirs, **close)
    weights = torch.linspace(-1, 1, len(mine), dtype=mine.dtype)
    kept = {"retain_graph": True, "materialize_grads": True}
    found = torch.autograd.grad(mine @ weights, parameters, **kept)
    wanted = torch.autograd.grad(theirs @ weights, parameters, **kept)
    torch.testing.assert_close(found, wanted, **close)


@pytest.fixture
def draw(generator):
    return lambda dtype, *shape: torch.randn(shape, generator=generator, dtype=dtype).requires_grad_()


@BOTH_TYPES
def test_categorical_is_torchs_twin(dtype, draw, generator):
    logits, actions = draw(dtype, 7, 4), torch.randint(4, (7,), generator=generator)
    own, twin = Categorical(logits), twins.Categorical(logits=logits)
    assert_alike(own.log_prob(actions), twin.log_prob(actions), logits)
    assert_alike(own.entropy(), twin.entropy(), logits)


@BOTH_TYPES
def test_multi_categorical_is_the_product_of_torchs_categoricals(dtype, draw, generator):
    logits = draw(dtype, 7, 5)
    actions = torch.stack([torch.randint(n, (7,), generator=generator) for n in (2, 3)], dim=1)
    own = MultiCategorical(logits, (2, 3))
    first, second = twins.Categorical(logits=logits[:, :2]), twins.Categorical(logits=logits[:, 2:])
    both = first.log_prob(actions[:, 0]) + second.log_prob(actions[:, 1])
    assert_alike(own.log_prob(actions), both, logits)
    assert_alike(own.entropy(), first.entropy() + second.entropy(), logits)


@BOTH_TYPES
@pytest.mark.parametrize("each_its_own", [False, True])
def test_diagonal_gaussian_is_torchs_twin(each_its_own, dtype, draw):
    mean, log_std = draw(dtype, 7, 3), draw(dtype, *((7, 3) if each_its_own else (3,)))
    actions = draw(dtype, 7, 3).detach()
    own = DiagonalGaussian(mean, log_std)
    twin = twins.Independent(twins.Normal(mean, log_std.exp().expand(7, 3)), 1)
    assert_alike(own.log_prob(actions), twin.log_prob(actions), mean, log_std)
    assert_alike(own.entropy(), twin.entropy(), mean, log_std)


def test_categorical_draws_each_action_as_often_as_it_is_likely(generator):
    p = torch.tensor([0.1, 0.6, 0.3])
    drawn = Categorical(p.log().expand(20_000, 3)).sample(generator)
    assert torch.allclose(drawn.bincount(minlength=3) / 20_000, p, atol=0.02)


def test_gaussian_draws_have_its_mean_and_deviation(generator):
    mean, std = torch.tensor([-1.0, 2.0]), torch.tensor([0.5, 3.0])
    drawn = DiagonalGaussian(mean.expand(20_000, 2), std.log()).sample(generator)
    assert torch.allclose(drawn.mean(dim=0), mean, atol=0.1)
    assert torch.allclose(drawn.std(dim=0), std, rtol=0.05)


def test_choices_of_a_multi_categorical_are_drawn_apart(generator):
    sure = torch.tensor([[50.0, 0, 0, 0, 50]]).expand(9, 5)
    drawn = MultiCategorical(sure, (2, 3)).sample(generator)
    assert drawn.tolist() == [[0, 2]] * 9


def test_modes_are_the_likeliest_actions():
    assert Categorical(torch.tensor([[0.0, 2, 1]])).mode.tolist() == [1]
    assert MultiCategorical(torch.tensor([[0.0, 2, 3, 1, 1]]), (2, 3)).mode.tolist() == [[1, 0]]
    assert DiagonalGaussian(torch.tensor([[0.5]]), torch.zeros(1)).mode.tolist() == [[0.5]]


def test_entropy_of_even_odds_is_log_n():
    assert Categorical(torch.zeros(1, 5)).entropy().item() == pytest.approx(math.log(5))


def test_huge_logits_stay_finite():
    assert Categorical(torch.tensor([[1e4, 0.0]])).log_prob(torch.tensor([1])).item() == -1e4


def test_logits_of_another_width_than_the_choices_are_refused():
    with pytest.raises(InputError, match=r"logits shape=\(1, 4\): must be \(\.\.\., 5\)"):
        MultiCategorical(torch.zeros(1, 4), (2, 3))
