"""The pictures and tables of the lab `dbn_mnist`: what hidden units look for, how likelihood and errors change."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import labs.kit as kit

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from generative.boltzmann import RBM, Appraisal, LogLikelihood
    from labs.dbn_mnist import Config

PUBLISHED_LIKELIHOOD = -86.34
"""Nats a test image: 500 hidden units learned by CD-25. Source: Salakhutdinov & Murray 2008."""
PUBLISHED_ERRORS = {
    "discriminative": (1.2, "Hinton & Salakhutdinov 2006"),
    "up_down": (1.25, "Hinton, Osindero & Teh 2006"),
}
"""Percent of the test images after fine-tuning, and who says so: Science 313; Neural Computation 18(7)."""
PHASES = {"discriminative": "classifier", "up_down": "up_down"}
"""What the run calls the fine-tuning."""
ERROR_TICKS = (0.5, 1, 2, 5, 10, 20, 50, 100)


def likelihood_rows(found: "Appraisal") -> list[dict[str, str]]:
    """The first machine's log-likelihood, that of independent pixels, and the published one, in nats."""
    nats = {
        "this machine, test images": f"{found.test.value:.2f} ({found.test.low:.2f} to {found.test.high:.2f})",
        "this machine, training images": f"{found.training:.2f}",
        "pixels apart from each other, test images": f"{found.independent:.2f}",
        "500 hidden units, CD-25 (published)": f"{PUBLISHED_LIKELIHOOD:.2f}",
    }
    return [{"what": what, "nats an image": figure} for what, figure in nats.items()]


def bound_rows(bounds: Mapping[str, float]) -> list[dict[str, str]]:
    """The lower bound on log p(test) of each network, in nats."""
    column = "log p(test) at least, nats an image"
    return [{"deep belief network": name, column: f"{bound:.2f}"} for name, bound in bounds.items()]


def draw_filters(rbm: "RBM") -> "Figure":
    """The weights of the first machine's hidden units to the pixels, the 60 largest."""
    from matplotlib import pyplot as plt

    weight = rbm.weight.detach().cpu()
    chosen = weight[weight.norm(dim=1).argsort(descending=True)[:60]].view(-1, 28, 28)
    largest = float(chosen.abs().flatten().quantile(0.995))
    figure, panels = plt.subplots(5, 12, figsize=(11, 5.2))
    for axes in panels.flat:
        axes.axis("off")
    for axes, filters in zip(panels.flat, chosen, strict=False):
        shown = axes.imshow(filters.numpy(), cmap="RdBu_r", vmin=-largest, vmax=largest)
    figure.colorbar(shown, ax=panels, label="weight of the pixel", extend="both")
    figure.suptitle(
        "What the hidden units of the first machine look for: those with the largest weights", fontweight="bold"
    )
    return figure


def draw_curves(scores: "LogLikelihood", config: "Config", run: kit.Run) -> "Figure":
    """Log-likelihood of the first machine, the dreaming chains' free energy, the errors while fine-tuning."""
    colours = kit.figures.COLOURS  # the project's style comes with them
    import numpy as np
    from matplotlib import pyplot as plt

    figure, (left, middle, right) = plt.subplots(1, 3, figsize=(13, 4.3))
    at, values = (np.asarray(each) for each in run.history("rbm/log_likelihood/test"))
    low_ends, high_ends = (run.history(f"rbm/log_likelihood/test_{end}")[1] for end in ("low", "high"))
    closed = np.asarray(high_ends) < 0  # 0, certainty, is no upper end
    if closed.any():
        band = {"color": colours[0], "alpha": 0.25, "label": "3 standard errors"}
        left.fill_between(at, low_ends, high_ends, where=closed, **band)
    left.plot(at, values, color=colours[0], marker="o", markersize=4, label="this machine, quick looks")
    if not closed.all():
        hollow = {"marker": "o", "markersize": 4, "linestyle": "", "markerfacecolor": "white", "color": colours[0]}
        left.plot(at[~closed], values[~closed], label="too few chains count for an upper end", **hollow)
    final, low, high = scores
    ends = [[final - low], [min(high, final + 3) - final]]  # a bar may have no upper end but 0
    style = {"fmt": "D", "markersize": 6, "capsize": 4, "label": f"long annealing: {final:.2f}"}
    left.errorbar(at[-1:], [final], yerr=ends, color=colours[1], **style)
    left.axhline(PUBLISHED_LIKELIHOOD, color=colours[6], linestyle=":", label="CD-25 (published)")
    left.set_ylim(min(low_ends) - 3, max(*values, PUBLISHED_LIKELIHOOD) + 3)
    left.set(title="First machine, test images", xlabel="update", ylabel="log-likelihood (nats an image)")
    middle.plot(*run.history("dreaming/free_energy"), color=colours[2])
    middle.set(title="Chains that dream", xlabel="sweep", ylabel="mean free energy (nats)")
    updates, errors = run.history(f"{PHASES[config.fine_tuning]}/error/test")
    right.plot(updates, errors, color=colours[1], marker="o", markersize=3, label=f"{errors[-1]:.2f} % at last")
    published, source = PUBLISHED_ERRORS[config.fine_tuning]
    right.axhline(published, color=colours[6], linestyle=":", label=f"{published:g} %: {source}")
    right.set(title=f"Fine-tuning ({config.fine_tuning}), test images", xlabel="update", yscale="log")
    right.set_ylabel("error (%)")
    right.set_yticks([tick for tick in ERROR_TICKS if tick < 2 * max(errors)], minor=False)
    right.set_yticks([], minor=True)
    right.yaxis.set_major_formatter("{x:g}")
    for axes in (left, right):
        axes.legend(fontsize=9, loc="upper center", bbox_to_anchor=(0.5, -0.16))
    return figure
