import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn.linear_model import ElasticNet, Lasso, Ridge
from torch import nn

from foundations.convolution import Conv2d
from foundations.errors import InputError
from foundations.layers import Flatten, Linear, Residual
from foundations.normalization import BatchNorm
from foundations.optimizers import AdamW
from foundations.regularizers import (
    decay_groups,
    elastic_net_penalty,
    l1_penalty,
    l2_penalty,
    max_norm_,
    soft_threshold_,
    weights_to_penalize,
    zero_share,
)


def small_network(dtype=torch.float32):
    layers = [Conv2d(1, 3, 3), BatchNorm(3), Flatten(), Linear(12, 4), nn.LayerNorm(4), Linear(4, 2)]
    return nn.Sequential(*layers).to(dtype)


def one_weight(values, dtype=torch.float64):
    network = Linear(len(values), 1, bias=False).to(dtype)
    network.weight.data = torch.tensor([values], dtype=dtype)
    return network


# --- what is penalised ------------------------------------------------------------------------------------------------


def test_weights_are_penalised_and_biases_and_norms_are_not():
    network = nn.Sequential(nn.Conv2d(1, 3, 3), BatchNorm(3), nn.BatchNorm2d(3), nn.GroupNorm(1, 3), Linear(12, 4))
    assert [tuple(weight.shape) for weight in weights_to_penalize(network)] == [(3, 1, 3, 3), (4, 12)]


def test_the_scale_of_a_norm_is_spared_where_it_has_two_dimensions_too():
    assert weights_to_penalize(nn.Sequential(nn.LayerNorm((4, 4)), Linear(4, 2)))[0].shape == (2, 4)
    assert len(weights_to_penalize(nn.LayerNorm((4, 4)))) == 0


def test_nested_layers_are_found():
    assert len(weights_to_penalize(Residual(nn.Sequential(Linear(3, 3), nn.ReLU(), Linear(3, 3))))) == 2


def test_the_weights_of_a_recurrent_layer_are_penalised_without_its_biases():
    assert [weight.shape[1] for weight in weights_to_penalize(nn.LSTM(5, 7))] == [5, 7]


def test_frozen_weights_are_left_out():
    network = nn.Sequential(Linear(3, 3), Linear(3, 2))
    network[0].requires_grad_(False)
    assert weights_to_penalize(network) == [network[1].weight]


def test_a_shared_weight_is_counted_once():
    layer, other = Linear(3, 3), Linear(3, 3)
    other.weight = layer.weight
    assert len(weights_to_penalize(nn.Sequential(layer, other, layer))) == 1


def test_a_bias_changes_no_penalty():
    network = Linear(2, 2)
    before = elastic_net_penalty(1.0)(network)
    nn.init.constant_(network.bias, 100)
    assert torch.equal(elastic_net_penalty(1.0)(network), before)


# --- penalties --------------------------------------------------------------------------------------------------------


def test_the_penalties_of_two_known_weights():
    network = one_weight([3.0, -4.0])
    assert l1_penalty(0.1)(network).item() == pytest.approx(0.7)
    assert l2_penalty(0.1)(network).item() == pytest.approx(1.25)  # 0.1 / 2 (9 + 16)
    assert elastic_net_penalty(0.1, l1_share=0.25)(network).item() == pytest.approx(0.25 * 0.7 + 0.75 * 1.25)


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 1e-5), (torch.float64, 1e-10)])
@pytest.mark.parametrize("l1_share", [0.0, 0.3, 1.0])
def test_the_gradient_is_the_equations(dtype, tolerance, l1_share):
    network = small_network(dtype)
    elastic_net_penalty(0.2, l1_share)(network).backward()
    for w in weights_to_penalize(network):
        wanted = 0.2 * (l1_share * w.sign() + (1 - l1_share) * w)
        torch.testing.assert_close(w.grad, wanted.detach(), rtol=tolerance, atol=tolerance)
    assert network[3].bias.grad is None


def test_gradients_pass_gradcheck():
    network = one_weight([0.0, 0.0, 0.0])

    def penalty(w):
        network._parameters["weight"] = w  # past nn.Module's check: gradcheck hands over a plain tensor
        return elastic_net_penalty(0.3, l1_share=0.4)(network)

    assert torch.autograd.gradcheck(penalty, torch.tensor([[0.5, -1.5, 2.0]], dtype=torch.float64, requires_grad=True))


def test_l2_under_sgd_is_torchs_weight_decay():
    own, twin = one_weight([1.0, -2.0]), one_weight([1.0, -2.0])
    optimizers = [torch.optim.SGD(own.parameters(), 0.1), torch.optim.SGD(twin.parameters(), 0.1, weight_decay=0.3)]
    x = torch.tensor([[0.5, 1.5]], dtype=torch.float64)
    for _ in range(20):
        for network, optimizer, penalty in zip((own, twin), optimizers, (l2_penalty(0.3), None), strict=True):
            loss = network(x).square().sum() + (penalty(network) if penalty else 0)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    torch.testing.assert_close(own.weight, twin.weight, rtol=1e-12, atol=1e-12)


@given(st.lists(st.floats(-1e3, 1e3), min_size=1, max_size=6), st.floats(0, 10), st.floats(0, 1))
def test_a_penalty_is_never_negative_and_grows_in_proportion_to_its_strength(values, strength, l1_share):
    network = one_weight(values)
    once, twice = (elastic_net_penalty(factor * strength, l1_share)(network).item() for factor in (1, 2))
    assert once >= 0
    assert twice == pytest.approx(2 * once)


# --- closed forms -----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def orthonormal():
    """A design X with X^T X = I, targets y, and the solution without penalty, X^T y."""
    generator = np.random.default_rng(0)
    x = np.linalg.qr(generator.normal(size=(40, 6)))[0]
    y = x @ np.array([3.0, -2.0, 0.5, 0.1, 0.0, -0.05]) + 0.01 * generator.normal(size=40)
    return x, y, x.T @ y


def descend(x, y, penalty, steps=300, proximal=0.0):
    """Gradient descent on |y - X w|^2 / 2 + penalty, by steps of 0.5 (the curvature is 1)."""
    network = one_weight([0.0] * x.shape[1])
    inputs, targets = torch.from_numpy(x), torch.from_numpy(y)
    for _ in range(steps):
        loss = (network(inputs)[:, 0] - targets).square().sum() / 2 + penalty(network)
        network.zero_grad()
        loss.backward()
        with torch.no_grad():
            network.weight -= 0.5 * network.weight.grad
        soft_threshold_([network.weight], 0.5 * proximal)
    return network.weight.detach().numpy()[0]


def test_ridge_on_an_orthonormal_design_shrinks_by_one_over_one_plus_strength(orthonormal):
    x, y, unpenalised = orthonormal
    found = descend(x, y, l2_penalty(0.7))
    np.testing.assert_allclose(found, unpenalised / 1.7, atol=1e-10)
    np.testing.assert_allclose(found, Ridge(alpha=0.7, fit_intercept=False).fit(x, y).coef_, atol=1e-10)


def test_the_proximal_step_finds_the_lasso_of_an_orthonormal_design(orthonormal):
    x, y, unpenalised = orthonormal
    found = descend(x, y, l2_penalty(0.0), proximal=0.3)
    np.testing.assert_allclose(found, np.sign(unpenalised) * np.maximum(np.abs(unpenalised) - 0.3, 0), atol=1e-10)
    lasso = Lasso(alpha=0.3 / len(y), fit_intercept=False, tol=1e-12).fit(x, y)  # its loss is divided by n
    np.testing.assert_allclose(found, lasso.coef_, atol=1e-8)
    assert (found == 0).sum() == 3  # 0.1, 0 and -0.05 lie within the threshold


def test_the_l1_penalty_alone_comes_near_the_lasso_without_exact_zeros(orthonormal):
    x, y, unpenalised = orthonormal
    found = descend(x, y, l1_penalty(0.3))
    assert np.abs(found - np.sign(unpenalised) * np.maximum(np.abs(unpenalised) - 0.3, 0)).max() < 0.2
    assert (found == 0).sum() == 0


def test_the_elastic_net_by_proximal_steps_is_scikit_learns():
    generator = np.random.default_rng(1)
    x = generator.normal(size=(50, 5)) / 10  # correlated a little, and of a curvature near 0.5
    y = x @ np.array([2.0, 0.0, -1.0, 0.02, 0.0])
    found = descend(x, y, elastic_net_penalty(0.1 * 0.4, l1_share=0.0), steps=2000, proximal=0.1 * 0.6)
    reference = ElasticNet(alpha=0.1 / 50, l1_ratio=0.6, fit_intercept=False, tol=1e-12, max_iter=100_000).fit(x, y)
    np.testing.assert_allclose(found, reference.coef_, atol=1e-6)
    assert (found == 0).sum() == (reference.coef_ == 0).sum() > 0


# --- in place ---------------------------------------------------------------------------------------------------------


def test_soft_thresholding_is_torchs_softshrink():
    w = torch.linspace(-2, 2, 41)
    wanted = nn.functional.softshrink(w, 0.5)
    soft_threshold_([w], 0.5)
    torch.testing.assert_close(w, wanted, rtol=0, atol=0)


def test_weights_on_the_threshold_become_exactly_zero():
    w = torch.tensor([0.5, -0.5, 0.25, 0.75])
    soft_threshold_([w], 0.5)
    assert w.tolist() == [0, 0, 0, 0.25]


def test_thresholding_by_zero_changes_nothing():
    w = torch.randn(20, generator=torch.Generator().manual_seed(0))
    before = w.clone()
    soft_threshold_([w], 0.0)
    assert torch.equal(w, before)


def test_proximal_steps_count_more_zeros_the_larger_the_threshold():
    w = torch.randn(2000, generator=torch.Generator().manual_seed(0))
    zeros = []
    for threshold in (0.1, 0.5, 1.0):
        thresholded = w.clone()
        soft_threshold_([thresholded], threshold)
        zeros.append((thresholded == 0).double().mean().item())
    wanted = [math.erf(threshold / math.sqrt(2)) for threshold in (0.1, 0.5, 1.0)]  # P(|N(0, 1)| <= threshold)
    assert zeros == pytest.approx(wanted, abs=0.03)


def test_weights_that_need_gradients_can_be_shrunk_in_place():
    network = one_weight([1.0, 0.1])
    soft_threshold_(weights_to_penalize(network), 0.5)
    assert network.weight.tolist() == [[0.5, 0.0]]
    assert network.weight.requires_grad


def test_the_norm_of_every_unit_is_bounded_and_shorter_ones_stay():
    w = torch.tensor([[3.0, 4.0], [0.3, 0.4], [0.0, 0.0]])
    max_norm_([w], 1.0)
    torch.testing.assert_close(w, torch.tensor([[0.6, 0.8], [0.3, 0.4], [0.0, 0.0]]))


def test_the_max_norm_of_a_convolution_is_by_channel_as_torchs_renorm():
    w = torch.randn(4, 3, 5, 5, generator=torch.Generator().manual_seed(0))
    wanted = w.renorm(p=2, dim=0, maxnorm=2.0)
    max_norm_([w], 2.0)
    torch.testing.assert_close(w, wanted)


# --- decay ------------------------------------------------------------------------------------------------------------


def test_decay_groups_hold_every_parameter_once():
    network = small_network()
    groups = decay_groups(network, 0.1)
    assert [group["weight_decay"] for group in groups] == [0.1, 0.0]
    assert {id(p) for group in groups for p in group["params"]} == {id(p) for p in network.parameters()}
    assert sum(len(group["params"]) for group in groups) == len(list(network.parameters()))
    assert all(p.dim() == 1 for p in groups[1]["params"])


def test_decoupled_decay_shrinks_weights_geometrically_and_leaves_the_rest():
    network = nn.Sequential(Linear(2, 2), BatchNorm(2))
    before = {name: parameter.detach().clone() for name, parameter in network.named_parameters()}
    optimizer = AdamW(decay_groups(network, 0.5), lr=0.1)
    for _ in range(10):
        optimizer.zero_grad()
        (0 * sum(parameter.sum() for parameter in network.parameters())).backward()  # no gradient: decay alone
        optimizer.step()
    torch.testing.assert_close(network[0].weight.detach(), before["0.weight"] * (1 - 0.1 * 0.5) ** 10)
    for name in ("0.bias", "1.weight", "1.bias"):
        assert torch.equal(dict(network.named_parameters())[name].detach(), before[name])


def test_a_network_of_biases_alone_gives_an_empty_first_group_that_optimizers_take():
    network = BatchNorm(3)
    AdamW(decay_groups(network, 0.1), lr=0.1)
    assert decay_groups(network, 0.1)[0]["params"] == []


# --- bad input --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("value", [-0.1, math.nan, math.inf])
def test_impossible_strengths_are_refused_by_name(value):
    for make in (l1_penalty, l2_penalty, elastic_net_penalty):
        with pytest.raises(InputError, match="strength="):
            make(value)
    with pytest.raises(InputError, match="threshold="):
        soft_threshold_([], value)
    with pytest.raises(InputError, match="weight_decay="):
        decay_groups(Linear(1, 1), value)
    with pytest.raises(InputError, match="largest="):
        max_norm_([], value)


def test_a_vector_has_no_units_whose_norm_could_be_bounded():
    with pytest.raises(InputError, match=r"weight shape=\(3,\)"):
        max_norm_([torch.ones(3)], 1.0)


def test_a_share_outside_the_unit_interval_is_refused():
    with pytest.raises(InputError, match=r"l1_share=1\.5"):
        elastic_net_penalty(0.1, l1_share=1.5)


def test_a_network_without_weights_is_refused():
    with pytest.raises(InputError, match="network='BatchNorm'"):
        l2_penalty(0.1)(BatchNorm(3))


def test_the_share_of_zeros_counts_weights_and_no_biases():
    network = nn.Sequential(one_weight([0.0, 2.0, 0.0]), Linear(1, 1))
    network[1].weight.data.fill_(1.0)
    network[1].bias.data.zero_()
    assert zero_share(network) == 0.5
    with pytest.raises(InputError, match="network='BatchNorm'"):
        zero_share(BatchNorm(3))
