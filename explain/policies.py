"""LIME for policies: which parts of what an agent sees drive its action, in one state and along an episode."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from explain.background import Background
from explain.blackbox import BlackBox
from explain.explanation import Explanation
from explain.tabular import explain_row, explain_rows
from foundations.errors import require

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

Array = NDArray[np.float64]
COLOURS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#000000")
"""Okabe and Ito's colours, a line each; there are dashes where there are more lines."""


def explain_action(
    black_box: BlackBox,
    observation: Any,
    background: Any,
    *,
    names: Sequence[str] | None = None,
    around_case: bool = False,
    samples: int = 5000,
    count: int | None = None,
    kernel_width: float | None = None,
    seed: int,
) -> Explanation:
    """The weights of an observation's numbers for each action, the preferred action first, by LIME.

    `black_box` maps observations (n, columns) to the probabilities of the actions (n, actions), or, with
    outputs="values", to their Q-values. `background`: states that the policy meets, from rollouts, (n, columns) or a
    `Background`: they say what is typical, how far each number strays, and hence what a weight is per: a standard
    deviation of its column. Equal to `explain_row`, with every action as a label.

    Q-values share what the state itself is worth, whatever is done; to see what drives the choice alone, explain
    Q(s, a) - max over other a' of Q(s, a'), or a softmax of Q.
    Raises: InputError as `explain_row`. Source: Ribeiro et al. 2016, arXiv:1602.04938.
    """
    require(isinstance(black_box, BlackBox), "black_box", type(black_box).__name__, "an explain.BlackBox(policy)")
    known = _states(background, names)
    case = _observation(observation, known)
    ranked = np.argsort(-black_box(known.decode(known.encode(case[None])))[0], kind="stable").tolist()
    settings: dict[str, Any] = {"samples": samples, "count": count, "kernel_width": kernel_width, "seed": seed}
    found = explain_row(black_box, case, known, around_case=around_case, labels=ranked, **settings)
    return replace(found, kind="action")


def explain_episode(
    black_box: BlackBox,
    observations: Any,
    background: Any,
    *,
    label: int,
    names: Sequence[str] | None = None,
    around_case: bool = False,
    samples: int = 5000,
    kernel_width: float | None = None,
    seed: int,
) -> "EpisodeExplanation":
    """What drives the action `label` at each of an episode's `observations` (steps, columns), in their order.

    As `explain_action` for each step with the same seed, hence the same random states: what changes from step to step
    is the state, not the draw.
    Raises: InputError as `explain_row`.
    """
    require(isinstance(black_box, BlackBox), "black_box", type(black_box).__name__, "an explain.BlackBox(policy)")
    known = _states(background, names)
    rows = np.asarray(observations, np.float64)
    width = len(known.names)
    fits = rows.ndim == 2 and rows.shape[1] == width and len(rows) >= 1
    require(fits, "observations shape", rows.shape, f"(steps, {width}), at least one step")
    settings: dict[str, Any] = {"samples": samples, "count": None, "kernel_width": kernel_width, "seed": seed}
    found = explain_rows(black_box, rows, known, around_case=around_case, labels=[label], **settings)
    return EpisodeExplanation(label, known.names, rows, tuple(replace(each, kind="action") for each in found))


@dataclass(frozen=True, eq=False)
class EpisodeExplanation:
    """The explanations of one action along an episode, as time series.

    Shapes: `observations`, `weights` and `contributions` (steps, columns); `predictions`, `local_predictions` and `r2`
    (steps). A contribution is the weight times how far, in standard deviations, the number lies from its mean: what it
    adds to the answer here.
    """

    label: int
    names: tuple[str, ...]
    observations: Array
    explanations: tuple[Explanation, ...]

    @property
    def weights(self) -> Array:
        """How steeply the answer rises with each number, per standard deviation."""
        return np.stack([each.weights[self.label] for each in self.explanations])

    @property
    def contributions(self) -> Array:
        """What each number adds to the answer, against the mean state."""
        return np.stack([each.contributions(self.label) for each in self.explanations])

    @property
    def predictions(self) -> Array:
        """What the policy says."""
        return np.array([each.predictions[self.label] for each in self.explanations])

    @property
    def local_predictions(self) -> Array:
        """What the surrogates say."""
        return np.array([each.local_predictions[self.label] for each in self.explanations])

    @property
    def r2(self) -> Array:
        """The weighted R2 of the surrogates."""
        return np.array([each.r2[self.label] for each in self.explanations])

    def notable(self, threshold: float = 0.5) -> dict[str, int]:
        """The numbers of five steps to look at: the two lowest answers, the one nearest `threshold`, the two highest.

        At the threshold the verdict turns: there the policy is least sure.
        """
        order = np.argsort(self.predictions, kind="stable").tolist()
        nearest = int(np.abs(self.predictions - threshold).argmin())
        places = (order[0], order[1 % len(order)], nearest, order[-2 % len(order)], order[-1])
        names = ("lowest answer", "second lowest", "least sure", "second highest", "highest answer")
        return dict(zip(names, places, strict=True))

    def row(self, step: int) -> dict[str, object]:
        """A step as a line of a table: the answer, each number and what it adds, R2."""
        row: dict[str, object] = {"policy": round(float(self.predictions[step]), 4)}
        adds = self.explanations[step].contributions(self.label)
        for name, seen, added in zip(self.names, self.observations[step], adds, strict=True):
            row[name] = f"{seen:.3g} adds {added:+.3g}"
        return {**row, "R2": round(float(self.r2[step]), 3)}

    def to_frame(self) -> "pd.DataFrame":
        """One row a step and column: step, feature, observation, weight, contribution, prediction, r2."""
        import pandas as pd

        steps, width = self.observations.shape
        return pd.DataFrame(
            {
                "step": np.repeat(np.arange(steps), width),
                "feature": list(self.names) * steps,
                "observation": self.observations.ravel(),
                "weight": self.weights.ravel(),
                "contribution": self.contributions.ravel(),
                "prediction": np.repeat(self.predictions, width),
                "r2": np.repeat(self.r2, width),
            }
        )

    def figure(self) -> "Figure":
        """Above what the policy and the surrogates say at each step, below what each number adds."""
        from matplotlib.figure import Figure

        name = self.explanations[0].names[self.label]
        figure = Figure(figsize=(8.5, 5.4), layout="constrained")
        above, below = figure.subplots(2, 1, sharex=True, height_ratios=(1, 1.6))
        above.plot(self.predictions, color="black", linewidth=1.4, label="policy")
        style = {"color": "0.55", "linewidth": 1.2, "linestyle": "--"}
        above.plot(self.local_predictions, label=f"surrogates (median R² {np.median(self.r2):.2f})", **style)
        above.set_title(f"{name}: what the policy says along the episode", loc="left", fontsize=11)
        above.set_ylabel(name)
        for place, (column, adds) in enumerate(zip(self.names, self.contributions.T, strict=True)):
            line = ("-", "--", ":")[place // len(COLOURS) % 3]
            below.plot(adds, color=COLOURS[place % len(COLOURS)], linestyle=line, linewidth=1.5, label=column)
        below.axhline(0, color="black", linewidth=0.8)
        below.set_title("What each number adds, against the mean state", loc="left", fontsize=11)
        below.set(xlabel="step of the episode", ylabel=f"adds to {name}")
        for axes in (above, below):
            axes.grid(alpha=0.25)
            axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), frameon=False, fontsize=9)
        return figure


def _states(background: Any, names: Sequence[str] | None) -> Background:
    """States as a background. Raises: InputError for what are no rows of numbers."""
    if isinstance(background, Background):
        return Background.of(background, names=names)
    states = np.asarray(background)
    require(states.ndim == 2, "background shape", states.shape, "(states, numbers); images are for explain_image")
    return Background(states, names=names)


def _observation(observation: Any, known: Background) -> Array:
    case = np.asarray(observation, np.float64)
    width = (len(known.names),)
    require(case.shape == width, "observation shape", case.shape, f"{width}, one state like those of the background")
    return case
