import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from foundations.errors import InputError
from foundations.normalization import BatchNorm, GroupNorm, LayerNorm

INPUTS = {
    "vectors": ((6, 3), nn.BatchNorm1d),
    "sequences": ((4, 3, 5), nn.BatchNorm1d),
    "images": ((4, 3, 5, 6), nn.BatchNorm2d),
    "volumes": ((2, 3, 2, 3, 4), nn.BatchNorm3d),
}

LAYERS = {
    "vectors": ((6, 4), 4),
    "sequences": ((2, 5, 4), 4),
    "images": ((2, 3, 4, 5), (3, 4, 5)),
    "one vector": ((4,), 4),
}
GROUPS = {
    "vectors": ((3, 6), 2),
    "sequences": ((2, 6, 5), 3),
    "images": ((2, 6, 3, 4), 2),
    "one group": ((2, 6, 3, 4), 1),
    "instances": ((2, 6, 3, 4), 6),
}


def _at_work(own: nn.Module, generator: torch.Generator) -> nn.Module:
    """Weights and running statistics that are not the first ones."""
    for tensor in (own.weight, own.bias, own.running_mean, own.running_var):
        with torch.no_grad():
            tensor.copy_(torch.rand(3, generator=generator) + 0.5)
    return own


@pytest.mark.parametrize("body", ["kernel", "equations"])
@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("momentum", [0.1, 0.8, None])
@pytest.mark.parametrize("case", INPUTS)
def test_agrees_with_torch_running_statistics_too(case, momentum, training, body, assert_twins, generator):
    shape, reference = INPUTS[case]
    own = _at_work(BatchNorm(3, eps=1e-3, momentum=momentum, body=body), generator).train(training)
    twin = reference(3, eps=1e-3, momentum=momentum).train(training)
    assert_twins(own, twin, 2 * torch.randn(shape, generator=generator) + 1)


@pytest.mark.parametrize("body", ["kernel", "equations"])
@pytest.mark.parametrize("training", [True, False])
def test_passes_gradcheck(training, body, generator):
    layer = _at_work(BatchNorm(3, body=body), generator).double().train(training)
    x = torch.randn(4, 3, 2, 2, generator=generator, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(layer, x)


@pytest.mark.parametrize("body", ["kernel", "equations"])
def test_is_right_to_a_hundredth_where_the_mean_is_ten_thousand_deviations(body, generator):
    x = torch.randn(1000, 1, generator=generator) + 1e4
    wanted = nn.BatchNorm1d(1).double()(x.double())
    torch.testing.assert_close(BatchNorm(1, body=body)(x).double(), wanted, rtol=0, atol=1e-2)


@pytest.mark.parametrize("body", ["kernel", "equations"])
def test_output_of_a_training_batch_has_mean_zero_and_variance_one(body, generator):
    y = BatchNorm(3, body=body)(5 * torch.randn(50, 3, 4, 4, generator=generator) - 2)
    torch.testing.assert_close(y.mean((0, 2, 3)), torch.zeros(3), rtol=0, atol=1e-5)
    torch.testing.assert_close(y.var((0, 2, 3), correction=0), torch.ones(3), rtol=0, atol=1e-4)


@pytest.mark.parametrize("body", ["kernel", "equations"])
def test_evaluation_leaves_the_running_statistics_alone(body, generator):
    layer = BatchNorm(3, body=body).eval()
    layer(torch.randn(5, 3, generator=generator))
    assert torch.equal(layer.running_mean, torch.zeros(3))
    assert layer.num_batches_tracked == 0


@pytest.mark.parametrize("body", ["kernel", "equations"])
def test_without_momentum_the_running_mean_is_the_mean_of_all_batches(body, generator):
    layer, batches = BatchNorm(3, momentum=None, body=body), torch.randn(7, 20, 3, generator=generator)
    for batch in batches:
        layer(batch)
    torch.testing.assert_close(layer.running_mean, batches.mean((0, 1)))
    torch.testing.assert_close(layer.running_var, batches.var(1).mean(0))


def test_reset_forgets_what_was_measured(generator):
    layer = BatchNorm(3)
    layer(torch.randn(5, 3, generator=generator))
    layer.reset_running_stats()
    first = BatchNorm(3).state_dict()
    assert all(torch.equal(tensor, first[name]) for name, tensor in layer.state_dict().items())


@given(batch=st.integers(2, 5), channels=st.integers(1, 4), rest=st.lists(st.integers(1, 4), max_size=3))
def test_shape_is_kept(batch, channels, rest):
    x = torch.ones(batch, channels, *rest)
    assert BatchNorm(channels, body="equations")(x).shape == x.shape


@pytest.mark.parametrize("body", ["kernel", "equations"])
def test_a_single_value_a_channel_cannot_be_trained_on(body):
    with pytest.raises(InputError, match="more than one value a channel"):
        BatchNorm(3, body=body)(torch.zeros(1, 3))


@pytest.mark.parametrize("shape", [(3,), (4, 2), (4, 2, 3)])
def test_other_channels_are_refused(shape):
    with pytest.raises(InputError, match=r"input shape=.*: must be \(batch, 3, \.\.\.\)"):
        BatchNorm(3)(torch.zeros(shape))


@pytest.mark.parametrize(
    ("settings", "name"),
    [({"num_features": 0}, "num_features"), ({"eps": 0.0}, "eps"), ({"momentum": 1.5}, "momentum")],
)
def test_impossible_settings_are_refused_by_name(settings, name):
    with pytest.raises(InputError, match=f"^{name}="):
        BatchNorm(**{"num_features": 3} | settings)


def _random_affine(own: nn.Module, generator: torch.Generator) -> nn.Module:
    with torch.no_grad():
        own.weight.uniform_(0.5, 1.5, generator=generator)
        own.bias.uniform_(-1, 1, generator=generator)
    return own


@pytest.mark.parametrize("body", ["kernel", "equations"])
@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("case", LAYERS)
def test_layer_norm_agrees_with_torch(case, training, body, assert_twins, generator):
    shape, normalized = LAYERS[case]
    own = _random_affine(LayerNorm(normalized, eps=1e-3, body=body), generator).train(training)
    twin = nn.LayerNorm(normalized, eps=1e-3).train(training)
    assert_twins(own, twin, 2 * torch.randn(shape, generator=generator) + 1)


@pytest.mark.parametrize("body", ["kernel", "equations"])
@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("case", GROUPS)
def test_group_norm_agrees_with_torch(case, training, body, assert_twins, generator):
    shape, groups = GROUPS[case]
    own = _random_affine(GroupNorm(groups, 6, eps=1e-3, body=body), generator).train(training)
    twin = nn.GroupNorm(groups, 6, eps=1e-3).train(training)
    assert_twins(own, twin, 2 * torch.randn(shape, generator=generator) + 1)


@pytest.mark.parametrize("body", ["kernel", "equations"])
def test_a_group_for_each_channel_is_instance_normalisation(body, generator):
    x = torch.randn(2, 3, 4, 5, generator=generator)
    torch.testing.assert_close(GroupNorm(3, 3, body=body)(x), nn.InstanceNorm2d(3)(x), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("body", ["kernel", "equations"])
@pytest.mark.parametrize(
    "build", [lambda body: LayerNorm((4, 3, 2), body=body), lambda body: GroupNorm(2, 4, body=body)]
)
def test_norms_of_a_sample_pass_gradcheck(build, body, generator):
    layer = _random_affine(build(body), generator).double()
    x = torch.randn(2, 4, 3, 2, generator=generator, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(layer, x)


@pytest.mark.parametrize("body", ["kernel", "equations"])
@pytest.mark.parametrize(
    "build", [lambda body: LayerNorm((4, 500), body=body), lambda body: GroupNorm(1, 4, body=body)]
)
def test_norms_of_a_sample_are_right_to_a_hundredth_at_a_mean_of_ten_thousand(build, body, generator):
    x = torch.randn(2, 4, 500, generator=generator) + 1e4
    wanted = nn.GroupNorm(1, 4).double()(x.double())
    torch.testing.assert_close(build(body)(x).double(), wanted, rtol=0, atol=1e-2)


@pytest.mark.parametrize("build", [lambda: LayerNorm((4, 5)), lambda: GroupNorm(2, 4)])
def test_norms_of_a_sample_do_not_look_at_the_rest_of_the_batch(build, generator):
    x, layer = torch.randn(3, 4, 5, generator=generator), build()
    torch.testing.assert_close(layer(x)[:1], layer(x[:1]))


@pytest.mark.parametrize(
    ("build", "name"),
    [
        (lambda: LayerNorm(0), "normalized_shape"),
        (lambda: LayerNorm(()), "normalized_shape"),
        (lambda: LayerNorm(3, eps=float("nan")), "eps"),
        (lambda: GroupNorm(0, 4), "num_groups"),
        (lambda: GroupNorm(3, 4), "num_channels"),
        (lambda: GroupNorm(2, 4, eps=0.0), "eps"),
    ],
)
def test_impossible_settings_of_sample_norms_are_refused_by_name(build, name):
    with pytest.raises(InputError, match=f"^{name}="):
        build()


@pytest.mark.parametrize("shape", [(3,), (2, 3), (4, 4, 2)])
def test_layer_norm_refuses_other_last_dimensions(shape):
    with pytest.raises(InputError, match=r"input shape=.*: must be \(\.\.\., 4, 3\)"):
        LayerNorm((4, 3))(torch.zeros(shape))


def test_group_norm_refuses_other_channels():
    with pytest.raises(InputError, match=r"input shape=\(2, 3, 5\): must be \(batch, 4, \.\.\.\)"):
        GroupNorm(2, 4)(torch.zeros(2, 3, 5))


@pytest.mark.parametrize("body", ["kernel", "equations"])
def test_group_norm_refuses_a_single_value_a_group(body):
    with pytest.raises(InputError, match="more than one value a group"):
        GroupNorm(4, 4, body=body)(torch.zeros(2, 4))


@pytest.mark.parametrize("layer", [BatchNorm(4), LayerNorm(4), GroupNorm(2, 4)])
def test_bytes_are_refused_with_the_remedy(layer):
    with pytest.raises(InputError, match=r"input dtype=torch.uint8: must be a floating-point type; .*/ 255"):
        layer(torch.zeros(2, 4, dtype=torch.uint8))
