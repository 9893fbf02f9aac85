"""Which weights get which gradient."""

import pytest
import torch

from foundations.errors import InputError
from foundations.normalization import BatchNorm
from foundations.streams import Streams
from generative.gan.game import Game
from generative.gan.gradients import back_at_once, back_in_turn
from generative.gan.learner import build_gan
from generative.gan.losses import discriminator_loss, non_saturating_loss
from generative.gan.networks import dcgan_discriminator, dense_discriminator, dense_generator
from generative.gan.objectives import objective
from generative.gan.pixels import to_signed

MODELS = ["dense", "dcgan", "conditional", "wgan_gp"]
LOSSES = ["non_saturating", "minimax", "least_squares", "hinge", "wasserstein"]


def stream(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.fixture
def small_gan(digits):
    images, labels = digits

    def build(model="dcgan", **settings):
        defaults = {"steps": 20, "batch_size": 8, "streams": Streams(0), "latent_size": 16, "channels": 4}
        return build_gan(model, images, labels, **defaults | settings)

    return build


@pytest.fixture
def look(digits):
    """The same look at eight images for any GAN: real images, latents, condition, stream."""

    def of(gan):
        condition = () if gan.labels is None else (digits[1][:8],)
        return to_signed(digits[0][:8]), gan._fresh_latents(8, condition), condition, stream(7)

    return of


def weights(module):
    return [parameter.detach().clone() for parameter in module.parameters()]


def moved(module, before):
    return [not torch.equal(now, then) for now, then in zip(module.parameters(), before, strict=True)]


def gradients(*players):
    return [each.grad for player in players for each in player.parameters()]


# --- one look for both ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("model", MODELS)
def test_the_generators_step_moves_the_generator_alone(model, small_gan, look):
    gan = small_gan(model)
    before = weights(gan.generator), weights(gan.discriminator)
    gan.game.leave_both(*look(gan))
    gan.generator_optimizer.step()
    assert all(moved(gan.generator, before[0]))
    assert not any(moved(gan.discriminator, before[1]))


@pytest.mark.parametrize("model", ["dense", "dcgan"])
def test_the_discriminators_step_moves_the_discriminator_alone(model, small_gan, look):
    gan = small_gan(model)
    before = weights(gan.generator), weights(gan.discriminator)
    gan.game.leave_both(*look(gan))
    gan.discriminator_optimizer.step()
    assert all(moved(gan.discriminator, before[1]))
    assert not any(moved(gan.generator, before[0]))


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("loss", ["non_saturating", "hinge"])
def test_each_player_gets_the_gradient_of_its_own_loss_and_none_of_the_others(model, loss, small_gan, look):
    gan, plain = (small_gan(model, loss=loss) for _ in range(2))
    pair = objective(loss)
    real, latents, condition, penalties = look(gan)
    metrics = gan.game.leave_both(real, latents, condition, penalties)
    fake = plain.generator(latents)
    making_loss = pair.generator(plain.discriminator(fake, *condition))
    wanted = torch.autograd.grad(making_loss, list(plain.generator.parameters()))
    seen = plain.discriminator(real, *condition), plain.discriminator(fake.detach(), *condition)
    judging_loss = pair.discriminator(*seen)
    if gan.game.objective.penalty:
        penalty = gan.game.objective.penalty(plain.discriminator, real, fake, stream(7))
        torch.testing.assert_close(metrics["loss/penalty"], penalty.detach(), rtol=1e-5, atol=1e-5)
        judging_loss = judging_loss + penalty
    wanted += torch.autograd.grad(judging_loss, list(plain.discriminator.parameters()))
    for found, gradient in zip(gradients(gan.generator, gan.discriminator), wanted, strict=True):
        torch.testing.assert_close(found, gradient, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-10), (torch.float32, 1e-5)])
@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("confidence", [1.0, 50.0])
def test_one_pass_back_leaves_both_players_the_gradients_of_two(confidence, loss, dtype, tolerance, digits):
    found = {}
    for at_once in (True, False):
        generator, discriminator = dense_generator(16, stream()).to(dtype), dense_discriminator(stream()).to(dtype)
        discriminator[-1].weight.data.mul_(confidence)  # sure of itself: the two losses' gradients lie far apart
        game = Game(generator, discriminator, objective(loss), half=False)
        assert game.judges_each_alone
        game.judges_each_alone = at_once
        latents = torch.randn(8, 16, generator=stream()).to(dtype)
        game.leave_both(to_signed(digits[0][:8]).to(dtype), latents, (), stream())
        found[at_once] = gradients(generator, discriminator)
    largest = max(gradient.abs().max().item() for gradient in found[False])
    for one, two in zip(found[True], found[False], strict=True):
        torch.testing.assert_close(one, two, rtol=tolerance, atol=tolerance * largest)


def test_the_two_ways_back_agree_on_two_points_worked_by_hand():
    # D(x) = w x with w = 2, real x = 1, made x = (3, -1); losses of squares, so that each gradient is a round number.
    for back in (back_in_turn, back_at_once):
        w = torch.tensor([[2.0]], requires_grad=True)
        shown = torch.tensor([[3.0], [-1.0]], requires_grad=True)
        answers = torch.ones(1, 1) @ w, shown @ w
        losses = (answers[1] - 1).square().sum(), answers[0].square().sum() + answers[1].square().sum()
        given = (shown, [w]) if back is back_in_turn else (answers, shown, [w])
        pull = back(*losses, *given)
        assert pull.flatten().tolist() == [2 * (6 - 1) * 2, 2 * (-2 - 1) * 2]
        assert w.grad.item() == 2 * 2 * 1 + 2 * 6 * 3 + 2 * -2 * -1


def test_a_discriminator_with_batch_norm_gets_a_pass_for_each_player(small_gan):
    assert not small_gan("dcgan").game.judges_each_alone
    assert small_gan("dcgan", norm="spectral").game.judges_each_alone


def test_a_discriminator_with_batch_norm_never_sees_real_and_made_images_together(digits):
    seen = []

    class Watching(BatchNorm):
        def forward(self, x):
            seen.append(len(x))
            return super().forward(x)

    discriminator = torch.nn.Sequential(torch.nn.Flatten(), Watching(784), torch.nn.Linear(784, 1))
    game = Game(dense_generator(16, stream()), discriminator, objective("non_saturating"), half=False)
    game.leave_both(to_signed(digits[0][:8]), torch.randn(8, 16, generator=stream()), (), stream())
    assert seen == [8, 8]


def test_both_losses_are_told(small_gan, look):
    gan, plain = small_gan("dense"), small_gan("dense")
    real, latents, *rest = look(gan)
    metrics = gan.game.leave_both(real, latents, *rest)
    fake = plain.generator(latents)
    made, seen = plain.discriminator(fake), plain.discriminator(real)
    torch.testing.assert_close(metrics["loss/generator"], non_saturating_loss(made).detach())
    torch.testing.assert_close(metrics["loss/discriminator"], discriminator_loss(seen, made).detach())


# --- apart ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("model", MODELS)
def test_a_critic_step_leaves_the_generator_without_gradient(model, small_gan, look):
    gan = small_gan(model)
    gan.game.leave_discriminator(*look(gan))
    assert all(gradient is None for gradient in gradients(gan.generator))
    assert all(gradient.abs().sum() > 0 for gradient in gradients(gan.discriminator)[:-1])


@pytest.mark.parametrize("model", MODELS)
def test_a_step_of_the_generator_leaves_the_discriminator_without_gradient(model, small_gan, look):
    gan = small_gan(model)
    _, latents, condition, _ = look(gan)
    gan.game.leave_generator(latents, condition)
    assert all(gradient is None for gradient in gradients(gan.discriminator))
    assert all(gradient.abs().sum() > 0 for gradient in gradients(gan.generator))


@pytest.mark.parametrize("model", ["dense", "wgan_gp"])
def test_apart_and_at_once_the_gradients_are_the_same(model, small_gan, look):
    at_once, apart = small_gan(model), small_gan(model)
    real, latents, condition, _ = look(at_once)
    at_once.game.leave_both(real, latents, condition, stream())
    apart.game.leave_generator(latents, condition)
    apart.game.leave_discriminator(real, latents, condition, stream())
    both = (gradients(gan.generator, gan.discriminator) for gan in (at_once, apart))
    for one, other in zip(*both, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-6)


# --- bad input --------------------------------------------------------------------------------------------------------


def test_a_penalty_is_refused_where_batch_norm_mixes_images():
    with pytest.raises(InputError, match=r"penalty='r1': must be none where the discriminator has batch norm"):
        Game(dense_generator(16, stream()), dcgan_discriminator(stream()), objective("hinge", penalty="r1"), half=False)
