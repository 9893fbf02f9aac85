import math

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from foundations.attention import (
    AdditiveAttention,
    KeyValueCache,
    MultiHeadAttention,
    additive_attention,
    attention_weights,
    causal_mask,
    dot_attention,
    padding_mask,
    scaled_dot_product_attention,
)
from foundations.errors import InputError

BODIES = ["kernel", "equations"]
PADDING = torch.tensor([[True] * 5, [True, True, True, False, False]])[:, None]  # (batch, 1, keys)


class Called(nn.Module):
    """A module as a function of one input, so that two of them can be compared."""

    def __init__(self, module: nn.Module, call) -> None:
        super().__init__()
        self.module, self.call = module, call

    def forward(self, x: Tensor) -> Tensor:
        return self.call(self.module, x)


def heads(generator: torch.Generator, queries: int = 5, keys: int = 5, dtype=torch.float32) -> list[Tensor]:
    sizes = (queries, keys, keys)
    return [torch.randn(2, 3, size, 4, generator=generator, dtype=dtype, requires_grad=True) for size in sizes]


# --- scaled dot product -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("body", BODIES)
@pytest.mark.parametrize("case", ["free", "padded", "causal", "causal and padded"])
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 1e-5), (torch.float64, 1e-10)])
def test_scaled_dot_product_agrees_with_torch_in_value_and_gradient(case, body, dtype, tolerance, generator):
    own = heads(generator, dtype=dtype)
    twin = [each.detach().clone().requires_grad_() for each in own]
    mask = PADDING[:, None] if "padded" in case else None
    wanted_mask = mask
    if "causal" in case:
        wanted_mask = (
            torch.ones(5, 5, dtype=torch.bool).tril() if mask is None else mask & torch.ones(5, 5).tril().bool()
        )
    y = scaled_dot_product_attention(*own, mask, "causal" in case, body=body)
    wanted = F.scaled_dot_product_attention(*twin, attn_mask=wanted_mask)
    torch.testing.assert_close(y, wanted, rtol=tolerance, atol=tolerance)
    slopes = torch.randn(y.shape, generator=generator, dtype=dtype)
    y.backward(slopes)
    wanted.backward(slopes)
    for left, right in zip(own, twin, strict=True):
        torch.testing.assert_close(left.grad, right.grad, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("body", BODIES)
def test_scaled_dot_product_passes_gradcheck(body, generator):
    inputs = heads(generator, dtype=torch.float64)
    assert torch.autograd.gradcheck(
        lambda *qkv: scaled_dot_product_attention(*qkv, PADDING[:, None], body=body), inputs
    )


@pytest.mark.parametrize("body", BODIES)
def test_a_query_that_may_look_nowhere_gets_zeros_and_gradients_that_are_numbers(body, generator):
    mask = torch.ones(5, 5, dtype=torch.bool)
    mask[2] = False
    q, k, v = heads(generator)
    y = scaled_dot_product_attention(q, k, v, mask, body=body)
    assert torch.equal(y[:, :, 2], torch.zeros(2, 3, 4))
    y.square().sum().backward()
    assert all(each.grad.isfinite().all() for each in (q, k, v))
    assert torch.equal(q.grad[:, :, 2], torch.zeros(2, 3, 4))


@pytest.mark.parametrize("body", BODIES)
def test_with_fewer_queries_than_keys_causal_queries_are_the_last_places(body, generator):
    q, k, v = heads(generator)
    whole = scaled_dot_product_attention(q, k, v, causal=True, body=body)
    for count in (1, 3):
        last = scaled_dot_product_attention(q[:, :, -count:], k, v, causal=True, body=body)
        torch.testing.assert_close(last, whole[:, :, -count:])


@pytest.mark.parametrize("body", BODIES)
def test_what_is_masked_changes_nothing(body, generator):
    q, k, v = heads(generator)
    before = scaled_dot_product_attention(q, k, v, PADDING[:, None], body=body)
    with torch.no_grad():
        for each in (k, v):
            each[1, :, 3:] = 1e3
    torch.testing.assert_close(scaled_dot_product_attention(q, k, v, PADDING[:, None], body=body), before)


def test_the_scale_keeps_attention_from_settling_on_one_of_many_keys(generator):
    q, k = torch.randn(2, 200, 256, generator=generator)
    unscaled = attention_weights(q, k).amax(-1).mean()
    scaled = attention_weights(q, k, scale=1 / math.sqrt(256)).amax(-1).mean()
    assert unscaled > 0.8
    assert scaled < 0.2


@given(st.integers(1, 4), st.integers(1, 6), st.integers(1, 6), st.booleans())
def test_weights_are_a_distribution_over_the_keys_for_any_sizes(batch, queries, keys, causal):
    causal = causal and queries <= keys
    stream = torch.Generator().manual_seed(queries + 7 * keys)
    q, k = torch.randn(batch, queries, 3, generator=stream), torch.randn(batch, keys, 3, generator=stream)
    weights = attention_weights(q, k, causal=causal)
    assert weights.shape == (batch, queries, keys)
    torch.testing.assert_close(weights.sum(-1), torch.ones(batch, queries))
    if causal:
        assert not weights[:, ~causal_mask(queries, keys)].any()


# --- dot and additive -------------------------------------------------------------------------------------------------


def test_dot_attention_takes_all_from_the_key_that_answers():
    keys = 50 * torch.eye(3)[None]
    values = torch.tensor([[[1.0], [2.0], [3.0]]])
    context, weights = dot_attention(torch.eye(3)[None, 1:2], keys, values)
    assert context.item() == pytest.approx(2)
    assert weights[0, 0].tolist() == pytest.approx([0, 1, 0], abs=1e-6)


def test_dot_attention_is_the_scaled_one_of_a_longer_query(generator):
    q, k, v = heads(generator)
    context, weights = dot_attention(q, k, v, PADDING[:, None])
    torch.testing.assert_close(context, scaled_dot_product_attention(2 * q, k, v, PADDING[:, None]))  # sqrt(4) = 2
    torch.testing.assert_close(weights @ v, context)


def test_additive_attention_is_that_of_the_paper_worked_by_hand():
    query, keys = torch.tensor([[[0.5]]]), torch.tensor([[[0.0], [1.0]]])
    context, weights = additive_attention(query, keys, torch.tensor([[[10.0], [20.0]]]), torch.tensor([2.0]))
    scores = [2 * math.tanh(0.5), 2 * math.tanh(1.5)]
    first = math.exp(scores[0]) / sum(map(math.exp, scores))
    assert weights.flatten().tolist() == pytest.approx([first, 1 - first])
    assert context.item() == pytest.approx(10 * first + 20 * (1 - first))


def test_additive_attention_passes_gradcheck_and_its_blind_queries_get_zeros(generator):
    layer = AdditiveAttention(3, 4, 5, generator=generator).double()
    query = torch.randn(2, 2, 3, generator=generator, dtype=torch.float64, requires_grad=True)
    states = torch.randn(2, 5, 4, generator=generator, dtype=torch.float64, requires_grad=True)
    mask = PADDING & torch.tensor([[[True], [False]]])
    context, weights = layer(query, states, mask)
    assert not context[:, 1].any()
    assert not weights[:, 1].any()
    assert not weights[1, 0, 3:].any()
    assert torch.autograd.gradcheck(lambda *inputs: layer(*inputs, mask), (query, states))


def test_a_memory_projected_once_gives_the_same_context(generator):
    layer = AdditiveAttention(3, 4, 5, generator=generator)
    query, states = torch.randn(2, 1, 3, generator=generator), torch.randn(2, 5, 4, generator=generator)
    context, _ = layer(query, states, PADDING)
    assert torch.equal(layer(query, states, PADDING, projected=layer.project(states))[0], context)


# --- multi-head -------------------------------------------------------------------------------------------------------

SELF = {
    "free": (lambda own, x: own(x), lambda twin, x: twin(x, x, x, need_weights=False)[0]),
    "causal": (
        lambda own, x: own(x, causal=True),
        lambda twin, x: twin(x, x, x, attn_mask=torch.ones(5, 5, dtype=torch.bool).triu(1), need_weights=False)[0],
    ),
    "padded": (
        lambda own, x: own(x, mask=PADDING),
        lambda twin, x: twin(x, x, x, key_padding_mask=~PADDING[:, 0], need_weights=False)[0],
    ),
    "query against a memory": (
        lambda own, x: own(x, x[:, :3] + 1),
        lambda twin, x: twin(x, x[:, :3] + 1, x[:, :3] + 1, need_weights=False)[0],
    ),
    "key and value apart": (
        lambda own, x: own(x, 2 * x, x + 1),
        lambda twin, x: twin(x, 2 * x, x + 1, need_weights=False)[0],
    ),
}


@pytest.mark.parametrize("body", BODIES)
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("case", SELF)
def test_multi_head_attention_agrees_with_torch(case, bias, body, assert_twins, generator):
    own = MultiHeadAttention(12, 3, bias=bias, generator=generator, body=body)
    twin = nn.MultiheadAttention(12, 3, bias=bias, batch_first=True)
    if bias:
        nn.init.normal_(own.in_proj_bias, generator=generator)
    own_call, twin_call = SELF[case]
    x = torch.randn(2, 5, 12, generator=generator)
    assert_twins(Called(own, own_call), Called(twin, twin_call), x)


def test_multi_head_attention_begins_as_torchs_does(generator):
    own = MultiHeadAttention(64, 4, generator=generator)
    twin = nn.MultiheadAttention(64, 4)
    for name, weight in twin.state_dict().items():
        found = own.state_dict()[name]
        assert found.shape == weight.shape
        assert found.abs().max().item() == pytest.approx(weight.abs().max().item(), rel=0.02, abs=0)


@pytest.mark.parametrize("causal", [True, False])
def test_the_weights_are_those_of_torch(causal, generator):
    own, twin = MultiHeadAttention(12, 3, generator=generator), nn.MultiheadAttention(12, 3, batch_first=True)
    twin.load_state_dict(own.state_dict())
    x = torch.randn(2, 5, 12, generator=generator)
    mask = torch.ones(5, 5, dtype=torch.bool).triu(1) if causal else None
    _, wanted = twin(x, x, x, attn_mask=mask, average_attn_weights=False)
    torch.testing.assert_close(own.weights(x, causal=causal), wanted)


def test_places_added_one_by_one_to_a_cache_give_what_they_give_together(generator):
    layer = MultiHeadAttention(12, 3, rotary=True, generator=generator)
    x = torch.randn(2, 5, 12, generator=generator)
    cache = KeyValueCache(5)
    pieces = [layer(piece, causal=True, cache=cache) for piece in x.split([2, 1, 2], dim=1)]
    torch.testing.assert_close(torch.cat(pieces, dim=1), layer(x, causal=True))


def test_a_cache_keeps_the_chosen_rows(generator):
    layer = MultiHeadAttention(12, 3, generator=generator)
    x = torch.randn(3, 5, 12, generator=generator)
    cache, rows = KeyValueCache(5), torch.tensor([2, 2, 0])
    layer(x[:, :4], causal=True, cache=cache)
    cache.select(rows)
    torch.testing.assert_close(layer(x[rows, 4:], causal=True, cache=cache), layer(x, causal=True)[rows, 4:])


def test_dropout_of_weights_is_drawn_from_its_own_stream_and_only_in_training(generator):
    masks = torch.Generator().manual_seed(1)
    layer = MultiHeadAttention(12, 3, dropout=0.5, generator=generator, dropout_generator=masks)
    x = torch.randn(2, 5, 12, generator=generator)
    before = torch.get_rng_state()
    first, second = layer(x), layer(x)
    assert not torch.equal(first, second)
    masks.manual_seed(1)
    assert torch.equal(layer(x), first)
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.equal(layer.eval()(x), layer(x))


# --- masks ------------------------------------------------------------------------------------------------------------


def test_a_causal_mask_shows_each_place_itself_and_what_came_before():
    assert causal_mask(3).tolist() == [[True, False, False], [True, True, False], [True, True, True]]
    assert causal_mask(2, 4).tolist() == [[True, True, True, False], [True, True, True, True]]


def test_a_padding_mask_shows_as_many_places_as_a_sequence_is_long():
    mask = padding_mask(torch.tensor([1, 3, 0]), 4)
    assert mask.shape == (3, 1, 4)
    assert mask.sum(-1).flatten().tolist() == [1, 3, 0]
    assert mask[1, 0].tolist() == [True, True, True, False]
    assert padding_mask(torch.tensor([1, 3])).shape == (2, 1, 3)


# --- bad input --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: MultiHeadAttention(12, 5), "embed_dim=12: must be a positive multiple of num_heads=5"),
        (lambda: MultiHeadAttention(12, 0), "num_heads=0"),
        (lambda: MultiHeadAttention(6, 2, rotary=True), "rotary=True: must be False where the 3 features"),
        (lambda: MultiHeadAttention(12, 3, body="fast"), "body='fast'"),
        (lambda: MultiHeadAttention(12, 3, dropout=1.0), "p=1.0"),
        (
            lambda: MultiHeadAttention(12, 3)(torch.ones(2, 5, 11)),
            r"query shape=\(2, 5, 11\): must be \(batch, places, 12",
        ),
        (lambda: MultiHeadAttention(12, 3)(torch.ones(2, 5, 12).long()), "dtype=torch.int64"),
        (lambda: MultiHeadAttention(12, 3)(torch.ones(2, 5, 12), mask=torch.ones(5, 5)), "mask dtype=torch.float32"),
        (
            lambda: MultiHeadAttention(12, 3)(torch.ones(2, 5, 12), mask=torch.ones(3, 5, 5).bool()),
            r"mask shape=\(3, 1, 5, 5\): must broadcast to \(2, 3, 5, 5\)",
        ),
        (lambda: AdditiveAttention(3, 4, 0), "out_features=0"),
        (lambda: causal_mask(3, 2), "queries=3: must be between 1 and 2"),
        (lambda: padding_mask(torch.tensor([4]), 3), "lengths=.4.: must be between 0 and 3"),
        (lambda: padding_mask(torch.tensor([1.5])), "lengths='.1,. of torch.float32'"),
        (lambda: scaled_dot_product_attention(*3 * [torch.ones(2, 3)], body="fast"), "body='fast'"),
        (lambda: attention_weights(torch.ones(2, 3), torch.ones(2, 4)), r"key shape=\(2, 4\)"),
        (lambda: dot_attention(torch.ones(2, 3), torch.ones(2, 3), torch.ones(5, 3)), r"value shape=\(5, 3\)"),
        (
            lambda: additive_attention(*3 * [torch.ones(2, 3)], torch.ones(1)),
            r"direction shape=\(1,\): must be \(3,\), the query's features",
        ),
        (lambda: KeyValueCache(0), "capacity=0"),
        (
            lambda: KeyValueCache(2).extend(torch.ones(1, 1, 3, 4), torch.ones(1, 1, 3, 4)),
            "places=3: must be at most 2",
        ),
    ],
)
def test_what_does_not_fit_is_refused_by_name(make, message):
    with pytest.raises(InputError, match=message):
        make()


def test_a_cache_refuses_another_batch_than_it_was_begun_with():
    cache = KeyValueCache(4)
    cache.extend(torch.ones(2, 1, 1, 4), torch.ones(2, 1, 1, 4))
    with pytest.raises(InputError, match="batch=3: must be 2"):
        cache.extend(torch.ones(3, 1, 1, 4), torch.ones(3, 1, 1, 4))
