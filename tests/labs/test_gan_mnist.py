"""What the GAN's lab takes over from the packages that it drives."""

from generative.judge import FEATURES
from generative.metrics import SAMPLES_PER_FEATURE
from labs.gan_mnist import FEWEST


def test_the_fewest_images_that_the_lab_takes_are_those_that_the_judge_can_compare():
    assert FEWEST == SAMPLES_PER_FEATURE * FEATURES
