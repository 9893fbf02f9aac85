"""A lab's run without folder, store and console, for tests of single functions of a lab."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from foundations.learner import Learner, Metrics
from foundations.streams import Streams
from labs.kit.data import ImageData, SentenceData, TableData, load_images, load_sentences, load_table

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class Unwatched:
    """A lab's run that nobody watches: it keeps what it is told.

    Whatever images are asked for, it loads `data`: the embedded digits, with those fields replaced that are given.
    Kept by name are `curves` (steps and values logged), `values` (of the summary), `tables`, `figures` and `files`;
    in their order, `notes`.
    """

    streams, device = Streams(0), torch.device("cpu")

    def __init__(self, **changes: Any) -> None:
        self.step = 0
        self.notes: list[str] = []
        self.values: dict[str, float] = {}
        self.curves: dict[str, tuple[list[int], list[float]]] = {}
        self.tables: dict[str, Sequence[Mapping[str, object]]] = {}
        self.figures: dict[str, Figure] = {}
        self.files: dict[str, Callable[[Path], object]] = {}
        self._changes = changes

    @cached_property
    def data(self) -> ImageData:
        return replace(load_images("digits"), **self._changes)

    def load_images(self, spec: str) -> ImageData:
        return self.data

    def load_sentences(self, spec: str) -> SentenceData:
        return load_sentences(spec)

    def load_table(self, spec: str) -> TableData:
        return load_table(spec)

    def follow(
        self, learner: Learner, *, steps: int, examples_per_step: int = 1, name: str = "training"
    ) -> Iterator[tuple[int, Metrics]]:
        for self.step, metrics in zip(range(1, steps + 1), learner.learn(), strict=False):
            yield self.step, metrics

    def log(self, metrics: Metrics) -> None:
        for name, value in metrics.items():
            steps, values = self.curves.setdefault(name, ([], []))
            steps.append(self.step)
            values.append(float(value))

    def history(self, name: str) -> tuple[list[int], list[float]]:
        """The curve `name`. Raises: KeyError for one that was never logged, lest a misspelt name pass as empty."""
        return self.curves[name]

    def summary(self, values: Mapping[str, float]) -> None:
        self.values |= values

    def note(self, text: str) -> None:
        self.notes.append(text)

    def table(self, name: str, rows: Sequence[Mapping[str, object]]) -> None:
        self.tables[name] = rows

    def figure(self, name: str, figure: "Figure") -> None:
        """Keep a figure, drawn once: what cannot be drawn fails here."""
        from matplotlib import pyplot as plt

        figure.canvas.draw()
        plt.close(figure)
        self.figures[name] = figure

    def file(self, name: str, write: Callable[[Path], object]) -> None:
        self.files[name] = write
