"""The picture of the lab `gan_mnist`: real digits beside made ones."""

from typing import TYPE_CHECKING

import labs.kit as kit

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from torch import Tensor


def draw_side_by_side(real: "Tensor", made: "Tensor") -> "Figure":
    """Real images beside made ones, 8 x 8 each."""
    from matplotlib import pyplot as plt

    figure, both = plt.subplots(1, 2, figsize=(9, 4.8))
    for axes, title, images in zip(both, ("real (test set)", "made"), (real / 255, made), strict=True):
        axes.imshow(kit.figures.grid(images, 8), cmap="gray", vmin=0, vmax=255)
        axes.set_title(title)
        axes.axis("off")
    return figure
