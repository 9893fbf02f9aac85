import copy

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from states import saved_and_loaded
from torch import nn

from foundations.convolution import Conv2d
from foundations.errors import InputError
from foundations.layers import Dropout, Flatten, Linear, Reshape, Residual, SpatialDropout


@pytest.mark.parametrize("body", ["kernel", "equations"])
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("shape", [(5, 7), (2, 3, 7), (7,)])
def test_linear_agrees_with_torch(shape, bias, body, assert_twins, generator):
    own = Linear(7, 4, bias, generator=generator, body=body)
    assert_twins(own, nn.Linear(7, 4, bias), torch.randn(shape, generator=generator))


def test_linear_begins_as_torchs_does_from_the_same_seed(generator):
    own = Linear(7, 4, generator=generator)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        reference = nn.Linear(7, 4)
    torch.testing.assert_close(own.weight, reference.weight)
    torch.testing.assert_close(own.bias, reference.bias)


@pytest.mark.parametrize("body", ["kernel", "equations"])
def test_linear_passes_gradcheck(body, generator):
    layer = Linear(3, 2, generator=generator, body=body).double()
    x = torch.randn(4, 3, generator=generator, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(layer, x)


@given(batch=st.integers(0, 5), inputs=st.integers(1, 9), outputs=st.integers(1, 9))
def test_linear_keeps_the_batch_and_changes_the_width(batch, inputs, outputs):
    layer = Linear(inputs, outputs, generator=torch.Generator())
    assert layer(torch.zeros(batch, inputs)).shape == (batch, outputs)


def test_linear_refuses_an_input_of_another_width(generator):
    with pytest.raises(InputError, match=r"input shape=\(2, 8\): must be \(\.\.\., 7\)"):
        Linear(7, 4, generator=generator)(torch.zeros(2, 8))


@pytest.mark.parametrize("sizes", [(0, 4), (4, 0), (-1, 4)])
def test_linear_refuses_sizes_below_one(sizes):
    with pytest.raises(InputError, match="_features"):
        Linear(*sizes)


@pytest.mark.parametrize(
    "build", [lambda g: Linear(3, 2, generator=g), lambda g: Dropout(0.5, generator=g)(torch.ones(9))]
)
def test_a_passed_generator_leaves_the_global_stream_alone(build, generator):
    before = torch.get_rng_state()
    build(generator)
    assert torch.equal(torch.get_rng_state(), before)


@given(p=st.floats(0, 0.9))
def test_dropout_keeps_a_share_of_one_minus_p_and_the_expectation(p):
    y = Dropout(p, generator=torch.Generator().manual_seed(1))(torch.ones(20_000))
    assert (y != 0).double().mean().item() == pytest.approx(1 - p, abs=0.02)
    assert y.mean().item() == pytest.approx(1, abs=0.12)


def test_dropout_scales_what_it_keeps_by_the_keep_probability(generator):
    y = Dropout(0.2, generator=generator)(torch.ones(100, dtype=torch.float64))
    torch.testing.assert_close(y.unique(), torch.tensor([0.0, 1 / 0.8], dtype=torch.float64), rtol=1e-15, atol=0)


def test_dropout_passes_the_gradient_only_where_it_kept(generator):
    x = torch.ones(50, requires_grad=True)
    y = Dropout(0.5, generator=generator)(x)
    y.sum().backward()
    assert torch.equal(x.grad, y.detach())


def test_dropout_in_evaluation_is_the_identity(generator):
    x = torch.randn(10, generator=generator)
    assert Dropout(0.5, generator=generator).eval()(x) is x


def test_dropout_goes_on_from_the_saved_state_of_its_generator(generator):
    layer, x = Dropout(0.5, generator=generator), torch.ones(100)
    layer(x)
    state = generator.get_state()
    straight = layer(x)
    resumed = Dropout(0.5, generator=torch.Generator().set_state(state))(x)
    assert torch.equal(straight, resumed)


def test_dropout_adds_nothing_to_the_state_dict(generator):
    own = nn.Sequential(Linear(3, 3, generator=generator), Dropout(generator=generator))
    nn.Sequential(nn.Linear(3, 3), nn.Dropout()).load_state_dict(own.state_dict())
    assert own.state_dict().keys() == {"0.weight", "0.bias"}


def test_a_copy_of_dropout_draws_from_a_stream_of_its_own(generator):
    layer = Dropout(0.5, generator=generator)
    before = generator.get_state()
    copy.deepcopy(layer)(torch.ones(10))
    assert torch.equal(generator.get_state(), before)


@pytest.mark.parametrize("p", [-0.1, 1.0, float("nan")])
def test_dropout_refuses_what_is_no_probability_below_one(p):
    with pytest.raises(InputError, match="p="):
        Dropout(p)


@pytest.mark.parametrize("layer", [Linear(4, 2), Dropout(), SpatialDropout()])
def test_bytes_are_refused_with_the_remedy(layer):
    with pytest.raises(InputError, match=r"input dtype=torch.uint8: must be a floating-point type; .*/ 255"):
        layer(torch.zeros(2, 3, 4, dtype=torch.uint8))


@given(p=st.floats(0, 0.9))
def test_spatial_dropout_keeps_a_share_of_one_minus_p_and_the_expectation(p):
    y = SpatialDropout(p, generator=torch.Generator().manual_seed(1))(torch.ones(200, 100, 2))
    assert (y != 0).double().mean().item() == pytest.approx(1 - p, abs=0.02)
    assert y.mean().item() == pytest.approx(1, abs=0.12)


@given(st.lists(st.integers(1, 4), min_size=1, max_size=3))
def test_spatial_dropout_keeps_or_drops_whole_channels(places):
    layer = SpatialDropout(0.5, generator=torch.Generator().manual_seed(0))
    channels = layer(torch.ones(20, 3, *places)).flatten(start_dim=2)
    assert torch.equal(channels, channels[..., :1].expand_as(channels))
    assert channels.unique().tolist() == [0, 2]


def test_spatial_dropout_draws_other_channels_for_each_sample(generator):
    y = SpatialDropout(0.5, generator=generator)(torch.ones(50, 4, 2, 2))
    assert len(y[:, :, 0, 0].unique(dim=0)) > 1


def test_spatial_dropout_in_evaluation_is_the_identity(generator):
    x = torch.randn(2, 3, 4, generator=generator)
    assert SpatialDropout(0.5, generator=generator).eval()(x) is x


def test_spatial_dropout_refuses_vectors():
    with pytest.raises(InputError, match=r"input shape=\(5, 3\): must be \(batch, channels, \.\.\.\); .*Dropout"):
        SpatialDropout()(torch.zeros(5, 3))


def test_blocks_nest_copy_and_load_from_what_was_saved(generator):
    own = nn.Sequential(Conv2d(1, 2, 3, generator=generator), SpatialDropout(generator=generator), Flatten())
    other = nn.Sequential(Conv2d(1, 2, 3), SpatialDropout(), Flatten())
    other.load_state_dict(saved_and_loaded(copy.deepcopy(own).state_dict()))
    x = torch.randn(2, 1, 5, 5, generator=generator)
    assert torch.equal(other.eval()(x), own.eval()(x))


@given(st.lists(st.integers(1, 5), min_size=1, max_size=4), st.integers(0, 4))
def test_reshape_undoes_flatten(shape, batch):
    x = torch.arange(batch * torch.Size(shape).numel()).view(batch, *shape)
    assert torch.equal(Reshape(*shape)(Flatten()(x)), x)


def test_reshape_refuses_samples_of_another_size():
    with pytest.raises(InputError, match=r"input shape=\(2, 10\): must be .* 12 elements"):
        Reshape(3, 2, 2)(torch.zeros(2, 10))


@pytest.mark.parametrize("shape", [(), (0,), (3, -1)])
def test_reshape_refuses_impossible_shapes(shape):
    with pytest.raises(InputError, match="shape="):
        Reshape(*shape)


def test_residual_gradient_is_one_plus_the_branchs():
    x = torch.tensor([2.0], requires_grad=True)
    branch = Linear(1, 1, bias=False)
    nn.init.constant_(branch.weight, 0.5)
    Residual(branch)(x).backward()
    assert x.grad.item() == 1.5


def test_gradient_survives_fifty_residual_layers_but_not_fifty_plain_ones(generator):
    layers = [nn.Sequential(Linear(16, 16, generator=generator), nn.Tanh()) for _ in range(50)]
    norms = {}
    for name, net in {"plain": layers, "residual": [Residual(layer) for layer in layers]}.items():
        x = torch.randn(8, 16, generator=torch.Generator().manual_seed(1), requires_grad=True)
        nn.Sequential(*net)(x).sum().backward()
        norms[name] = x.grad.norm().item()
    assert norms["plain"] < 1e-6
    assert norms["residual"] > 1


def test_residual_through_a_shortcut_may_change_the_shape(generator):
    block = Residual(
        Conv2d(3, 8, 3, stride=2, padding=1, generator=generator), Conv2d(3, 8, 1, stride=2, generator=generator)
    )
    assert block(torch.zeros(2, 3, 8, 8)).shape == (2, 8, 4, 4)


def test_residual_refuses_a_branch_that_changes_the_shape(generator):
    with pytest.raises(InputError, match="branch output shape"):
        Residual(Linear(4, 1, generator=generator))(torch.zeros(2, 4))
