"""What comes out of every explanation: weights by feature for each label, and how far to trust them."""

import html
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray

from foundations.errors import InputError, require

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from explain.blackbox import BlackBox
    from explain.surrogate import Surrogate

Array = NDArray[np.float64]

FOR, AGAINST = "#0072B2", "#E69F00"
"""Blue speaks for a label, orange against it (Okabe and Ito's colours)."""


@dataclass(frozen=True, eq=False)
class Explanation:
    """Why a black box answered as it did for one case, as weights of features near that case.

    Labels are the numbers of the outputs; `names` says what they are called. `features` are what the weights belong
    to, as the surrogate saw them; `values`, where given, what each was in the case, as text; `columns` the features'
    names that stay alike from case to case (a bin's column, say); `terms`, where given, the features' numbers in the
    case, else 1 each. The surrogate says `intercept + sum of weight x term` in the case, which is `local_predictions`,
    to be held against `predictions`; `r2` is its weighted R2.
    """

    kind: str
    features: tuple[str, ...]
    weights: Mapping[int, Array]
    intercepts: Mapping[int, float]
    predictions: Mapping[int, float]
    local_predictions: Mapping[int, float]
    r2: Mapping[int, float]
    names: Mapping[int, str]
    seed: int
    samples: int
    settings: Mapping[str, Any] = field(default_factory=dict)
    values: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()
    terms: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        count = len(self.features)
        require(len(self.weights) >= 1, "labels", [], "at least one")
        for label, weights in self.weights.items():
            require(weights.shape == (count,), f"weights of label {label}", weights.shape, f"({count},), one a feature")
            weights.setflags(write=False)
        for name, texts in (("values", self.values), ("columns", self.columns), ("terms", self.terms)):
            require(len(texts) in (0, count), f"number of {name}", len(texts), f"{count}, one a feature")
        for name in ("intercepts", "predictions", "local_predictions", "r2", "names"):
            given = getattr(self, name)
            require(given.keys() == self.weights.keys(), f"labels of {name}", sorted(given), f"{sorted(self.weights)}")

    @classmethod
    def of(
        cls,
        kind: str,
        features: Iterable[str],
        surrogate: "Surrogate",
        prediction: Array,
        black_box: "BlackBox",
        *,
        seed: int,
        samples: int,
        settings: Mapping[str, Any],
        values: Iterable[str] = (),
        columns: Iterable[str] = (),
        terms: Iterable[float] = (),
    ) -> Self:
        """The explanation that `surrogate` makes of the black box's `prediction` (outputs,) for the case."""
        labels = surrogate.weights
        return cls(
            kind,
            tuple(features),
            surrogate.weights,
            surrogate.intercepts,
            {label: float(prediction[label]) for label in labels},
            surrogate.local_predictions,
            surrogate.r2,
            {label: black_box.name_of(label, len(prediction)) for label in labels},
            seed,
            samples,
            dict(settings),
            tuple(values),
            tuple(columns),
            tuple(terms),
        )

    @property
    def labels(self) -> tuple[int, ...]:
        """The labels that are explained, the first the one that matters most."""
        return tuple(self.weights)

    def weights_of(self, label: int | None = None) -> Array:
        """The weights for `label`; None means the first label. Shape: (features,)."""
        return self.weights[self._label(label)]

    def r2_of(self, label: int | None = None) -> float:
        """The weighted R2 of the line for `label`; None means the first label."""
        return self.r2[self._label(label)]

    def contrast(self, other: int) -> Array:
        """How much more each feature speaks for the first label than for the `other`. Shape: (features,)."""
        return self.weights_of() - self.weights_of(other)

    def order(self, label: int | None = None) -> NDArray[np.int64]:
        """The features' numbers, largest |weight| first; None means the first label. Shape: (features,)."""
        return np.argsort(-np.abs(self.weights_of(label)), kind="stable")

    def top(self, label: int | None = None, count: int = 5) -> list[tuple[str, float]]:
        """The `count` features with the largest |weight|, largest first, with their weights; those of 0 left out."""
        weights = self.weights_of(label)
        return [(self.features[i], float(weights[i])) for i in self.order(label)[:count] if weights[i] != 0]

    def contributions(self, label: int | None = None) -> Array:
        """Weight x term of each feature: what it adds to the surrogate's answer in this case. Shape: (features,)."""
        weights = self.weights_of(label)
        return weights * np.array(self.terms) if self.terms else weights

    def to_dict(self) -> dict[str, Any]:
        """The explanation in plain JSON types; `from_dict` reads it back, exactly."""
        record = {each.name: getattr(self, each.name) for each in fields(self)}
        return {name: _plain(value) for name, value in record.items()}

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> Self:
        """The explanation that `to_dict` made `record` of. Raises: InputError where something is missing."""
        names = [each.name for each in fields(cls)]
        missing = [name for name in names if name not in record]
        if missing:
            raise InputError(f"explanation record: has no {missing[0]!r}; must have {', '.join(names)}")
        by_label = ("intercepts", "predictions", "local_predictions", "r2", "names")
        given = {name: record[name] for name in names}
        given |= {name: {int(label): each for label, each in record[name].items()} for name in by_label}
        given |= {name: tuple(record[name]) for name in ("features", "values", "columns", "terms")}
        weights = {int(label): np.asarray(each, dtype=np.float64) for label, each in record["weights"].items()}
        return cls(**{**given, "weights": weights})

    def to_frame(self) -> "pd.DataFrame":
        """One row a label and feature, in the order of |weight|: label, name, feature, value, weight, contribution."""
        import pandas as pd

        values = self.values or ("",) * len(self.features)
        rows = [
            (label, self.names[label], self.features[i], values[i], float(self.weights[label][i]), adds[i])
            for label in self.labels
            for adds in [self.contributions(label).tolist()]
            for i in self.order(label)
        ]
        return pd.DataFrame(rows, columns=["label", "name", "feature", "value", "weight", "contribution"])

    def figure(self, label: int | None = None, count: int = 10) -> "Figure":
        """Bars of the `count` largest contributions: blue raises the label's answer in this case, orange lowers it.

        Weights alone would mislead where features have values: a steep rise speaks against where the value is low.
        """
        from matplotlib.figure import Figure
        from matplotlib.ticker import MaxNLocator

        chosen = self._label(label)
        adds, shown = self._largest(chosen, count)
        places = range(len(shown))
        figure = Figure(figsize=(6.6, 1.3 + 0.32 * len(shown)), layout="constrained")
        axes = figure.subplots()
        axes.barh(places, adds[shown], color=[FOR if each >= 0 else AGAINST for each in adds[shown]], height=0.7)
        axes.set_yticks(places, [self.described(i) for i in shown], fontsize=9)
        axes.invert_yaxis()
        axes.axvline(0, color="black", linewidth=0.8)
        axes.xaxis.set_major_locator(MaxNLocator(6))
        axes.grid(axis="y", visible=False)
        axes.set_title(self.title(chosen), loc="left", fontsize=11)
        axes.set_xlabel(f"adds to {self.names[chosen]}: blue raises, orange lowers (R² {self.r2[chosen]:.2f})")
        return figure

    def _largest(self, label: int, count: int) -> tuple[Array, NDArray[np.int64]]:
        """All contributions, and the numbers of the `count` largest."""
        adds = self.contributions(label)
        return adds, np.argsort(-np.abs(adds), kind="stable")[:count]

    def described(self, feature: int) -> str:
        """The feature with its value in the case, where there is one."""
        value = self.values[feature] if self.values else ""
        return f"{self.features[feature]} = {value}" if value else self.features[feature]

    def title(self, label: int) -> str:
        """What is explained: the label and the black box's answer."""
        return f"{self.names[label]}: the model says {short_number(self.predictions[label])}"

    def html(self, count: int = 10) -> str:
        """A page of its own with bars for every label: a few kB, no scripts, nothing loaded."""
        parts = "".join(self._section(label, count) for label in self.labels)
        style = "body{font:14px sans-serif;margin:1.5em}td{padding:1px 6px}.f{text-align:right}.b{width:22em}"
        style += "div{height:1em}.n{text-align:right;font-variant-numeric:tabular-nums}p{color:#555}"
        title = html.escape(f"Explanation ({self.kind})")
        head = f'<meta charset="utf-8"><title>{title}</title><style>{style}</style>'
        foot = f"<p>{self.samples:,} samples, seed {self.seed}. Blue raises the answer, orange lowers it.</p>"
        return f'<!doctype html><html lang="en"><head>{head}</head><body>{parts}{foot}</body></html>'

    def _section(self, label: int, count: int) -> str:
        adds, shown = self._largest(label, count)
        largest = float(np.abs(adds).max()) or 1.0
        rows = "".join(self._row(i, float(adds[i]), largest) for i in shown)
        said = f"surrogate {short_number(self.local_predictions[label])}, R² {self.r2[label]:.2f}"
        return f"<h3>{html.escape(self.title(label))}</h3><p>{said}</p><table>{rows}</table>"

    def _row(self, feature: int, adds: float, largest: float) -> str:
        share, colour = 50 * abs(adds) / largest, FOR if adds >= 0 else AGAINST
        left = 50 if adds >= 0 else 50 - share
        bar = f'<div style="margin-left:{left:.1f}%;width:{share:.1f}%;background:{colour}"></div>'
        name = html.escape(self.described(feature))
        return f'<tr><td class="f">{name}</td><td class="b">{bar}</td><td class="n">{short_number(adds)}</td></tr>'

    def _label(self, label: int | None) -> int:
        chosen = self.labels[0] if label is None else label
        require(chosen in self.weights, "label", label, f"one of the explained labels {list(self.labels)}")
        return chosen


def short_number(number: float) -> str:
    """A number to be read: four digits that count, thousands apart: 0.8371, -12.5, 241,300."""
    return f"{number:,.0f}" if abs(number) >= 1000 else f"{number:.4g}"


def _plain(value: Any) -> Any:
    """`value` in types that JSON has. Raises: InputError for what JSON cannot hold."""
    if isinstance(value, Mapping):
        return {str(key): _plain(each) for key, each in value.items()}
    if isinstance(value, np.ndarray | np.generic):
        return _plain(value.tolist())
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    if isinstance(value, float):
        require(math.isfinite(value), "explanation value", value, "finite, to be kept as JSON")
    known = value is None or isinstance(value, bool | int | float | str)
    require(known, "explanation value", value, "a number, text, list or mapping, to be kept as JSON")
    return value
