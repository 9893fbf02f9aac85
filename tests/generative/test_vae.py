"""The variational autoencoder: its likelihoods by hand, what its networks are given and give."""

import math

import pytest
import torch
from torch.distributions import Bernoulli, Independent, Normal

from foundations.errors import InputError
from foundations.layers import Flatten, Linear
from foundations.networks import MLP
from generative.vae import VAE, reparameterize


def stream(seed=0):
    return torch.Generator().manual_seed(seed)


def dense_vae(likelihood="bernoulli", dtype=torch.float64, **settings):
    wanted = {"shape": (6,), "latent_size": 2, "likelihood": likelihood} | settings
    classes = wanted.get("classes", 0)
    encoder = MLP((6 + classes, 5, 4), "tanh", generator=stream())
    return VAE(encoder, MLP((2 + classes, 5, 6), "tanh", generator=stream(1)), **wanted).to(dtype)


# --- the likelihoods --------------------------------------------------------------------------------------------------


def test_the_bernoulli_likelihood_of_two_points_is_that_worked_out_by_hand():
    vae = VAE(torch.nn.Identity(), torch.nn.Identity(), shape=(2,), latent_size=1)
    logits = torch.logit(torch.tensor([[0.5, 0.25], [0.9, 0.2]]))
    found = vae.log_prob(torch.tensor([[1.0, 0.0], [1.0, 1.0]]), logits)
    torch.testing.assert_close(found, torch.tensor([0.5 * 0.75, 0.9 * 0.2]).log())


def test_the_gaussian_likelihood_of_two_points_is_that_worked_out_by_hand():
    vae = VAE(torch.nn.Identity(), torch.nn.Identity(), shape=(2,), latent_size=1, likelihood="gaussian")
    vae.noise_log_variance.data.fill_(math.log(0.25))
    found = vae.log_prob(torch.tensor([[0.0, 0.0], [1.0, 0.5]]), torch.tensor([[0.0, 0.0], [0.0, 0.0]]))
    constant_part = -math.log(2 * math.pi * 0.25)
    torch.testing.assert_close(found, torch.tensor([constant_part, constant_part - 2.0 - 0.5]))


@pytest.mark.parametrize("likelihood", ["bernoulli", "gaussian"])
def test_likelihoods_are_those_of_torch_in_value_and_gradient(likelihood):
    vae = dense_vae(likelihood)
    x = torch.rand(3, 6, generator=stream(), dtype=torch.float64).round()
    outputs = torch.randn(7, 3, 6, generator=stream(1), dtype=torch.float64)
    found = []
    for own in (True, False):
        vae.zero_grad()
        given = outputs.clone().requires_grad_()
        if own:
            value = vae.log_prob(x, given)
        elif likelihood == "bernoulli":
            value = Independent(Bernoulli(logits=given), 1).log_prob(x)
        else:
            value = Independent(Normal(given, (vae.noise_log_variance / 2).exp()), 1).log_prob(x)
        value.square().sum().backward()
        learned = [] if vae.noise_log_variance is None else [vae.noise_log_variance.grad.clone()]
        found.append([value.detach(), given.grad, *learned])
    for one, other in zip(*found, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-10, atol=1e-10)


# --- the networks -----------------------------------------------------------------------------------------------------


def test_a_draw_is_the_mean_and_the_noise_times_the_standard_deviation():
    mean, log_variance = torch.tensor([[1.0, 2.0]]), torch.tensor([[0.0, 2 * math.log(3.0)]])
    torch.testing.assert_close(
        reparameterize(mean, log_variance, torch.tensor([[1.0, -1.0]])), torch.tensor([[2.0, -1.0]])
    )


def test_the_gradient_reaches_mean_and_log_variance_through_the_draw():
    mean, log_variance = torch.zeros(1, 1, requires_grad=True), torch.zeros(1, 1, requires_grad=True)
    reparameterize(mean, log_variance, torch.tensor([[3.0]])).backward()
    assert (mean.grad.item(), log_variance.grad.item()) == (1, 1.5)


def test_an_image_comes_back_as_it_is_drawn_from_the_mean_of_its_posterior():
    vae = dense_vae()
    x = torch.rand(3, 6, generator=stream(), dtype=torch.float64)
    means = vae.encoder(x)[:, :2]
    torch.testing.assert_close(vae(x), vae.decoder(means).sigmoid())


@pytest.mark.parametrize("shape", [(6,), (2, 3, 4)])
def test_a_label_stands_beside_rows_as_a_code_and_beside_images_as_planes(shape):
    seen, wider = [], (shape[0] + 3, *shape[1:])
    encoder = torch.nn.Sequential(Flatten(), Linear(math.prod(wider), 2))
    encoder.register_forward_pre_hook(lambda module, given: seen.append(given[0]))
    vae = VAE(encoder, torch.nn.Identity(), shape=shape, latent_size=1, classes=3)
    x = torch.rand(2, *shape, generator=stream())
    vae.encode(x, torch.tensor([2, 0]))
    code = torch.tensor([[0.0, 0.0, 6.0], [6.0, 0.0, 0.0]]).view(2, 3, *[1] * (len(shape) - 1))
    assert torch.equal(seen[0], torch.cat([x, code.expand(2, 3, *shape[1:])], dim=1))


def test_many_latents_of_an_image_are_decoded_as_each_alone_would_be():
    vae = dense_vae()
    z = torch.randn(5, 3, 2, generator=stream(), dtype=torch.float64)
    together = vae.decode(z)
    assert together.shape == (5, 3, 6)
    torch.testing.assert_close(together, torch.stack([vae.decode(each) for each in z]))


# --- bad input --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (None, "labels=None: must be given"),
        (torch.tensor([0, 2]), "labels='0 to 2': must be from 0 to 1|labels='0 to 2'"),
        (torch.tensor([0]), r"labels shape=\(1,\)"),
        (torch.tensor([0.0, 1.0]), "labels dtype"),
    ],
)
def test_labels_that_are_missing_or_wrong_are_refused_by_a_conditional_vae(labels, message):
    vae = dense_vae(classes=2, dtype=torch.float32)
    with pytest.raises(InputError, match=message):
        vae.encode(torch.zeros(2, 6), labels)
    with pytest.raises(InputError, match=message):
        vae.decode(torch.zeros(2, 2), labels)


def test_labels_are_refused_by_a_vae_that_is_not_conditional():
    with pytest.raises(InputError, match="labels='given'"):
        dense_vae(dtype=torch.float32).encode(torch.zeros(2, 6), torch.tensor([0, 1]))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda vae: vae.encode(torch.zeros(2, 7)), r"x shape=\(2, 7\): must be \(batch, \*\) with 6 numbers"),
        (lambda vae: vae.decode(torch.zeros(2, 3)), r"z shape=\(2, 3\): must be \(..., batch, 2\)"),
        (lambda vae: vae.log_prob(torch.zeros(2, 5), torch.zeros(2, 6)), r"x shape=\(2, 5\)"),
    ],
)
def test_tensors_of_another_shape_are_refused(call, message):
    with pytest.raises(InputError, match=message):
        call(dense_vae(dtype=torch.float32))


def test_networks_of_another_width_are_refused():
    vae = VAE(Linear(6, 3), Linear(2, 5), shape=(6,), latent_size=2)
    with pytest.raises(InputError, match=r"encoder output shape=\(1, 3\): must be \(1, 4\)"):
        vae.encode(torch.zeros(1, 6))
    with pytest.raises(InputError, match=r"decoder output shape=\(1, 5\)"):
        vae.decode(torch.zeros(1, 2))
