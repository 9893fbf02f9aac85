"""The training of a variational autoencoder: what it looks at and climbs, that it learns and resumes."""

import math

import pytest
import torch
from states import assert_resumes_exactly, assert_same_state
from torch.distributions import Bernoulli, Independent, Normal

from foundations.activations import ReLU
from foundations.convolution import Conv2d, ConvTranspose2d
from foundations.errors import InputError
from foundations.layers import Dropout, Flatten, Linear, Reshape
from foundations.schedules import constant
from foundations.streams import Streams
from generative.bounds import elbo_terms, log_likelihood, posterior_collapsed
from generative.vae import VAE, VAELearner, binarize, build_vae, require_binary
from generative.vae.learner import doubling


def stream(seed=0):
    return torch.Generator().manual_seed(seed)


def small(images, labels=None, **settings):
    wanted = {"steps": 30, "streams": Streams(0), "hidden": (32,), "latent_size": 4, "batch_size": 20} | settings
    return build_vae(images, labels, **wanted)


def learn(learner, steps):
    updates = learner.learn()
    return [next(updates) for _ in range(steps)]


# --- the networks -----------------------------------------------------------------------------------------------------


def test_any_encoder_and_decoder_of_images_will_do(digit_images):
    encoder = torch.nn.Sequential(
        Conv2d(11, 4, 4, stride=2, padding=1, generator=stream()), ReLU(), Flatten(), Linear(784, 6, generator=stream())
    )
    decoder = torch.nn.Sequential(
        *(Linear(13, 196, generator=stream()), Reshape(1, 14, 14)),
        ConvTranspose2d(1, 1, 4, stride=2, padding=1, generator=stream()),
    )
    vae = VAE(encoder, decoder, shape=(1, 28, 28), latent_size=3, classes=10)
    labels = torch.arange(100) % 10
    learner = VAELearner(vae, digit_images[:100], labels, steps=2, streams=Streams(0), batch_size=10, samples=2)
    assert math.isfinite(learn(learner, 2)[-1]["nats/bound"])
    assert learner.sample(torch.zeros(4, 3), labels[:4]).shape == (4, 1, 28, 28)


def test_a_dense_vae_begins_near_the_mean_image(digit_images):
    vae = small(digit_images, hidden=()).vae
    vae.decoder.head.weight.data.zero_()
    mean = (digit_images / 255).mean(0)
    torch.testing.assert_close(vae.expected(vae.decode(torch.randn(1, 4))).view(1, 28, 28), mean.clamp(1e-3, 1 - 1e-3))


def test_a_gaussian_vae_begins_at_the_mean_image_with_the_pixels_spread_about_it(digit_images):
    vae = small(digit_images, likelihood="gaussian", hidden=()).vae
    vae.decoder.head.weight.data.zero_()
    pixels = (digit_images / 255).flatten(1)
    torch.testing.assert_close(vae.decode(torch.randn(1, 4))[0], pixels.mean(0))
    spread = (pixels - pixels.mean(0)).square().mean().item()
    assert vae.noise_log_variance.exp().item() == pytest.approx(spread, rel=0.02)


def test_the_default_network_is_that_of_burda_and_others(digit_images):
    vae = build_vae(digit_images, steps=1, streams=Streams(0)).vae
    layers = [layer for layer in vae.modules() if isinstance(layer, Linear)]
    sizes = [(layer.in_features, layer.out_features) for layer in layers]
    assert sizes == [(784, 200), (200, 200), (200, 100), (50, 200), (200, 200), (200, 784)]


def test_first_weights_are_glorots_and_biases_but_the_last_are_zero(digit_images):
    layers = [layer for layer in small(digit_images).vae.modules() if isinstance(layer, Linear)]
    for layer in layers:
        bound = math.sqrt(6 / (layer.in_features + layer.out_features))
        assert 0.95 * bound < layer.weight.abs().max() <= bound
    assert not any(layer.bias.any() for layer in layers[:-1])


def test_a_conditional_vae_draws_another_image_for_another_label(digits):
    images, labels = digits
    vae = small(images, labels).vae
    z = torch.zeros(2, 4)
    one, other = vae.decode(z, torch.tensor([3, 8]))
    assert not torch.equal(one, other)
    means, _ = vae.encode(images[:1].repeat(2, 1, 1, 1) / 255, torch.tensor([3, 8]))
    assert not torch.equal(*means)


# --- binarisation -----------------------------------------------------------------------------------------------------


def test_a_pixel_becomes_one_with_its_grey_as_probability():
    grey = torch.tensor([0, 51, 128, 255], dtype=torch.uint8)
    share = binarize(grey.expand(100_000, 4), stream()).mean(0)
    assert share[0] == 0
    assert share[3] == 1
    torch.testing.assert_close(share, grey / 255, rtol=0, atol=5e-3)


def test_dynamic_binarization_looks_anew_and_static_never(digit_images):
    chosen = torch.arange(5)
    dynamic, static = small(digit_images), small(digit_images, binarization="static")
    assert not torch.equal(dynamic._look(chosen), dynamic._look(chosen))
    assert torch.equal(static._look(chosen), static._look(chosen))
    require_binary(static._look(chosen))
    require_binary(dynamic._look(chosen))


def test_a_gaussian_vae_sees_grey(digit_images):
    torch.testing.assert_close(
        small(digit_images, likelihood="gaussian")._look(torch.arange(3)), digit_images[:3].flatten(1) / 255
    )


# --- what is climbed --------------------------------------------------------------------------------------------------


def plain_step(learner, images, objective, k, beta=1.0, free_bits=0.0):
    """Gradients and figures of one update, written out with torch's distributions on the learner's random numbers."""
    vae, twin = learner.vae, learner
    x = twin._look(twin._batches.next())
    mean, log_variance = vae.encoder(x).chunk(2, 1)
    noise = torch.randn(k, *mean.shape, generator=twin._noise)
    posterior, prior = Normal(mean, (log_variance / 2).exp()), Normal(0.0, 1.0)
    z = mean + noise * posterior.scale
    logits = vae.decoder(z.flatten(0, 1)).view(k, *x.shape)
    likelihood = Independent(Bernoulli(logits=logits), 1).log_prob(x)
    kl, ratios = torch.distributions.kl_divergence(posterior, prior), prior.log_prob(z) - posterior.log_prob(z)

    def bound(beta, free_bits):
        if objective == "elbo":
            return likelihood.mean() - beta * kl.mean(0).clamp(min=free_bits).sum()
        return ((likelihood + beta * ratios.sum(-1)).logsumexp(0) - math.log(k)).mean()

    told = {"nats/bound": bound(1.0, 0.0), "nats/reconstruction": likelihood.mean(), "nats/kl": kl.sum(-1).mean()}
    return torch.autograd.grad(bound(beta, free_bits), list(vae.parameters())), told


@pytest.mark.parametrize(
    ("objective", "k", "beta", "free_bits"),
    [
        ("elbo", 1, 1.0, 0.0),
        ("elbo", 3, 0.5, 0.05),
        ("importance_weighted", 1, 1.0, 0.0),
        ("importance_weighted", 5, 1.0, 0.0),
        ("importance_weighted", 5, 0.5, 0.0),
    ],
)
def test_the_gradient_is_that_of_the_bound_written_out(objective, k, beta, free_bits, digit_images):
    settings = {"objective": objective, "samples": k, "beta": beta, "free_bits": free_bits}
    own, twin = small(digit_images, **settings), small(digit_images, **settings)
    wanted, told = plain_step(twin, digit_images, objective, k, beta, free_bits)
    metrics = own._leave_gradients(own._look(own._batches.next()), None)
    for parameter, gradient in zip(own.vae.parameters(), wanted, strict=True):
        torch.testing.assert_close(parameter.grad, gradient, rtol=1e-4, atol=1e-5)
    for name, figure in told.items():  # the bound that is told is one, whatever beta and free bits make of it
        torch.testing.assert_close(metrics[name], figure.detach(), rtol=1e-5, atol=1e-4)


def test_the_elbo_is_reconstruction_less_divergence_and_all_are_detached(digit_images):
    metrics = learn(small(digit_images), 1)[0]
    assert set(metrics) == {"nats/bound", "nats/reconstruction", "nats/kl"}
    assert all(value.shape == () and not value.requires_grad for value in metrics.values())
    torch.testing.assert_close(metrics["nats/bound"], metrics["nats/reconstruction"] - metrics["nats/kl"])


def test_beta_warms_up_in_a_straight_line_and_is_then_no_longer_told(digit_images):
    metrics = learn(small(digit_images, beta=2.0, warmup=3), 5)
    assert [each.get("beta") for each in metrics] == [0.5, 1.0, 1.5, None, None]


def test_an_image_is_encoded_once_however_many_latents_are_drawn(digit_images):
    learner = small(digit_images, objective="importance_weighted", samples=7)
    seen = []
    learner.vae.encoder.register_forward_hook(lambda module, inputs, output: seen.append(len(inputs[0])))
    learner.vae.decoder.register_forward_hook(lambda module, inputs, output: seen.append(len(inputs[0])))
    learn(learner, 1)
    assert seen == [20, 140]


def test_latents_double_after_single_ones_and_each_number_lasts_as_long():
    assert [doubling(5, 4, 10)(step) for step in range(11)] == [1, 1, 1, 1, 2, 2, 4, 4, 5, 5, 5]
    assert [doubling(50, 3, 9)(step) for step in range(3, 9)] == [2, 4, 8, 16, 32, 50]
    assert {doubling(5, 0, 10)(step) for step in range(10)} == {5}


def test_a_learner_draws_as_many_latents_as_the_step_asks_for(digit_images):
    learner = small(digit_images, objective="importance_weighted", samples=4, single_steps=2, steps=4)
    seen = []
    learner.vae.decoder.register_forward_hook(lambda module, inputs, output: seen.append(len(inputs[0]) // 20))
    learn(learner, 4)
    assert seen == [1, 1, 2, 4]


def test_the_learning_rate_follows_the_schedule(digit_images):
    learner = small(digit_images, steps=4, learning_rate=1e-3)
    rates = [learner.optimizer.param_groups[0]["lr"] for _ in learner.learn()]
    assert rates == pytest.approx([1e-3, 0.853553e-3, 0.5e-3, 0.146447e-3], rel=1e-5)


def test_building_and_training_leave_the_global_random_stream_alone(digit_images):
    before = torch.get_rng_state()
    learner = small(digit_images, validation=(digit_images[:50], None), validate_every=1)
    learn(learner, 2)
    learner.sample(torch.zeros(2, 4))
    assert torch.equal(before, torch.get_rng_state())


def test_half_precision_follows_single_precision_roughly_and_tells_its_bound_in_full(digit_images):
    for objective in ("elbo", "importance_weighted"):
        exact, rough = (small(digit_images, objective=objective, precision=each) for each in ("float32", "bf16"))
        for one, other in zip(learn(exact, 3), learn(rough, 3), strict=True):
            assert other["nats/bound"].dtype == torch.float32
            assert not torch.equal(other["nats/bound"], one["nats/bound"])
            torch.testing.assert_close(other["nats/bound"], one["nats/bound"], rtol=0.02, atol=0)


# --- looking at it ----------------------------------------------------------------------------------------------------


def test_validation_is_yielded_when_due_and_says_the_same_of_the_same_weights(digit_images):
    settings = {"validation": (digit_images[:60], None), "validate_every": 2, "learning_rate": 0.0}
    metrics = learn(small(digit_images, **settings), 4)
    assert ["validation/bound" in each for each in metrics] == [False, True, False, True]
    names = ("bound", "reconstruction", "kl", "active_units")
    assert [metrics[1][f"validation/{n}"] for n in names] == [metrics[3][f"validation/{n}"] for n in names]


@pytest.mark.parametrize("conditional", [False, True])
@pytest.mark.parametrize("likelihood", ["bernoulli", "gaussian"])
def test_validation_is_the_elbo_of_the_images_as_they_are_learned_from(likelihood, conditional, digits):
    images, labels = digits[0], digits[1] if conditional else None
    seen, of_seen = images[:60], labels[:60] if conditional else None
    learner = small(images, labels, likelihood=likelihood, validation=(seen, of_seen), validate_every=1)
    told = learn(learner, 1)[0]
    x = seen / 255 if likelihood == "gaussian" else binarize(seen, Streams(0).torch("validation binarization"))
    wanted = elbo_terms(learner.vae, x, of_seen, generator=Streams(0).torch("validation noise")).metrics()
    assert {name: told[f"validation/{name}"] for name in wanted} == wanted


def test_looking_at_validation_images_does_not_change_what_is_learned(digit_images):
    looking, blind = small(digit_images, validation=(digit_images[:60], None), validate_every=1), small(digit_images)
    learn(looking, 3), learn(blind, 3)
    assert_same_state(looking.state_dict(), blind.state_dict())


def test_samples_are_drawn_without_dropout_and_training_goes_on_with_it(digit_images):
    decoder = torch.nn.Sequential(Linear(2, 784, generator=stream()), Dropout(0.5, generator=stream()))
    vae = VAE(Linear(784, 4, generator=stream()), decoder, shape=(784,), latent_size=2)
    learner = VAELearner(vae, digit_images, steps=1, streams=Streams(0))
    latents = torch.randn(5, 2, generator=stream())
    wanted = decoder[0](latents).sigmoid().view(5, 1, 28, 28)
    torch.testing.assert_close(learner.sample(latents), wanted.detach())
    assert decoder[1].training


@pytest.mark.parametrize("likelihood", ["bernoulli", "gaussian"])
def test_samples_are_images_in_the_unit_range_that_depend_on_the_latent_alone(likelihood, digit_images):
    learner = small(digit_images, likelihood=likelihood)
    learn(learner, 2)
    latents = torch.randn(7, 4, generator=stream())
    samples = learner.sample(latents, batch_size=3)
    assert samples.shape == (7, 1, 28, 28)
    assert samples.min() >= 0
    assert samples.max() <= 1
    torch.testing.assert_close(samples[4:5], learner.sample(latents[4:5]))


# --- resuming ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "settings",
    [
        {"warmup": 8},
        {"objective": "importance_weighted", "samples": 3},
        {"objective": "importance_weighted", "samples": 3, "single_steps": 4},
        {"likelihood": "gaussian"},
        {"binarization": "static"},
    ],
)
def test_resuming_is_exact_to_the_bit(settings, digit_images):
    settings = {"validation": (digit_images[:30], None), "validate_every": 4, "steps": 12, **settings}
    images = digit_images[:150]  # 7 batches an epoch: the break falls inside an epoch
    straight, resumed = assert_resumes_exactly(lambda: small(images, **settings), 5)
    assert straight.step == resumed.step == 12
    assert next(resumed.learn(), None) is None


def test_resuming_keeps_the_masks_of_dropout(digit_images):
    def learner():
        masks = stream(7)
        encoder = torch.nn.Sequential(Dropout(0.5, generator=masks), Linear(784, 4, generator=stream()))
        vae = VAE(encoder, Linear(2, 784, generator=stream()), shape=(784,), latent_size=2)
        return VAELearner(vae, digit_images[:60], steps=9, streams=Streams(0), batch_size=10)

    assert_resumes_exactly(learner, 2, 4)


# --- learning ---------------------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("objective", ["elbo", "importance_weighted"])
def test_it_learns_digits_better_than_any_model_without_a_latent(objective, digit_images):
    torch.set_num_threads(1)
    training, test = digit_images[:1500], digit_images[1500:]
    samples = 1 if objective == "elbo" else 3
    learner = small(
        training, steps=300, objective=objective, samples=samples, hidden=(100,), latent_size=8,
        batch_size=50, learning_rate=3e-3, validation=(test, None), validate_every=300,
    )  # fmt: skip
    x = binarize(test, stream())
    pixels = (training / 255).mean(0).clamp(1e-3, 1 - 1e-3)
    independent = Bernoulli(pixels).log_prob(x).sum((1, 2, 3)).mean()
    last = learn(learner, 300)[-1]
    assert last["validation/bound"] > independent + 40
    assert last["validation/active_units"] >= 6
    estimate = log_likelihood(learner.vae, x, samples=20, generator=stream()).mean()
    assert estimate > elbo_terms(learner.vae, x, generator=stream()).metrics()["bound"] + 1


def test_a_conditional_vae_draws_the_digit_that_it_is_asked_for(digits):
    torch.set_num_threads(1)
    images, labels = digits[0][digits[1] < 2], digits[1][digits[1] < 2]
    learner = small(images, labels, steps=250, learning_rate=1e-2, hidden=(64, 64), latent_size=2)
    learn(learner, 250)
    asked = torch.arange(2).repeat(50)
    drawn = learner.sample(torch.randn(100, 2, generator=stream()), asked)
    means = torch.stack([(images[labels == label] / 255).mean(0) for label in range(2)])
    nearest = torch.cdist(drawn.flatten(1), means.flatten(1)).argmin(1)
    assert (nearest == asked).float().mean() > 0.95


def test_a_gaussian_vae_learns_how_noisy_the_pixels_are():
    # Noise of standard deviation 0.1 about one image: nothing for the latent to say.
    noisy = 0.5 + 0.1 * torch.randn(500, 1, 4, 4, generator=stream())
    images = (noisy * 255).round().to(torch.uint8)
    learner = small(images, likelihood="gaussian", hidden=(8,), learning_rate=1e-2, steps=150)
    learn(learner, 150)
    assert (learner.vae.noise_log_variance / 2).exp().item() == pytest.approx(0.1, rel=0.1)


@pytest.mark.parametrize(("beta", "collapsed"), [(1.0, False), (1000.0, True)])
def test_a_collapse_of_the_posterior_is_noticed(beta, collapsed, digit_images):
    settings = {"beta": beta, "learning_rate": 1e-2, "steps": 150, "schedule": constant()}
    learner = small(digit_images, validation=(digit_images[:200], None), validate_every=150, **settings)
    last = learn(learner, 150)[-1]
    assert posterior_collapsed(last["validation/active_units"], 4, last["validation/kl"]) == collapsed


# --- bad input --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"steps": 0}, "steps=0"),
        ({"samples": 0}, "samples=0: must be at least 1 latent an image"),
        ({"single_steps": 30}, "single_steps=30: must be from 0 to below steps=30"),
        ({"beta": -1.0}, "beta=-1.0"),
        ({"free_bits": -1.0}, "free_bits=-1.0"),
        ({"objective": "importance_weighted", "free_bits": 0.1}, "free_bits=0.1: must be 0 for the importance"),
        ({"objective": "elbow"}, "objective='elbow': must be one of elbo, importance_weighted; did you mean 'elbo'"),
        ({"binarization": "dynamical"}, "binarization='dynamical'"),
        ({"precision": "fp8"}, "precision='fp8': must be one of"),
        ({"likelihood": "gauss"}, "likelihood='gauss'"),
        ({"likelihood": "gaussian", "binarization": "static"}, "binarization='static': must be none for the gaussian"),
        ({"binarization": "none"}, r"pixel=0\.\d+: must be 0 or 1 for the bernoulli likelihood"),
        ({"latent_size": 0}, "latent_size=0|sizes="),
        ({"warmup": -1}, "warmup_steps=-1"),
        ({"batch_size": 5000}, "batch_size=5000"),
        ({"validate_every": 0}, "validate_every=0"),
    ],
)
def test_impossible_settings_are_refused_by_name(settings, message, digit_images):
    with pytest.raises(InputError, match=message):
        small(digit_images, **settings)


def test_pixels_that_are_neither_0_nor_1_are_refused():
    with pytest.raises(InputError, match=r"pixel=0\.5: must be 0 or 1"):
        require_binary(torch.tensor([[0.0, 1.0, 0.5]]))


def test_images_as_floats_are_refused_since_their_range_is_unknown(digit_images):
    with pytest.raises(InputError, match="images dtype"):
        small(digit_images / 255)


def test_a_conditional_vae_without_labels_to_learn_from_is_refused():
    vae, images = VAE(Linear(8, 4), Linear(4, 6), shape=(6,), latent_size=2, classes=2), torch.zeros(30, 6).byte()
    with pytest.raises(InputError, match="labels=None: must be given"):
        VAELearner(vae, images, steps=1, streams=Streams(0), batch_size=5)
