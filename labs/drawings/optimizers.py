"""The pictures of the lab `optimizers`: surfaces, paths, the race on film."""

import math
from typing import TYPE_CHECKING, Any

import foundations
import labs.kit as kit

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from torch import Tensor

    from foundations.surfaces import Race


BROKEN = {"AMSGrad": "--", "AdamW": ":"}
"""Lines of those that often walk where Adam does."""


def styles() -> dict[str, dict[str, Any]]:
    """One look for each optimizer in all pictures; AdamW has the colour of Adam."""
    from foundations.optimizers.variants import VARIANTS

    colours = dict(zip((name for name in VARIANTS if name != "AdamW"), kit.figures.COLOURS, strict=True))
    colours["AdamW"] = colours["Adam"]
    return {name: {"color": colour, "linestyle": BROKEN.get(name, "-")} for name, colour in colours.items()}


def _draw_heights(axes: "Axes", surface: str) -> None:
    """The surface from above; each contour is four times as high as the next."""
    import torch

    shape = foundations.surfaces.SURFACES[surface]
    x, y = torch.meshgrid(torch.linspace(*shape.across, 240), torch.linspace(*shape.up, 240), indexing="xy")
    heights = shape.value(x, y).clamp(min=4.0**-5).log() / math.log(4)
    levels = range(-5, math.ceil(float(heights.max())) + 1)
    axes.contourf(x, y, heights, levels=levels, cmap="Greys", alpha=0.35)
    axes.contour(x, y, heights, levels=levels, colors="#999999", linewidths=0.4, linestyles="-")
    axes.plot(*shape.best, marker="*", color="black", markersize=12, linestyle="none", zorder=5)
    axes.plot(*shape.start, marker="s", color="black", markersize=5, linestyle="none", zorder=5)
    axes.set(xlim=shape.across, ylim=shape.up, xlabel="x", ylabel="y", title=surface.capitalize())
    axes.grid(visible=False)


class Film:
    """Draws the race step by step; the surfaces, which take long to draw, only once."""

    def __init__(self, race: "Race") -> None:
        looks = {name: look for name, look in styles().items() if name in race.optimizers}
        from matplotlib import pyplot as plt

        self.race = race
        self.figure, panels = plt.subplots(1, len(foundations.surfaces.SURFACES), figsize=(11.4, 4.4), dpi=80)
        self.panels = dict(zip(foundations.surfaces.SURFACES, panels, strict=True))
        self.trails, self.heads = {}, {}
        for surface, axes in self.panels.items():
            _draw_heights(axes, surface)
            for place, (name, look) in enumerate(looks.items()):
                (self.trails[surface, name],) = axes.plot([], [], linewidth=1.2, animated=True, **look)
                # Smaller and smaller: those that coincide show as rings.
                head = {"marker": "o", "markersize": 9 - 0.8 * place, "color": look["color"], "linestyle": "none"}
                (self.heads[surface, name],) = axes.plot([], [], animated=True, **head)
                if axes is panels[0]:
                    axes.plot([], [], label=name, **head)
        self.figure.legend(loc="outside lower center", ncols=len(looks), fontsize=9)
        self.figure.suptitle(" ")
        self.title = self.figure.text(0.5, 0.985, "", ha="center", va="top", fontweight="bold", animated=True)
        canvas: Any = self.figure.canvas
        canvas.draw()
        self.surfaces = canvas.copy_from_bbox(self.figure.bbox)

    def frame(self, step: int) -> "Tensor":
        """The points and the way they came, as a picture (1, 3, height, width)."""
        import numpy as np
        import torch

        canvas: Any = self.figure.canvas
        canvas.restore_region(self.surfaces)
        self.title.set_text(f"step {step}")
        self.figure.draw_artist(self.title)
        for surface, axes in self.panels.items():
            for name, paths in self.race.paths(surface).items():
                x, y = paths[0].unbind(1)
                self.trails[surface, name].set_data(x, y)
                axes.draw_artist(self.trails[surface, name])
            for name, paths in self.race.paths(surface).items():
                self.heads[surface, name].set_data(*paths[0, -1:].unbind(1))
                axes.draw_artist(self.heads[surface, name])
        pixels = np.asarray(canvas.buffer_rgba())[..., :3]
        return torch.from_numpy(pixels.copy()).permute(2, 0, 1).unsqueeze(0) / 255

    def close(self) -> None:
        """Give the figure's memory back."""
        from matplotlib import pyplot as plt

        plt.close(self.figure)


def draw_surface(race: "Race", surface: str) -> "Figure":
    """Left the paths, right the value under each."""
    looks = styles()  # the project's style comes with them
    from matplotlib import pyplot as plt

    figure, (left, right) = plt.subplots(1, 2, figsize=(12, 4.8))
    _draw_heights(left, surface)
    left.set_title(f"{surface.capitalize()}: from the square to the star")
    for name, paths in race.paths(surface).items():
        left.plot(*paths[0].unbind(1), linewidth=1.3, marker="o", markersize=1.8, **looks[name])
        values = foundations.surfaces.SURFACES[surface].value(*paths[0].double().unbind(1)).clamp(min=1e-12)
        label = f"{name}, {race.rates[surface][name][0]:.2g}"
        right.plot(range(len(values)), values, linewidth=1.6, label=label, **looks[name])
    right.set(yscale="log", xlabel="update", ylabel="value (least: 0)", title="Each with its best learning rate")
    figure.legend(loc="outside right upper", title="optimizer, learning rate", fontsize=9)
    return figure
