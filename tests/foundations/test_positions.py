import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from foundations.errors import InputError
from foundations.positions import LearnedPositions, SinusoidalPositions, apply_rotary, sinusoidal_positions


def test_sinusoidal_positions_are_those_of_the_paper():
    found = sinusoidal_positions(3, 4)
    wanted = [[math.sin(t), math.cos(t), math.sin(t / 100), math.cos(t / 100)] for t in range(3)]
    torch.testing.assert_close(found, torch.tensor(wanted))


@given(st.integers(1, 50), st.integers(1, 8), st.integers(0, 5000))
def test_every_sinusoidal_position_has_the_same_length(length, pairs, start):
    found = sinusoidal_positions(length, 2 * pairs, start)
    assert found.shape == (length, 2 * pairs)
    torch.testing.assert_close(found.norm(dim=1), torch.full((length,), math.sqrt(pairs)))


def test_the_product_of_two_sinusoidal_positions_depends_on_their_distance_alone():
    p = sinusoidal_positions(300, 64).double()
    products = p @ p.T
    for distance in (0, 1, 7, 100):
        diagonal = products.diagonal(distance)
        torch.testing.assert_close(diagonal, diagonal[:1].expand_as(diagonal), rtol=0, atol=1e-5)
    assert products[0, 0] > products[0, 1] > products[0, 2] > products[0, 4]


def test_far_places_are_as_exact_as_near_ones():
    turn = 10_007 % (2 * math.pi)
    assert sinusoidal_positions(1, 2, 10_007)[0].tolist() == pytest.approx([math.sin(turn), math.cos(turn)], abs=1e-6)


@pytest.mark.parametrize("make", [LearnedPositions, lambda context, features: SinusoidalPositions()])
def test_positions_added_piece_by_piece_are_those_added_together(make, generator):
    layer, x = make(6, 4), torch.randn(2, 6, 4, generator=generator)
    pieces = [layer(x[:, :2], 0), layer(x[:, 2:], 2)]
    assert torch.equal(torch.cat(pieces, dim=1), layer(x))


def test_learned_positions_get_the_gradient_of_their_place(generator):
    layer = LearnedPositions(6, 4, generator=generator)
    layer(torch.zeros(3, 2, 4), start=1).sum().backward()
    assert layer.weight.grad[:, 0].tolist() == [0, 3, 3, 0, 0, 0]


def test_rotary_turns_each_pair_by_its_places_angle():
    x = torch.tensor([[1.0, 0.0, 0.0, 2.0]]).expand(3, 4)
    t = 2 / 100  # the second pair's angle at place 2
    wanted = [math.cos(2), math.sin(2), -2 * math.sin(t), 2 * math.cos(t)]
    assert apply_rotary(x)[2].tolist() == pytest.approx(wanted, abs=1e-6)


def test_rotary_turns_a_view_as_it_turns_its_copy(generator):
    x = torch.randn(5, 3, 9, generator=generator)
    for view in (x[..., :4], x[..., 1:5], x.mT[..., :2], x.transpose(0, 1)[..., 1:7]):
        assert torch.equal(apply_rotary(view), apply_rotary(view.clone(memory_format=torch.contiguous_format)))


def test_rotary_keeps_half_precision(generator):
    x = torch.randn(5, 8, generator=generator)
    turned = apply_rotary(x.bfloat16())
    assert turned.dtype == torch.bfloat16
    torch.testing.assert_close(turned.float(), apply_rotary(x), rtol=0.02, atol=0.02)


@given(st.integers(0, 200), st.integers(0, 200), st.integers(1, 300), st.integers(1, 16))
def test_a_product_of_rotary_vectors_depends_on_content_and_distance_alone(query_at, key_at, shift, pairs):
    stream = torch.Generator().manual_seed(pairs)
    q, k = torch.randn(2, 1, 2 * pairs, generator=stream, dtype=torch.float64)
    here = apply_rotary(q, query_at) @ apply_rotary(k, key_at).mT
    there = apply_rotary(q, query_at + shift) @ apply_rotary(k, key_at + shift).mT
    torch.testing.assert_close(here, there, rtol=1e-10, atol=1e-10)


def test_rotary_keeps_lengths_and_leaves_the_first_place_alone(generator):
    x = torch.randn(2, 3, 5, 8, generator=generator)
    turned = apply_rotary(x)
    torch.testing.assert_close(turned.norm(dim=-1), x.norm(dim=-1))
    assert torch.equal(turned[..., 0, :], x[..., 0, :])
    assert not torch.allclose(turned[..., 1, :], x[..., 1, :])


def test_rotary_passes_gradcheck(generator):
    x = torch.randn(2, 3, 4, generator=generator, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda x: apply_rotary(x, 5), x)


def test_rotary_trains_after_it_was_used_in_inference():
    x = torch.ones(1, 11, 6)
    with torch.inference_mode():
        apply_rotary(x)
        SinusoidalPositions()(x)
    y = SinusoidalPositions()(apply_rotary(x.requires_grad_()))
    y.square().sum().backward()
    assert x.grad.isfinite().all()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: sinusoidal_positions(0, 4), "length=0"),
        (lambda: sinusoidal_positions(4, 5), "features=5: must be an even number"),
        (lambda: LearnedPositions(0, 4), "context=0"),
        (lambda: LearnedPositions(4, 0), "features=0"),
        (lambda: LearnedPositions(4, 2)(torch.ones(1, 3, 2), 2), "places=5: must be between 1 and 4, the context"),
        (lambda: apply_rotary(torch.ones(2, 3)), "features=3: must be even"),
        (lambda: apply_rotary(torch.ones(2, 4).long()), "dtype=torch.int64"),
    ],
)
def test_what_does_not_fit_is_refused_by_name(make, message):
    with pytest.raises(InputError, match=message):
        make()
