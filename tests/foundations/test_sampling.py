import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from foundations.errors import InputError
from foundations.sampling import keep_top_k, keep_top_p, sample

LOGITS = torch.tensor([0.5, 0.3, 0.15, 0.05]).log()


def shares(generator: torch.Generator, count: int = 20_000, **settings) -> list[float]:
    """How often each of the four tokens is drawn."""
    drawn = sample(LOGITS.expand(count, 4), generator, **settings)
    return (drawn.bincount(minlength=4) / count).tolist()


def test_tokens_are_drawn_as_often_as_they_are_probable(generator):
    assert shares(generator) == pytest.approx([0.5, 0.3, 0.15, 0.05], abs=0.015)


def test_temperature_divides_the_logits(generator):
    wanted = (LOGITS / 2).softmax(0).tolist()
    assert shares(generator, temperature=2.0) == pytest.approx(wanted, abs=0.015)


def test_a_low_temperature_and_none_take_the_likeliest(generator):
    assert shares(generator, temperature=1e-3) == [1, 0, 0, 0]
    assert sample(LOGITS.expand(2, 3, 4), temperature=0).tolist() == [[0, 0, 0], [0, 0, 0]]


def test_a_temperature_near_0_takes_the_likeliest_where_a_quotient_would_be_infinite(generator):
    assert sample(torch.tensor([60.0, 70.0]).half(), generator, temperature=1e-3).item() == 1
    assert sample(torch.tensor([60.0, 70.0]), generator, temperature=1e-37).item() == 1


def test_top_k_draws_among_the_k_likeliest_in_their_own_proportion(generator):
    assert shares(generator, top_k=2) == pytest.approx([0.625, 0.375, 0, 0], abs=0.015)


def test_top_p_draws_among_the_fewest_that_reach_the_probability(generator):
    assert shares(generator, top_p=0.75) == pytest.approx([0.625, 0.375, 0, 0], abs=0.015)


def test_top_p_counts_after_top_k_and_temperature(generator):
    # Of the two likeliest the first has 0.625, enough by itself; at temperature 2 it has 0.56, too little.
    assert shares(generator, top_k=2, top_p=0.6) == [1, 0, 0, 0]
    assert shares(generator, top_k=2, top_p=0.6, temperature=2.0)[1] > 0.4


def test_the_likeliest_survives_any_top_p():
    assert keep_top_p(LOGITS, 1e-9).isfinite().tolist() == [True, False, False, False]


@given(st.integers(1, 12), st.integers(1, 20), st.floats(0.01, 1.0))
def test_what_is_kept_is_unchanged_and_likelier_than_what_is_not(tokens, k, p):
    logits = torch.randn(3, tokens, generator=torch.Generator().manual_seed(tokens))
    for kept in (keep_top_k(logits, k), keep_top_p(logits, p)):
        stays = kept.isfinite()
        assert torch.equal(kept[stays], logits[stays])
        least = logits.masked_fill(~stays, math.inf).amin(dim=-1, keepdim=True)
        assert bool((logits[~stays] < least.expand_as(logits)[~stays]).all())
    assert keep_top_k(logits, k).isfinite().sum(dim=-1).tolist() == [min(k, tokens)] * 3
    together = logits.softmax(-1).masked_fill(~keep_top_p(logits, p).isfinite(), 0).sum(-1)
    assert bool((together >= p - 1e-5).all())


def test_the_same_stream_draws_the_same_tokens_and_the_global_one_is_left_alone():
    before = torch.get_rng_state()
    logits = LOGITS.expand(50, 4)
    first, second = (sample(logits, torch.Generator().manual_seed(3)) for _ in range(2))
    assert torch.equal(first, second)
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize(
    ("logits", "settings", "message"),
    [
        (LOGITS, {"temperature": -1.0}, "temperature=-1.0: must be at least 0"),
        (LOGITS, {"temperature": math.nan}, "temperature=nan"),
        (LOGITS, {"temperature": math.inf}, "temperature=inf"),
        (LOGITS, {"top_k": 0}, "top_k=0"),
        (LOGITS, {"top_p": 0.0}, "top_p=0.0"),
        (LOGITS, {"top_p": 1.1}, "top_p=1.1"),
        (torch.tensor([0.0, math.nan]), {}, "logits=NaN"),
        (torch.tensor([0.0, math.inf]), {}, "logits=NaN, infinite"),
        (torch.full((2, 3), -math.inf), {"temperature": 0.0}, "leave at least one token possible"),
    ],
)
def test_impossible_settings_and_logits_are_refused_by_name(logits, settings, message, generator):
    with pytest.raises(InputError, match=message):
        sample(logits, generator, **settings)
