import pytest
import torch

from generative.gan.penalties import gradient_penalty, r1_penalty

WEIGHT = torch.tensor([3.0, 4.0], dtype=torch.float64)


def linear(weight):
    """A critic whose slope is `weight` everywhere: |weight| = 5."""
    return lambda images: images @ weight.unsqueeze(1)


def square(images):
    """D(x) = |x|^2 / 2, whose slope at x is x."""
    return images.square().sum(dim=1, keepdim=True) / 2


@pytest.fixture
def pair(generator):
    return torch.randn(2, 6, 2, generator=generator, dtype=torch.float64).unbind()


def test_the_gradient_penalty_of_a_linear_critic_is_that_of_its_slope(pair, generator):
    assert gradient_penalty(linear(WEIGHT), *pair, generator, weight=1).item() == pytest.approx((5 - 1) ** 2)


def test_the_gradient_penaltys_own_gradient_is_the_one_worked_by_hand(pair, generator):
    weight = WEIGHT.clone().requires_grad_()
    gradient_penalty(linear(weight), *pair, generator, weight=10).backward()
    # d/dw 10 (|w| - 1)^2 = 20 (|w| - 1) w / |w|
    torch.testing.assert_close(weight.grad, 20 * 4 * WEIGHT / 5)


def test_the_usual_weight_of_both_penalties_is_ten(pair, generator):
    assert gradient_penalty(linear(WEIGHT), *pair, generator).item() == pytest.approx(10 * (5 - 1) ** 2)
    assert r1_penalty(linear(WEIGHT), *pair, generator).item() == pytest.approx(10 / 2 * 25)


def test_a_critic_of_slope_one_pays_nothing(pair, generator):
    assert gradient_penalty(linear(WEIGHT / 5), *pair, generator).item() == pytest.approx(0, abs=1e-20)


def test_each_image_pays_for_its_own_slope(generator):
    # The slope at x is x: between a pair of equal images it is that image, of length 2 and 0.
    images = torch.tensor([[2.0, 0.0], [0.0, 0.0]])
    assert gradient_penalty(square, images, images, generator, weight=1).item() == pytest.approx((1 + 1) / 2)


def test_the_slope_is_taken_between_the_two_images_at_a_place_of_each_pairs_own(generator):
    seen = []

    def watching(images):
        seen.append(images.detach())
        return images.sum(dim=1, keepdim=True)

    gradient_penalty(watching, torch.zeros(500, 2), torch.ones(500, 2), generator)
    (between,) = seen
    assert torch.equal(between[:, 0], between[:, 1])
    assert between.min() >= 0
    assert between.max() <= 1
    assert between[:, 0].mean().item() == pytest.approx(0.5, abs=0.05)
    assert between[:, 0].std().item() == pytest.approx(12**-0.5, abs=0.02)


def test_r1_is_half_the_mean_squared_slope_at_real_images(generator):
    real = torch.tensor([[3.0, 4.0], [1.0, 0.0]])
    assert r1_penalty(square, real, real + 7, generator, weight=10).item() == pytest.approx(5 * (25 + 1) / 2)


def test_r1s_own_gradient_is_the_one_worked_by_hand(pair, generator):
    weight = WEIGHT.clone().requires_grad_()
    r1_penalty(linear(weight), *pair, generator, weight=10).backward()
    torch.testing.assert_close(weight.grad, 10 * WEIGHT)  # d/dw 5 |w|^2


@pytest.mark.parametrize("penalty", [gradient_penalty, r1_penalty])
def test_the_images_get_no_gradient_of_a_penalty(penalty, pair, generator):
    weight = WEIGHT.clone().requires_grad_()
    real, fake = (images.requires_grad_() for images in pair)
    penalty(linear(weight), real, fake, generator).backward()
    assert real.grad is None
    assert fake.grad is None
