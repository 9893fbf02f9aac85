"""A text with its words in colour: blue ones speak for the label, orange ones against it."""

import html
from collections.abc import Iterator
from typing import TYPE_CHECKING, cast

import numpy as np
from numpy.typing import NDArray

from explain.explanation import AGAINST, FOR, Explanation, short_number
from explain.text import TextParts, Unit
from foundations.errors import require

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Array = NDArray[np.float64]
COLUMNS = 84
"""Letters in a line."""
STRONGEST = 0.75
"""How deep the colour of the largest weight is, from 0, white, to 1."""
FAINT = 0.04
"""What is paler than this is left white."""


def highlight(explanation: Explanation, label: int | None = None, *, columns: int = COLUMNS) -> "Figure":
    """A figure of the text, `columns` letters a line, each word on the colour of its weight for `label`."""
    from matplotlib.figure import Figure

    lines = len(_broken(_coloured(explanation, label, None), columns))
    figure = Figure(figsize=(0.4 + 0.084 * columns, 0.8 + 0.26 * lines), layout="constrained")
    axes = figure.subplots()
    draw_words(axes, explanation, label, columns=columns)
    chosen = explanation.labels[0] if label is None else label
    shown = f"{explanation.title(chosen)}; blue words raise it, orange ones lower it (R² {explanation.r2[chosen]:.2f})"
    axes.set_title(shown, loc="left", fontsize=11)
    return figure


def draw_words(
    axes: "Axes",
    explanation: Explanation,
    label: int | None = None,
    *,
    columns: int = COLUMNS,
    top: float = 0,
    limit: float | None = None,
    size: float = 9.5,
) -> float:
    """Write the text into `axes` from line `top` downwards, its words on their colours; gives the next free line.

    Axes are turned off; x counts letters from 0 to `columns`, y lines. `limit`: the weight of the deepest colour, None
    for the text's largest.
    """
    lines = _broken(_coloured(explanation, label, limit), columns)
    for number, line in enumerate(lines):
        at = 0
        for piece, shade in line:
            if abs(shade) > FAINT:
                style = {"facecolor": _mixed(shade), "edgecolor": "none", "pad": 1.5}
                axes.text(at, top + number, piece, family="monospace", fontsize=size, va="center", bbox=style)
            elif piece.strip():
                axes.text(at, top + number, piece, family="monospace", fontsize=size, va="center")
            at += len(piece)
    axes.set(xlim=(-1, columns), ylim=(top + len(lines) - 0.3, -0.7))
    axes.axis("off")
    return top + len(lines)


def highlighted_html(*explanations: Explanation) -> str:
    """A page of its own: texts in colour for every label, and the weight of a word where the pointer rests on it."""
    require(len(explanations) >= 1, "explanations", 0, "at least 1")
    parts = "".join(_section(each, label) for each in explanations for label in each.labels)
    style = "body{font:15px/1.9 sans-serif;margin:1.5em;max-width:50em}span{padding:1px 2px;border-radius:3px}"
    head = f'<meta charset="utf-8"><title>Words in colour</title><style>{style}p{{white-space:pre-wrap}}</style>'
    drawn = f"{explanations[0].samples:,} samples, seed {explanations[0].seed}"
    foot = f"<p>{drawn}. Blue raises the answer, orange lowers it.</p>"
    return f'<!doctype html><html lang="en"><head>{head}</head><body>{parts}{foot}</body></html>'


def _section(explanation: Explanation, label: int) -> str:
    said = f"surrogate {short_number(explanation.local_predictions[label])}, R² {explanation.r2[label]:.2f}"
    pieces = _coloured(explanation, label, None)
    weights = (weight for _, weight in _weighted(explanation, label))
    text = "".join(
        f'<span style="background:{_mixed(shade)}" title="{weight:+.3g}">{html.escape(piece)}</span>'
        if abs(shade) > FAINT
        else html.escape(piece)
        for (piece, shade), weight in zip(pieces, weights, strict=True)
    )
    return f"<h3>{html.escape(explanation.title(label))} <small>({said})</small></h3><p>{text}</p>"


def _weighted(explanation: Explanation, label: int | None) -> Iterator[tuple[str, float]]:
    """The pieces of the text, each with its weight, 0 for what is no word."""
    known = explanation.kind == "text"
    require(known, "explanation", explanation.kind, "one of a text, by explain_text")
    settings = explanation.settings
    parts = TextParts.of(settings["text"], cast(Unit, settings["unit"]), settings["mask"])
    weights = [*explanation.weights_of(label).tolist(), 0.0]
    return ((piece, weights[owner]) for piece, owner in zip(parts.pieces, parts.owners, strict=True))


def _coloured(explanation: Explanation, label: int | None, limit: float | None) -> list[tuple[str, float]]:
    """The pieces with their shades from -1 to 1."""
    pieces = list(_weighted(explanation, label))
    largest = limit or max(abs(weight) for _, weight in pieces) or 1.0
    return [(piece, float(np.clip(weight / largest, -1, 1))) for piece, weight in pieces]


def _broken(pieces: list[tuple[str, float]], columns: int) -> list[list[tuple[str, float]]]:
    """In lines of at most so many letters, broken before a word that would reach beyond, and where the text does."""
    require(columns >= 1, "columns", columns, "at least 1")
    lines: list[list[tuple[str, float]]] = [[]]
    used = 0
    for piece, shade in pieces:
        for part in _cut(piece, columns):
            if part == "\n" or (used + len(part) > columns and used):
                lines.append([])
                used = 0
            part = part if used else part.lstrip()
            if part:
                lines[-1].append((part, shade))
                used += len(part)
    return lines


def _cut(piece: str, columns: int) -> list[str]:
    """A piece in parts that fit a line; ends of lines apart."""
    parts = []
    for number, line in enumerate(piece.split("\n")):
        parts += ["\n"] * (number > 0) + [line[at : at + columns] for at in range(0, len(line), columns)]
    return parts


def _mixed(shade: float) -> str:
    """White mixed with blue or orange, as #rrggbb."""
    colour, depth = FOR if shade >= 0 else AGAINST, STRONGEST * abs(shade)
    channels = [int(colour[at : at + 2], 16) for at in (1, 3, 5)]
    return "#" + "".join(f"{round(255 - depth * (255 - channel)):02x}" for channel in channels)
