import copy

import pytest
import torch
from torch import nn
from torch.nn.utils.parametrizations import spectral_norm

from foundations.convolution import Conv2d
from foundations.embedding import Embedding
from foundations.errors import InputError
from foundations.layers import Linear
from foundations.normalization import BatchNorm
from generative.gan.spectral import SpectralNorm, with_spectral_norm


def layers(generator):
    return [
        (Linear(5, 7, generator=generator), torch.randn(4, 5, generator=generator)),
        (Conv2d(2, 3, 3, generator=generator), torch.randn(4, 2, 6, 6, generator=generator)),
    ]


def twins(layer):
    """Our wrapper and torch's round one layer, with the same vectors."""
    own, reference = SpectralNorm(copy.deepcopy(layer)), spectral_norm(copy.deepcopy(layer))
    (parametrization,) = reference.parametrizations.weight
    own.u.copy_(parametrization._u)
    own.v.copy_(parametrization._v)
    return own, reference


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 1e-5), (torch.float64, 1e-10)])
@pytest.mark.parametrize("kind", [0, 1])
def test_values_and_gradients_over_some_passes_are_torchs(kind, dtype, tolerance, generator):
    torch.manual_seed(0)  # torch's own draws its vectors from the global stream
    layer, x = layers(generator)[kind]
    own, reference = twins(layer.to(dtype))
    original = reference.parametrizations.weight.original
    for _ in range(3):
        found, wanted = own(x.to(dtype)), reference(x.to(dtype))
        torch.testing.assert_close(found, wanted, rtol=tolerance, atol=tolerance)
        found.square().sum().backward()
        wanted.square().sum().backward()
        torch.testing.assert_close(own.layer.weight.grad, original.grad, rtol=tolerance, atol=tolerance)
    own.eval(), reference.eval()
    torch.testing.assert_close(own(x.to(dtype)), reference(x.to(dtype)), rtol=tolerance, atol=tolerance)


def test_the_value_is_the_largest_singular_value_after_enough_passes(generator):
    layer = Linear(6, 4, bias=False, generator=generator)
    wrapped = SpectralNorm(layer, generator=generator)
    for _ in range(200):
        wrapped(torch.eye(6))
    exact = torch.linalg.matrix_norm(layer.weight, 2)
    torch.testing.assert_close(wrapped.singular_value(), exact)
    torch.testing.assert_close(torch.linalg.matrix_norm(wrapped(torch.eye(6)), 2), torch.ones(()))


def test_the_value_is_near_the_largest_singular_value_before_the_first_pass(generator):
    wrapped = SpectralNorm(Linear(60, 40, generator=generator), generator=generator)
    exact = torch.linalg.matrix_norm(wrapped.layer.weight, 2).item()
    assert 0.9 * exact < wrapped.singular_value().item() <= exact * (1 + 1e-6)


def test_only_training_moves_the_vectors(generator):
    wrapped = SpectralNorm(Linear(6, 4, generator=generator), generator=generator)
    with torch.no_grad():
        wrapped.layer.weight.mul_(torch.rand(4, 6, generator=generator))
    before = wrapped.u.clone()
    wrapped.eval()(torch.eye(6))
    assert torch.equal(before, wrapped.u)
    wrapped.train()(torch.eye(6))
    assert not torch.equal(before, wrapped.u)


def test_two_passes_before_one_backward_each_keep_their_own_gradient(generator):
    wrapped = SpectralNorm(Linear(6, 4, generator=generator), generator=generator)
    (wrapped(torch.eye(6)).sum() + wrapped(-torch.eye(6)).sum()).backward()
    assert wrapped.layer.weight.grad.isfinite().all()


def test_every_dense_layer_and_convolution_is_wrapped_and_keeps_its_weights(generator):
    network = nn.Sequential(
        nn.Sequential(Conv2d(1, 2, 3, generator=generator), BatchNorm(2)),
        nn.ModuleList([Embedding(3, 4, generator=generator), Linear(4, 1, generator=generator)]),
    )
    before = [parameter.clone() for parameter in network.parameters()]
    wrapped = with_spectral_norm(network, generator)
    assert sum(isinstance(layer, SpectralNorm) for layer in wrapped.modules()) == 2
    assert all(torch.equal(a, b) for a, b in zip(before, wrapped.parameters(), strict=True))


@pytest.mark.parametrize("layer", [BatchNorm(3), nn.ReLU()])
def test_layers_without_a_matrix_are_refused(layer):
    with pytest.raises(InputError, match=r"^weight dimensions"):
        SpectralNorm(layer)
