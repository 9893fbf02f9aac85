import math

import pytest
import torch

from foundations.errors import InputError
from generative.gan.losses import discriminator_loss, non_saturating_loss


def logit(probability):
    return math.log(probability / (1 - probability))


def test_a_discriminator_that_guesses_loses_twice_log_two():
    logits = torch.zeros(4, 1)
    assert discriminator_loss(logits, logits).item() == pytest.approx(2 * math.log(2))


def test_the_discriminators_loss_worked_by_hand():
    real, fake = torch.tensor([[logit(0.9)], [logit(0.6)]]), torch.tensor([[logit(0.2)]])
    expected = -(math.log(0.9) + math.log(0.6)) / 2 - math.log(0.8)
    assert discriminator_loss(real, fake).item() == pytest.approx(expected, rel=1e-5)


def test_smoothing_is_one_sided_real_labels_fall_and_made_ones_stay_zero():
    real, fake = torch.tensor([[logit(0.9)]]), torch.tensor([[logit(0.2)]])
    expected = -0.9 * math.log(0.9) - 0.1 * math.log(0.1) - math.log(0.8)
    assert discriminator_loss(real, fake, label_smoothing=0.1).item() == pytest.approx(expected, rel=1e-5)


def test_with_smoothing_the_best_belief_in_real_images_is_one_minus_it():
    real = torch.tensor([[logit(0.9)]], requires_grad=True)
    discriminator_loss(real, torch.zeros(1, 1), label_smoothing=0.1).backward()
    assert real.grad.item() == pytest.approx(0, abs=1e-6)


def test_the_generators_loss_worked_by_hand():
    assert non_saturating_loss(torch.tensor([[logit(0.25)]])).item() == pytest.approx(-math.log(0.25), rel=1e-5)


def test_the_generators_gradient_does_not_vanish_where_the_discriminator_is_sure():
    sure = torch.tensor([[-30.0]], requires_grad=True)
    non_saturating_loss(sure).backward()
    assert sure.grad.item() == pytest.approx(-1)


def test_losses_are_finite_for_extreme_logits():
    extreme = torch.tensor([[1e4], [-1e4]])
    assert torch.isfinite(discriminator_loss(extreme, extreme))
    assert torch.isfinite(non_saturating_loss(extreme))


def test_gradients_agree_with_finite_differences():
    real, fake = torch.randn(2, 3, 1, dtype=torch.float64, generator=torch.Generator().manual_seed(0)).unbind()
    torch.autograd.gradcheck(
        lambda r, f: discriminator_loss(r, f, label_smoothing=0.1), (real.requires_grad_(), fake.requires_grad_())
    )
    torch.autograd.gradcheck(non_saturating_loss, fake)


def test_smoothing_outside_its_range_is_refused():
    with pytest.raises(InputError, match=r"label_smoothing=1.5"):
        discriminator_loss(torch.zeros(2, 1), torch.zeros(2, 1), label_smoothing=1.5)
