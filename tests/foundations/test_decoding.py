import itertools
import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from foundations.decoding import beam_search, greedy, select_rows
from foundations.errors import InputError
from foundations.key_value_cache import KeyValueCache

END, VOCABULARY, LONGEST = 1, 4, 4
WIDE = VOCABULARY**LONGEST


class Chain:
    """A model whose next token depends on all tokens before, through a state that each token turns on."""

    def __init__(self, seed: int, vocabulary: int = VOCABULARY, sharpness: float = 2.0) -> None:
        stream = torch.Generator().manual_seed(seed)
        self.turn = torch.randn(vocabulary, 5, 5, generator=stream)
        self.logits = sharpness * torch.randn(5, vocabulary, generator=stream)

    def first(self, batch: int) -> Tensor:
        return torch.linspace(-1, 1, 5 * batch).view(batch, 5)

    def __call__(self, tokens: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        state = torch.tanh(torch.einsum("bi,bij->bj", state, self.turn[tokens[:, -1]]))
        return (state @ self.logits).log_softmax(dim=1), state

    def log_probability(self, row: Tensor, sequence: tuple[int, ...]) -> float:
        tokens, state, total = torch.tensor([[2]]), row[None], 0.0
        for token in sequence:
            log_probabilities, state = self(tokens, state)
            total += float(log_probabilities[0, token])
            tokens = torch.tensor([[token]])
        return total


def every_sequence() -> list[tuple[int, ...]]:
    """All that end with END or are as long as allowed, without END before."""
    others = [token for token in range(VOCABULARY) if token != END]
    ended = [(*start, END) for n in range(LONGEST) for start in itertools.product(others, repeat=n)]
    return ended + list(itertools.product(others, repeat=LONGEST))


def begin(batch: int) -> Tensor:
    return torch.full((batch, 1), 2)


def sequences(tokens: Tensor, lengths: Tensor) -> list[tuple[int, ...]]:
    return [tuple(row[:length].tolist()) for row, length in zip(tokens, lengths, strict=True)]


@pytest.mark.parametrize("length_penalty", [0.0, 0.6, 2.0])
@pytest.mark.parametrize("seed", range(5))
def test_a_wide_beam_equals_exhaustive_search(seed, length_penalty):
    model, batch, best = Chain(seed), 3, 10
    first = model.first(batch)
    found = beam_search(
        model,
        first,
        begin(batch),
        end=END,
        maximum_length=LONGEST,
        width=WIDE,
        length_penalty=length_penalty,
        best=best,
    )
    for row in range(batch):
        scored = [
            (model.log_probability(first[row], each) / ((5 + len(each)) / 6) ** length_penalty, each)
            for each in every_sequence()
        ]
        scored.sort(reverse=True)
        assert sequences(found.tokens[row], found.lengths[row]) == [each for _, each in scored[:best]]
        torch.testing.assert_close(found.scores[row], torch.tensor([score for score, _ in scored[:best]]))


@settings(max_examples=30)
@given(st.integers(0, 200), st.integers(1, 5), st.floats(0, 2))
def test_a_beam_of_one_equals_greedy(seed, batch, length_penalty):
    model = Chain(seed)
    limits = {"end": END, "maximum_length": 8}
    wanted = greedy(model, model.first(batch), begin(batch), **limits)
    found = beam_search(model, model.first(batch), begin(batch), width=1, length_penalty=length_penalty, **limits)
    assert torch.equal(found.tokens, wanted.tokens)
    assert torch.equal(found.lengths, wanted.lengths)
    torch.testing.assert_close(found.log_probabilities, wanted.log_probabilities)


def test_greedy_takes_the_likeliest_token_each_time():
    model = Chain(3)
    found = greedy(model, model.first(1), begin(1), end=END, maximum_length=6)
    tokens, state = begin(1), model.first(1)
    for token in found.tokens[0, 0, : found.lengths[0, 0]]:
        log_probabilities, state = model(tokens, state)
        assert token == log_probabilities.argmax()
        tokens = token.view(1, 1)


def test_a_wider_beam_finds_what_greedy_misses():
    later = {2: [0.0, 0.0, 0.0, 0.6, 0.4], 3: [0.35, 0.0, 0.35, 0.3, 0.0], 4: [0.0, 1.0, 0.0, 0.0, 0.0]}
    table = torch.tensor([later.get(token, [0.0, 1.0, 0.0, 0.0, 0.0]) for token in range(5)]).log()

    def step(tokens: Tensor, state: None) -> tuple[Tensor, None]:
        return table[tokens[:, -1]], state

    assert greedy(step, None, begin(1), end=END, maximum_length=5).tokens[0, 0, 0] == 3
    found = beam_search(step, None, begin(1), end=END, maximum_length=5, width=2)
    assert sequences(found.tokens[0], found.lengths[0]) == [(4, END)]
    assert float(found.log_probabilities) == pytest.approx(math.log(0.4))


@pytest.mark.parametrize("search", [greedy, beam_search])
def test_each_sequence_of_a_batch_is_found_as_if_alone(search):
    model = Chain(4)
    first = model.first(4)
    together = search(model, first, begin(4), end=END, maximum_length=7)
    for row in range(4):
        alone = search(model, first[row : row + 1], begin(1), end=END, maximum_length=7)
        assert sequences(together.tokens[row], together.lengths[row]) == sequences(alone.tokens[0], alone.lengths[0])
        torch.testing.assert_close(together.scores[row], alone.scores[0])


def test_behind_the_end_stands_padding():
    model = Chain(1)
    found = beam_search(model, model.first(6), begin(6), end=END, maximum_length=9, width=5, best=5, pad=3)
    for tokens, length in zip(found.tokens.flatten(0, 1), found.lengths.flatten(), strict=True):
        assert (tokens[length:] == 3).all()
        assert (tokens[: length - 1] != END).all()


def test_nothing_is_longer_than_allowed():
    def endless(tokens: Tensor, state: None) -> tuple[Tensor, None]:
        return torch.tensor([[0.1, 0.0, 0.9]]).log().expand(len(tokens), -1), state

    found = beam_search(endless, None, begin(2), end=END, maximum_length=5, width=3)
    assert found.tokens.tolist() == [[[2] * 5]] * 2


def test_a_length_penalty_favours_longer_sequences():
    def lazy(tokens: Tensor, state: None) -> tuple[Tensor, None]:
        return torch.tensor([[0.0, 0.5, 0.5]]).log().expand(len(tokens), -1), state

    limits = {"end": END, "maximum_length": 6, "width": 8}
    lengths = [
        int(beam_search(lazy, None, begin(1), length_penalty=strength, **limits).lengths) for strength in (0.0, 3.0)
    ]
    assert lengths == [1, 6]


def test_sequences_that_do_not_exist_have_no_probability():
    def sure(tokens: Tensor, state: None) -> tuple[Tensor, None]:
        return torch.tensor([[0.0, 1.0, 0.0]]).log().expand(len(tokens), -1), state

    found = beam_search(sure, None, begin(1), end=END, maximum_length=3, width=4, best=3)
    assert found.log_probabilities.tolist() == [[0.0, -math.inf, -math.inf]]


def test_a_prompt_is_seen_and_left_out():
    def by_count(tokens: Tensor, state: None) -> tuple[Tensor, None]:
        assert tokens[:, :3].tolist() == [[5, 6, 7]] * len(tokens)
        return torch.eye(9)[[END if tokens.shape[1] == 5 else 8]].log().expand(len(tokens), -1), state

    found = greedy(by_count, None, torch.tensor([[5, 6, 7]]), end=END, maximum_length=9)
    assert found.tokens.tolist() == [[[8, 8, END]]]


def test_states_of_every_kind_follow_their_sequences():
    model = Chain(6)

    def step(tokens: Tensor, state: dict) -> tuple[Tensor, dict]:
        pair, [whole] = state["pair"], state["list"]
        assert torch.equal(pair[1], pair[0] * 2)
        assert torch.equal(whole, pair[0])
        key = pair[0].view(-1, 1, 1, 5)
        keys, _ = state["cache"].extend(key, key)
        if state["steps"]:
            torch.testing.assert_close(torch.tanh(keys[:, 0, -2:-1] @ model.turn[tokens[:, -2]])[:, 0], pair[0])
        log_probabilities, after = model(tokens, pair[0])
        pair, steps = (after, after * 2), state["steps"] + 1
        return log_probabilities, {"pair": pair, "list": [after], "cache": state["cache"], "steps": steps, "none": None}

    first, cache = model.first(3), KeyValueCache(8)
    state = {"pair": (first, first * 2), "list": [first], "cache": cache, "steps": 0, "none": None}
    limits = {"end": END, "maximum_length": 8, "width": 4, "best": 4}
    found = beam_search(step, state, begin(3), **limits)
    assert torch.equal(found.tokens, beam_search(model, first, begin(3), **limits).tokens)


def test_a_state_that_cannot_be_sorted_is_refused():
    with pytest.raises(InputError, match=r"^state=object"):
        select_rows(object(), torch.tensor([0]))


@pytest.mark.parametrize(
    ("changed", "name"),
    [
        ({"width": 0}, "width"),
        ({"best": 5}, "best"),
        ({"length_penalty": -1.0}, "length_penalty"),
        ({"maximum_length": 0}, "maximum_length"),
        ({"end": -1}, "end"),
        ({"pad": -1}, "pad"),
        ({"end": 4}, "log_probabilities shape"),
    ],
)
def test_impossible_settings_are_refused_by_name(changed, name):
    model = Chain(0)
    with pytest.raises(InputError, match=f"^{name}="):
        beam_search(model, model.first(1), begin(1), **{"end": END, "maximum_length": 3, **changed})


@pytest.mark.parametrize("search", [greedy, beam_search])
@pytest.mark.parametrize("tokens", [torch.zeros(2, dtype=torch.int64), torch.zeros(1, 0).long(), torch.zeros(1, 1)])
def test_beginnings_without_tokens_are_refused(search, tokens):
    with pytest.raises(InputError, match=r"^begin="):
        search(Chain(0), torch.zeros(1, 5), tokens, end=END, maximum_length=3)


@pytest.mark.parametrize("search", [greedy, beam_search])
@pytest.mark.parametrize("value", [math.nan, 3.0])
def test_anything_but_log_probabilities_is_refused(search, value):
    with pytest.raises(InputError, match=r"^log_probabilities="):
        search(
            lambda tokens, state: (torch.full((len(tokens), 3), value), state), None, begin(2), end=1, maximum_length=3
        )
