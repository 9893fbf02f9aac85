import io
from itertools import pairwise

import pytest
import torch

from foundations.errors import InputError
from foundations.normalization import BatchNorm
from foundations.streams import Streams
from generative.gan.learner import GAN, build_gan, from_signed, to_signed
from generative.gan.losses import discriminator_loss, non_saturating_loss
from generative.gan.networks import dcgan_discriminator, dcgan_generator, dense_discriminator, dense_generator
from generative.judge import load_judge
from generative.latent import Latent
from generative.metrics import Assessor

MODELS = ["dense", "dcgan"]


def stream(seed=0):
    return torch.Generator().manual_seed(seed)


def small_gan(images, model="dcgan", **settings):
    return build_gan(
        model, images, **{"steps": 20, "batch_size": 8, "streams": Streams(0), "latent_size": 16} | settings
    )


def learn(gan, steps):
    updates = gan.learn()
    return [next(updates) for _ in range(steps)]


def weights(module):
    return [parameter.detach().clone() for parameter in module.parameters()]


def moved(module, before):
    return [not torch.equal(now, then) for now, then in zip(module.parameters(), before, strict=True)]


def flat(state, path=""):
    """A nested state as {path: leaf}."""
    if isinstance(state, dict):
        pairs = state.items()
    elif isinstance(state, (list, tuple)):
        pairs = enumerate(state)
    else:
        return {path: state}
    return {name: leaf for key, value in pairs for name, leaf in flat(value, f"{path}/{key}").items()}


def assert_same_state(one, other):
    left, right = flat(one), flat(other)
    assert left.keys() == right.keys()
    for name, value in left.items():
        assert torch.equal(value, right[name]) if isinstance(value, torch.Tensor) else value == right[name], name


def saved_and_loaded(state):
    file = io.BytesIO()
    torch.save(state, file)
    file.seek(0)
    return torch.load(file, weights_only=True)


# --- the networks -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("build", [dense_generator, dcgan_generator])
def test_generators_make_images_between_minus_one_and_one(build):
    images = build(16, stream())(torch.randn(5, 16, generator=stream()))
    assert images.shape == (5, 1, 28, 28)
    assert images.abs().max() <= 1


@pytest.mark.parametrize("build", [dense_discriminator, dcgan_discriminator])
def test_discriminators_answer_each_image_with_one_logit(build):
    assert build(stream())(torch.zeros(5, 1, 28, 28)).shape == (5, 1)


def test_the_dense_players_have_the_weights_of_their_layer_sizes():
    def dense(*sizes):
        return sum((into + 1) * out for into, out in pairwise(sizes))

    count = sum(parameter.numel() for parameter in dense_generator(100, stream()).parameters())
    assert count == dense(100, 256, 512, 1024, 784) + 2 * (512 + 1024)
    count = sum(parameter.numel() for parameter in dense_discriminator(stream()).parameters())
    assert count == dense(784, 1024, 512, 256, 1)


@pytest.mark.parametrize("model", MODELS)
def test_building_and_training_leave_the_global_random_stream_alone(model, digit_images):
    before = torch.get_rng_state()
    gan = small_gan(digit_images, model)
    learn(gan, 2)
    gan.sample(gan.latents(4, stream()))
    assert torch.equal(before, torch.get_rng_state())


# --- which weights move -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-10), (torch.float32, 1e-5)])
@pytest.mark.parametrize("confidence", [1.0, 50.0])
def test_one_pass_back_leaves_both_players_the_gradients_of_two(digit_images, confidence, dtype, tolerance):
    found = {}
    for at_once in (True, False):
        gan = small_gan(digit_images, "dense")
        gan.discriminator[-1].weight.data.mul_(confidence)  # sure of itself: the two losses' gradients lie far apart
        gan.generator.to(dtype), gan.discriminator.to(dtype)
        gan.latents = lambda count, stream: torch.randn(count, 16, generator=stream).to(dtype)
        assert gan._judges_each_alone
        gan._judges_each_alone = at_once
        gan._leave_gradients(to_signed(digit_images[:8]).to(dtype))
        found[at_once] = [each.grad for player in (gan.generator, gan.discriminator) for each in player.parameters()]
    largest = max(gradient.abs().max().item() for gradient in found[False])
    for one, two in zip(found[True], found[False], strict=True):
        torch.testing.assert_close(one, two, rtol=tolerance, atol=tolerance * largest)


def test_a_discriminator_with_batch_norm_gets_a_pass_for_each_player(digit_images):
    assert not small_gan(digit_images, "dcgan")._judges_each_alone


def test_the_generators_step_moves_the_generator_alone(digit_images):
    gan = small_gan(digit_images)
    before = weights(gan.generator), weights(gan.discriminator)
    gan._leave_gradients(to_signed(digit_images[:8]))
    gan.generator_optimizer.step()
    assert all(moved(gan.generator, before[0]))
    assert not any(moved(gan.discriminator, before[1]))


def test_the_discriminators_step_moves_the_discriminator_alone(digit_images):
    gan = small_gan(digit_images)
    before = weights(gan.generator), weights(gan.discriminator)
    gan._leave_gradients(to_signed(digit_images[:8]))
    gan.discriminator_optimizer.step()
    assert all(moved(gan.discriminator, before[1]))
    assert not any(moved(gan.generator, before[0]))


@pytest.mark.parametrize("model", MODELS)
def test_each_player_gets_the_gradient_of_its_own_loss_and_none_of_the_others(model, digit_images):
    gan, plain = small_gan(digit_images, model), small_gan(digit_images, model)
    real = to_signed(digit_images[:8])
    gan._leave_gradients(real)
    fake = plain.generator(plain.latents(8, plain._noise))
    generator_loss = non_saturating_loss(plain.discriminator(fake))
    wanted = torch.autograd.grad(generator_loss, list(plain.generator.parameters()))
    judging_loss = discriminator_loss(plain.discriminator(real), plain.discriminator(fake.detach()))
    wanted += torch.autograd.grad(judging_loss, list(plain.discriminator.parameters()))
    for parameter, gradient in zip([*gan.generator.parameters(), *gan.discriminator.parameters()], wanted, strict=True):
        torch.testing.assert_close(parameter.grad, gradient, rtol=1e-5, atol=1e-5)


def test_an_update_moves_both_players_and_leaves_both_trainable(digit_images):
    gan = small_gan(digit_images)
    before = weights(gan.generator), weights(gan.discriminator)
    learn(gan, 1)
    assert all(moved(gan.generator, before[0]))
    assert all(moved(gan.discriminator, before[1]))
    assert all(parameter.requires_grad for parameter in gan.discriminator.parameters())


@pytest.mark.parametrize("model", MODELS)
def test_an_update_is_that_of_the_plain_loop(model, digit_images):
    gan = small_gan(digit_images, model, steps=1, learning_rate=2e-4, label_smoothing=0.1)
    plain = small_gan(digit_images, model, steps=1)
    real, noise = to_signed(digit_images[plain._batches.next()]), plain.latents(8, plain._noise)
    generator, discriminator = plain.generator, plain.discriminator
    generator_optimizer = torch.optim.Adam(generator.parameters(), 2e-4, (0.5, 0.999))
    discriminator_optimizer = torch.optim.Adam(discriminator.parameters(), 2e-4, (0.5, 0.999))
    fake = generator(noise)
    (-discriminator(fake).sigmoid().log().mean()).backward()
    generator_optimizer.step()
    discriminator_optimizer.zero_grad()
    on_real, on_fake = discriminator(real).sigmoid(), discriminator(fake.detach()).sigmoid()
    loss = -(0.9 * on_real.log() + 0.1 * (1 - on_real).log()).mean() - (1 - on_fake).log().mean()
    loss.backward()
    discriminator_optimizer.step()
    metrics = learn(gan, 1)[0]
    torch.testing.assert_close(metrics["loss/discriminator"], loss.detach(), rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(metrics["discriminator/real"], on_real.mean().detach(), rtol=1e-4, atol=1e-5)
    for own, other in ((gan.generator, generator), (gan.discriminator, discriminator)):
        # Adam's first step is lr * sign(gradient): where the gradient is rounding noise, signs may differ.
        steps = [(a - b).abs() > 1e-6 for a, b in zip(own.parameters(), other.parameters(), strict=True)]
        assert sum(s.sum() for s in steps) < 0.01 * sum(s.numel() for s in steps)


def test_a_discriminator_with_batch_norm_never_sees_real_and_made_images_together(digit_images):
    seen = []

    class Watching(BatchNorm):
        def forward(self, x):
            seen.append(len(x))
            return super().forward(x)

    discriminator = torch.nn.Sequential(torch.nn.Flatten(), Watching(784), torch.nn.Linear(784, 1))
    gan = GAN(
        dense_generator(16, stream()), discriminator, digit_images, latent=Latent(16), batch_size=8, steps=5,
        learning_rate=1e-3, discriminator_pace=1.0, betas=(0.5, 0.999), label_smoothing=0.0, ema_decay=0.9,
        precision="float32", streams=Streams(0),
    )  # fmt: skip
    learn(gan, 1)
    assert seen == [8, 8]


def test_the_learning_rate_falls_in_a_line_to_zero_where_learning_ends(digit_images):
    gan = small_gan(digit_images, "dense", steps=4, learning_rate=1e-3)
    rates = [gan.generator_optimizer.param_groups[0]["lr"] for _ in gan.learn()]
    assert rates == pytest.approx([1e-3, 0.75e-3, 0.5e-3, 0.25e-3])


# --- metrics ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("model", MODELS)
def test_metrics_are_detached_scalars_and_begin_at_a_guess(model, digit_images):
    metrics = learn(small_gan(digit_images, model), 1)[0]
    names = {"loss/generator", "loss/discriminator", "discriminator/real", "discriminator/fake"}
    assert set(metrics) == names
    assert all(value.shape == () and not value.requires_grad for value in metrics.values())
    assert metrics["discriminator/real"].item() == pytest.approx(0.5, abs=0.1)
    assert metrics["loss/discriminator"].item() == pytest.approx(2 * 0.6931, abs=0.2)


# --- samples ----------------------------------------------------------------------------------------------------------


def test_pixels_go_to_minus_one_and_one_and_back():
    images = torch.arange(256, dtype=torch.uint8).view(1, 1, 16, 16)
    signed = to_signed(images)
    assert (signed.min(), signed.max()) == (-1, 1)
    torch.testing.assert_close(from_signed(signed), images / 255)


@pytest.mark.parametrize("model", MODELS)
def test_samples_are_images_in_the_unit_range(model, digit_images):
    gan = small_gan(digit_images, model)
    learn(gan, 2)
    samples = gan.sample(gan.latents(9, stream()))
    assert samples.shape == (9, 1, 28, 28)
    assert samples.dtype == torch.float32
    assert samples.min() >= 0
    assert samples.max() <= 1


def test_a_sample_depends_on_its_latent_alone_not_on_its_neighbours(digit_images):
    gan = small_gan(digit_images)
    learn(gan, 3)
    latents = gan.latents(6, stream())
    torch.testing.assert_close(gan.sample(latents)[:1], gan.sample(latents[:1]), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("model", MODELS)
def test_sampling_changes_nothing_in_training(model, digit_images):
    quiet, sampled = small_gan(digit_images, model), small_gan(digit_images, model)
    learn(quiet, 4)
    updates = sampled.learn()
    for _ in range(4):
        next(updates)
        sampled.sample(sampled.latents(3, stream()))
        assert sampled.generator.training
    assert_same_state(quiet.generator.state_dict(), sampled.generator.state_dict())
    assert_same_state(quiet.discriminator.state_dict(), sampled.discriminator.state_dict())


def test_samples_come_from_the_averaged_weights(digit_images):
    gan = small_gan(digit_images, ema_decay=0.999, learning_rate=1e-2)
    learn(gan, 5)
    latents = gan.latents(4, stream())
    before = gan.sample(latents)
    with torch.no_grad():
        for parameter in gan.generator.parameters():
            parameter.zero_()
    assert torch.equal(before, gan.sample(latents))


def test_batch_norm_of_the_average_is_measured_with_the_averaged_weights(digit_images):
    gan = small_gan(digit_images)
    learn(gan, 5)
    norm = next(module for module in gan.averaged_generator().modules() if isinstance(module, BatchNorm))
    exact = gan.average.module[0](gan.latents(20_000, stream()))
    # Measured on 2,000 samples: its standard error is spread / sqrt(2000) = 0.022 spread.
    assert ((norm.running_mean - exact.mean(0)).abs() < 0.1 * exact.std(0)).all()
    torch.testing.assert_close(norm.running_var, exact.var(0), rtol=0.2, atol=0)


# --- resuming ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("model", MODELS)
def test_resuming_is_exact_to_the_bit(model, digit_images):
    straight = small_gan(digit_images[:60], model)  # 7 batches an epoch: the break falls inside an epoch
    metrics = learn(straight, 12)
    first = small_gan(digit_images[:60], model)
    learn(first, 5)
    second = small_gan(digit_images[:60], model)
    second.load_state_dict(saved_and_loaded(first.state_dict()))
    again = learn(second, 7)
    assert_same_state(straight.state_dict(), second.state_dict())
    assert [each["loss/generator"].item() for each in again] == [m["loss/generator"].item() for m in metrics[5:]]
    latents = straight.latents(4, stream())
    assert torch.equal(straight.sample(latents), second.sample(latents))


def test_another_seed_gives_another_gan(digit_images):
    one, other = (small_gan(digit_images, streams=Streams(seed)).state_dict() for seed in (0, 1))
    assert not torch.equal(one["generator"]["0.weight"], other["generator"]["0.weight"])


# --- learning ---------------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_dcgan_learns_to_make_digits(digit_images):
    torch.set_num_threads(1)
    gan = small_gan(digit_images, steps=400, batch_size=32, learning_rate=1e-3, ema_decay=0.98)
    assessor = Assessor(load_judge(), digit_images)
    latents = gan.latents(500, stream(1))
    before = assessor.assess(gan.sample(latents))
    learn(gan, 400)
    after = assessor.assess(gan.sample(latents))
    assert after.frechet_distance < before.frechet_distance / 4
    assert after.inception_score > 3


@pytest.mark.parametrize("model", MODELS)
def test_half_precision_follows_single_precision_roughly(model, digit_images):
    exact, rough = small_gan(digit_images, model), small_gan(digit_images, model, precision="bf16")
    for one, other in zip(learn(exact, 3), learn(rough, 3), strict=True):
        assert other["loss/generator"].dtype == torch.float32
        assert other["loss/generator"].item() == pytest.approx(one["loss/generator"].item(), rel=0.05)


# --- bad input --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"model": "dcgann"}, "model='dcgann': must be one of dcgan, dense; did you mean 'dcgan'"),
        ({"precision": "fp8"}, "precision='fp8'"),
        ({"steps": 0}, "steps=0"),
        ({"batch_size": 1}, "batch_size=1"),
        ({"batch_size": 2000}, "batch_size=2000: must be between 1 and 1797"),
        ({"latent_size": 0}, "latent_size=0"),
        ({"label_smoothing": 1.0}, "label_smoothing=1.0"),
        ({"ema_decay": 1.0}, "decay=1.0"),
        ({"learning_rate": -1.0}, "lr=-1.0"),
        ({"betas": (0.5, 1.0)}, "betas=1.0"),
    ],
)
def test_impossible_settings_are_refused_by_name(settings, message, digit_images):
    with pytest.raises(InputError, match=message.replace("(", r"\(").replace("?", r"\?")):
        small_gan(digit_images, **settings)


def test_images_as_floats_are_refused_since_their_range_is_unknown(digit_images):
    with pytest.raises(InputError, match="images dtype"):
        small_gan(digit_images / 255)


def test_images_of_another_size_are_refused():
    with pytest.raises(InputError, match=r"images shape=\(50, 3, 32, 32\): must be \(n, 1, 28, 28\)"):
        small_gan(torch.zeros(50, 3, 32, 32, dtype=torch.uint8))


def test_latents_of_another_width_are_refused(digit_images):
    gan = small_gan(digit_images)
    with pytest.raises(InputError, match=r"latents shape=\(4, 17\): must be \(n, 16\)"):
        gan.sample(torch.zeros(4, 17))
