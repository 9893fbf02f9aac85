"""The pictures of the lab `gan_mnist`: real digits beside made ones, kinds of digits, ways between them."""

from collections.abc import Sequence
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


def draw_categories(made: "Tensor", names: Sequence[str], *, asked: bool) -> "Figure":
    """Made images (a row for each of `names`): of the classes that were asked for, or of unlabelled categories."""
    each = len(made) // len(names)
    figure = kit.figures.sheet(made, names, [""] * each)
    what = "The class that was asked for" if asked else "What each category has become, without a label"
    figure.suptitle(f"{what}: {each} noises each", fontweight="bold")
    return figure


def draw_ways(made: "Tensor", steps: int) -> "Figure":
    """Made images on ways of so many steps, a way a row."""
    ways = len(made) // steps
    shares = [f"{step / (steps - 1):.0%}" for step in range(steps)]
    figure = kit.figures.sheet(made, [f"way {way + 1}" for way in range(ways)], shares)
    figure.axes[0].set_xlabel("share of the arc from one latent to the other")
    figure.suptitle("Ways from digit to digit", fontweight="bold")
    return figure
