import math

import pytest
import torch

from foundations.errors import InputError
from generative.gan.losses import (
    discriminator_loss,
    hinge_discriminator_loss,
    least_squares_discriminator_loss,
    least_squares_loss,
    minimax_loss,
    non_saturating_loss,
    wasserstein_discriminator_loss,
    wasserstein_loss,
)
from generative.gan.objectives import objective


def logit(probability):
    return math.log(probability / (1 - probability))


def column(*values):
    return torch.tensor([[value] for value in values])


# --- cross-entropy ----------------------------------------------------------------------------------------------------


def test_a_discriminator_that_guesses_loses_twice_log_two():
    logits = torch.zeros(4, 1)
    assert discriminator_loss(logits, logits).item() == pytest.approx(2 * math.log(2))


def test_the_discriminators_loss_worked_by_hand():
    real, fake = column(logit(0.9), logit(0.6)), column(logit(0.2))
    expected = -(math.log(0.9) + math.log(0.6)) / 2 - math.log(0.8)
    assert discriminator_loss(real, fake).item() == pytest.approx(expected, rel=1e-5)


def test_smoothing_is_one_sided_real_labels_fall_and_made_ones_stay_zero():
    real, fake = column(logit(0.9)), column(logit(0.2))
    expected = -0.9 * math.log(0.9) - 0.1 * math.log(0.1) - math.log(0.8)
    assert discriminator_loss(real, fake, label_smoothing=0.1).item() == pytest.approx(expected, rel=1e-5)


def test_with_smoothing_the_best_belief_in_real_images_is_one_minus_it():
    real = column(logit(0.9)).requires_grad_()
    discriminator_loss(real, torch.zeros(1, 1), label_smoothing=0.1).backward()
    assert real.grad.item() == pytest.approx(0, abs=1e-6)


def test_the_generators_loss_worked_by_hand():
    assert non_saturating_loss(column(logit(0.25))).item() == pytest.approx(-math.log(0.25), rel=1e-5)


def test_the_generators_gradient_does_not_vanish_where_the_discriminator_is_sure():
    sure = column(-30.0).requires_grad_()
    non_saturating_loss(sure).backward()
    assert sure.grad.item() == pytest.approx(-1)


def test_the_minimax_loss_worked_by_hand():
    expected = (math.log(0.75) + math.log(0.9)) / 2
    assert minimax_loss(column(logit(0.25), logit(0.1))).item() == pytest.approx(expected, rel=1e-5)


def test_the_minimax_gradient_vanishes_where_the_discriminator_is_sure():
    sure = column(-30.0).requires_grad_()
    minimax_loss(sure).backward()
    assert sure.grad.item() == pytest.approx(0, abs=1e-10)


def test_losses_are_finite_for_extreme_logits():
    extreme = column(1e4, -1e4)
    assert torch.isfinite(discriminator_loss(extreme, extreme))
    assert torch.isfinite(non_saturating_loss(extreme))
    assert torch.isfinite(minimax_loss(extreme))


# --- least squares, hinge, Wasserstein --------------------------------------------------------------------------------


def test_the_least_squares_losses_worked_by_hand():
    real, fake = column(1.5, 0.0), column(0.5, -1.0)
    assert least_squares_discriminator_loss(real, fake).item() == pytest.approx((0.25 + 1) / 4 + (0.25 + 1) / 4)
    assert least_squares_loss(fake).item() == pytest.approx((0.25 + 4) / 4)


def test_least_squares_smoothing_is_one_sided_too():
    loss = least_squares_discriminator_loss(column(0.9), column(0.0), label_smoothing=0.1)
    assert loss.item() == pytest.approx(0, abs=1e-12)


def test_the_hinge_loss_worked_by_hand():
    assert hinge_discriminator_loss(column(0.25, 3.0), column(-0.5, -2.0)).item() == pytest.approx(0.75 / 2 + 0.5 / 2)


def test_beyond_the_margin_the_hinge_teaches_nothing():
    real, fake = column(1.5).requires_grad_(), column(-1.5).requires_grad_()
    hinge_discriminator_loss(real, fake).backward()
    assert (real.grad.item(), fake.grad.item()) == (0, 0)


def test_the_wasserstein_losses_worked_by_hand():
    real, fake = column(5.0, 7.0), column(1.0, 2.0)
    assert wasserstein_discriminator_loss(real, fake).item() == pytest.approx(1.5 - 6)
    assert wasserstein_loss(fake).item() == pytest.approx(-1.5)


def test_gradients_agree_with_finite_differences():
    real, fake = torch.randn(2, 3, 1, dtype=torch.float64, generator=torch.Generator().manual_seed(0)).unbind()
    real.requires_grad_(), fake.requires_grad_()
    for loss in (
        lambda r, f: discriminator_loss(r, f, label_smoothing=0.1),
        lambda r, f: least_squares_discriminator_loss(r, f, label_smoothing=0.1),
        hinge_discriminator_loss,
        wasserstein_discriminator_loss,
    ):
        torch.autograd.gradcheck(loss, (real, fake))
    for loss in (non_saturating_loss, minimax_loss, least_squares_loss, wasserstein_loss):
        torch.autograd.gradcheck(loss, fake)


# --- by name ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["non_saturating", "minimax", "least_squares", "hinge", "wasserstein"])
def test_under_every_objective_a_step_down_moves_made_answers_up_and_the_discriminators_down(name):
    pair = objective(name)
    made, judged = column(0.2).requires_grad_(), column(0.2).requires_grad_()
    pair.generator(made).backward()
    pair.discriminator(column(0.0), judged).backward()
    assert made.grad < 0 < judged.grad


def test_an_objective_hands_its_smoothing_on():
    real, fake = column(0.3), column(0.1)
    for name, loss in (("minimax", discriminator_loss), ("least_squares", least_squares_discriminator_loss)):
        smooth = objective(name, label_smoothing=0.2).discriminator(real, fake)
        assert torch.equal(smooth, loss(real, fake, label_smoothing=0.2))


def test_smoothing_is_refused_where_there_are_no_labels():
    with pytest.raises(InputError, match=r"label_smoothing=0.1: must be 0 with the loss 'hinge'"):
        objective("hinge", label_smoothing=0.1)


def test_unknown_names_are_refused_with_the_nearest_known():
    with pytest.raises(InputError, match=r"loss='hing': .* did you mean 'hinge'"):
        objective("hing")
    with pytest.raises(InputError, match=r"penalty='r2'"):
        objective("hinge", penalty="r2")


@pytest.mark.parametrize("loss", [discriminator_loss, least_squares_discriminator_loss])
def test_smoothing_outside_its_range_is_refused(loss):
    with pytest.raises(InputError, match=r"label_smoothing=1.5"):
        loss(torch.zeros(2, 1), torch.zeros(2, 1), label_smoothing=1.5)
