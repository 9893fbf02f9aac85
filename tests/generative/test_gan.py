import pytest
import torch
from states import assert_resumes_exactly, assert_same_state, saved_and_loaded

from foundations.errors import InputError
from foundations.normalization import BatchNorm
from foundations.streams import Streams
from generative.gan.learner import build_gan
from generative.gan.pixels import from_signed, to_signed
from generative.judge import load_judge
from generative.latent import CODE, Latent
from generative.metrics import Assessor

MODELS = ["dense", "dcgan", "conditional", "wgan_gp"]


def stream(seed=0):
    return torch.Generator().manual_seed(seed)


def small_gan(images, model="dcgan", labels=None, **settings):
    labels = torch.arange(len(images)) % 10 if labels is None else labels
    defaults = {"steps": 20, "batch_size": 8, "streams": Streams(0), "latent_size": 16, "channels": 8}
    return build_gan(model, images, labels, **defaults | settings)


def learn(gan, steps):
    updates = gan.learn()
    return [next(updates) for _ in range(steps)]


def weights(module):
    return [parameter.detach().clone() for parameter in module.parameters()]


def moved(module, before):
    return [not torch.equal(now, then) for now, then in zip(module.parameters(), before, strict=True)]


# --- steps ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("model", "settings"), [*((model, {}) for model in MODELS), ("dcgan", {"norm": "spectral"})])
def test_building_and_training_leave_the_global_random_stream_alone(model, settings, digit_images):
    before = torch.get_rng_state()
    gan = small_gan(digit_images, model, **settings)
    learn(gan, 2)
    gan.sample(gan.latents(4, stream()))
    assert torch.equal(before, torch.get_rng_state())


@pytest.mark.parametrize("model", MODELS)
def test_an_update_moves_both_players_and_leaves_both_trainable(model, digit_images):
    gan = small_gan(digit_images, model)
    before = weights(gan.generator), weights(gan.discriminator)
    learn(gan, 1)
    assert all(moved(gan.generator, before[0]))
    last = -1 if model == "wgan_gp" else None  # a difference of scores does not know the last bias
    assert all(moved(gan.discriminator, before[1])[:last])
    assert all(parameter.requires_grad for parameter in gan.discriminator.parameters())


@pytest.mark.parametrize("model", ["dense", "dcgan"])
def test_an_update_is_that_of_the_plain_loop(model, digit_images):
    gan = small_gan(digit_images, model, steps=1, learning_rate=2e-4, label_smoothing=0.1)
    plain = small_gan(digit_images, model, steps=1)
    real, noise = to_signed(digit_images[plain._batches.next()]), plain.latents(8, plain._noise)
    generator, discriminator = plain.generator, plain.discriminator
    generator_optimizer = torch.optim.Adam(generator.parameters(), 2e-4, (0.5, 0.999))
    discriminator_optimizer = torch.optim.Adam(discriminator.parameters(), 2e-4, (0.5, 0.999))
    fake = generator(noise)
    before_step = discriminator(fake).sigmoid()
    (-before_step.log().mean()).backward()
    generator_optimizer.step()
    discriminator_optimizer.zero_grad()
    on_real, on_fake = discriminator(real).sigmoid(), discriminator(fake.detach()).sigmoid()
    loss = -(0.9 * on_real.log() + 0.1 * (1 - on_real).log()).mean() - (1 - on_fake).log().mean()
    loss.backward()
    discriminator_optimizer.step()
    metrics = learn(gan, 1)[0]
    torch.testing.assert_close(metrics["loss/discriminator"], loss.detach(), rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(metrics["discriminator/real"], on_real.mean().detach(), rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(metrics["discriminator/fake"], before_step.mean().detach(), rtol=1e-4, atol=1e-5)
    for own, other in ((gan.generator, generator), (gan.discriminator, discriminator)):
        # Adam's first step is lr * sign(gradient): where the gradient is rounding noise, signs may differ.
        steps = [(a - b).abs() > 1e-6 for a, b in zip(own.parameters(), other.parameters(), strict=True)]
        assert sum(s.sum() for s in steps) < 0.01 * sum(s.numel() for s in steps)


def test_the_learning_rate_falls_in_a_line_to_zero_where_learning_ends(digit_images):
    gan = small_gan(digit_images, "dense", steps=4, learning_rate=1e-3, discriminator_pace=2.0)
    optimizers = gan.generator_optimizer, gan.discriminator_optimizer
    rates = [[optimizer.param_groups[0]["lr"] for optimizer in optimizers] for _ in gan.learn()]
    assert rates == [pytest.approx([rate, 2 * rate]) for rate in (1e-3, 0.75e-3, 0.5e-3, 0.25e-3)]


# --- critic steps -----------------------------------------------------------------------------------------------------


def test_the_critic_learns_so_often_for_each_step_of_the_generator(digit_images):
    gan = small_gan(digit_images, "wgan_gp", critic_steps=3)
    learn(gan, 2)
    counts = [
        {state["step"].item() for state in optimizer.state_dict()["state"].values()}
        for optimizer in (gan.generator_optimizer, gan.discriminator_optimizer)
    ]
    assert counts == [{2}, {6}]


def test_every_critic_step_and_the_generators_look_at_latents_of_their_own(digit_images):
    gan = small_gan(digit_images, "wgan_gp", critic_steps=3)
    seen = []
    gan.generator.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0].clone()))
    learn(gan, 1)
    assert len(seen) == 4
    assert len({latents[0, 0].item() for latents in seen}) == 4


def test_the_wasserstein_models_own_settings_are_the_published_ones(digit_images):
    gan = small_gan(digit_images, "wgan_gp")
    assert gan.critic_steps == 5
    assert gan.generator_optimizer.param_groups[0]["betas"] == (0.0, 0.9)
    assert gan.game.judges_each_alone


@pytest.mark.parametrize("settings", [{"loss": "hinge", "norm": "spectral"}, {"loss": "least_squares"},
                                      {"penalty": "r1", "norm": "none"}, {"critic_steps": 2}])  # fmt: skip
def test_losses_norms_penalties_and_critic_steps_can_be_chosen_for_a_model(settings, digit_images):
    gan = small_gan(digit_images, "dcgan", **settings)
    metrics = learn(gan, 3)[-1]
    assert all(value.isfinite() for value in metrics.values())
    assert ("loss/penalty" in metrics) == ("penalty" in settings)


# --- conditional ------------------------------------------------------------------------------------------------------


def test_in_a_conditional_game_made_images_are_of_the_labels_told_to_the_discriminator(digits):
    gan = small_gan(digits[0], "conditional", digits[1])
    asked, told = [], []
    gan.generator.register_forward_pre_hook(lambda module, inputs: asked.append(inputs[0][:, 16:]))
    gan.discriminator.register_forward_pre_hook(lambda module, inputs: told.append(inputs[1]))
    learn(gan, 1)
    assert torch.equal(asked[0], CODE * torch.nn.functional.one_hot(told[0], 10))
    assert torch.equal(told[0], told[1])
    plain = small_gan(digits[0], "conditional", digits[1])
    assert torch.equal(told[0], digits[1][plain._batches.next()])


def test_a_conditional_gans_categories_are_its_classes(digits):
    assert small_gan(digits[0], "conditional", digits[1], categories=3).latent == Latent(16, 10)


@pytest.mark.slow
def test_a_conditional_gan_makes_the_digit_asked_for(digits):
    torch.set_num_threads(1)
    images, labels = digits
    gan = small_gan(images, "conditional", labels, steps=200, batch_size=32, ema_decay=0.98, channels=16)
    learn(gan, 200)
    latents = gan.latents(400, stream(1))
    read = Assessor(load_judge(), images).classes(gan.sample(latents))
    assert (read == latents[:, 16:].argmax(dim=1)).float().mean() > 0.6


# --- metrics ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("model", ["dense", "dcgan", "conditional"])
def test_metrics_are_detached_scalars_and_begin_at_a_guess(model, digit_images):
    metrics = learn(small_gan(digit_images, model), 1)[0]
    assert set(metrics) == {"loss/generator", "loss/discriminator", "discriminator/real", "discriminator/fake"}
    assert all(value.shape == () and not value.requires_grad for value in metrics.values())
    assert metrics["discriminator/real"].item() == pytest.approx(0.5, abs=0.1)
    assert metrics["loss/discriminator"].item() == pytest.approx(2 * 0.6931, abs=0.2)


@pytest.mark.parametrize("critic_steps", [1, 3])
def test_a_wasserstein_critic_tells_its_bare_scores_and_its_penalty(critic_steps, digit_images):
    metrics = learn(small_gan(digit_images, "wgan_gp", critic_steps=critic_steps), 1)[0]
    assert all(value.shape == () and not value.requires_grad for value in metrics.values())
    distance = metrics["discriminator/real"] - metrics["discriminator/fake"]
    assert metrics["loss/discriminator"].item() == pytest.approx(-distance.item(), abs=1e-6)
    assert metrics["loss/penalty"] > 0


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


def test_an_average_without_memory_is_the_generator_itself_after_each_step(digit_images):
    gan = small_gan(digit_images, ema_decay=0.0)
    for _ in zip(range(3), gan.learn(), strict=False):
        assert not any(moved(gan.average.module, weights(gan.generator)))


def test_a_loaded_gan_forgets_what_was_measured_of_its_own_average(digit_images):
    one, other = small_gan(digit_images), small_gan(digit_images, learning_rate=5e-2)
    latents = one.latents(3, stream())
    learn(one, 2), learn(other, 2)
    before = other.sample(latents)  # measures the average of step 2, the step of what is loaded too
    other.load_state_dict(saved_and_loaded(one.state_dict()))
    assert torch.equal(other.sample(latents), one.sample(latents))
    assert not torch.equal(other.sample(latents), before)


def test_batch_norm_of_the_average_is_measured_with_the_averaged_weights(digit_images):
    gan = small_gan(digit_images)
    learn(gan, 5)
    norm = next(module for module in gan.averaged_generator().modules() if isinstance(module, BatchNorm))
    exact = gan.average.module[0](gan.latents(20_000, stream()))
    # Measured on 2,000 samples: its standard error is spread / sqrt(2000) = 0.022 spread.
    assert ((norm.running_mean - exact.mean(0)).abs() < 0.1 * exact.std(0)).all()
    torch.testing.assert_close(norm.running_var, exact.var(0), rtol=0.2, atol=0)


# --- resuming ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("model", "settings"), [*((model, {}) for model in MODELS), ("dcgan", {"norm": "spectral", "critic_steps": 2})]
)
def test_resuming_is_exact_to_the_bit(model, settings, digit_images):
    images = digit_images[:60]  # 7 batches an epoch: the break falls inside an epoch
    straight, resumed = assert_resumes_exactly(lambda: small_gan(images, model, **settings), 5, 4)
    latents = straight.latents(4, stream())
    assert torch.equal(straight.sample(latents), resumed.sample(latents))


def test_another_seed_gives_another_gan(digit_images):
    one, other = (small_gan(digit_images, streams=Streams(seed)).state_dict() for seed in (0, 1))
    assert not torch.equal(one["generator"]["0.weight"], other["generator"]["0.weight"])


# --- learning ---------------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_dcgan_learns_to_make_digits(digit_images):
    torch.set_num_threads(1)
    gan = small_gan(digit_images, steps=400, batch_size=32, ema_decay=0.98, channels=32)
    assessor = Assessor(load_judge(), digit_images)
    latents = gan.latents(500, stream(1))
    before = assessor.assess(gan.sample(latents))
    learn(gan, 400)
    after = assessor.assess(gan.sample(latents))
    assert after.frechet_distance < before.frechet_distance / 4
    assert after.inception_score > 3


@pytest.mark.parametrize("model", MODELS)
def test_half_precision_follows_single_precision_roughly(model, digit_images):
    exact, rough = (small_gan(digit_images, model, precision=each, learning_rate=2e-4) for each in ("float32", "bf16"))
    for one, other in zip(learn(exact, 3), learn(rough, 3), strict=True):
        assert other["loss/generator"].dtype == torch.float32
        assert other["loss/generator"].item() == pytest.approx(one["loss/generator"].item(), rel=0.05, abs=0.01)


# --- bad input --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (
            {"model": "dcgann"},
            "model='dcgann': must be one of .*; did you mean 'dcgan'",
        ),
        ({"precision": "fp8"}, "precision='fp8'"),
        ({"steps": 0}, "steps=0"),
        ({"batch_size": 1}, "batch_size=1"),
        ({"batch_size": 2000}, "batch_size=2000: must be between 1 and 1797"),
        ({"latent_size": 0}, "latent_size=0"),
        ({"label_smoothing": 1.0}, "label_smoothing=1.0"),
        ({"ema_decay": 1.0}, "decay=1.0"),
        ({"learning_rate": -1.0}, "lr=-1.0"),
        ({"betas": (0.5, 1.0)}, "betas=1.0"),
        ({"critic_steps": 0}, "critic_steps=0"),
        ({"loss": "hinges"}, "loss='hinges'"),
        ({"norm": "layer"}, "norm='layer'"),
        ({"penalty": "r1"}, "penalty='r1': must be none where the discriminator has batch norm"),
        ({"channels": 0}, "channels=0"),
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


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (torch.zeros(9, dtype=torch.int64), r"labels shape=\(9,\): must be \(1797,\)"),
        (torch.zeros(1797), "labels dtype=torch.float32"),
        (torch.full((1797,), -1).index_fill(0, torch.tensor([0]), 9), r"labels=\(-1, 9\): must be numbers from 0"),
        (torch.zeros(1797, dtype=torch.int64), r"labels=\(0, 0\): must be .* of two classes at least"),
    ],
)
def test_labels_that_do_not_suit_are_refused(labels, message, digit_images):
    with pytest.raises(InputError, match=message):
        small_gan(digit_images, "conditional", labels)


def test_a_conditional_model_without_labels_is_refused(digit_images):
    with pytest.raises(InputError, match="labels=None: must be given for the model 'conditional'"):
        build_gan("conditional", digit_images, steps=1, streams=Streams(0))
