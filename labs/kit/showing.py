"""What a lab shows of its run: pictures, films, figures, tables, models, files."""

from __future__ import annotations  # as in `run`: naming torch's types must not import torch

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from labs.kit.gallery import Gallery

if TYPE_CHECKING:
    import numpy as np
    from matplotlib.figure import Figure
    from numpy.typing import NDArray
    from torch import Tensor, nn


class Showing:
    """The part of a run that shows; each thing lies in the run's folder, in the store, and most in the report."""

    gallery: Gallery
    step: int

    def _open(self) -> None:
        raise NotImplementedError

    def images(self, name: str, images: Tensor, *, columns: int = 8) -> None:
        """Show `images` (count, channels, height, width), values in [0, 1], as one grid of this step."""
        self._open()
        self.gallery.images(name, images, self.step, columns)

    def film(self, name: str) -> None:
        """Make a film of all grids that were shown as `name`."""
        self._open()
        self.gallery.film(name)

    def animation(self, name: str, frames: NDArray[np.uint8]) -> None:
        """Make a film of `frames` (count, height, width, 3), as an environment renders them."""
        self._open()
        self.gallery.animation(name, frames)

    def figure(self, name: str, figure: Figure) -> None:
        """Keep a matplotlib figure, and close it."""
        self._open()
        self.gallery.figure(name, figure)

    def table(self, name: str, rows: Sequence[Mapping[str, object]]) -> None:
        """Keep a table: a mapping a row, the same keys in each."""
        self._open()
        self.gallery.table(name, rows)

    def model(self, name: str, module: nn.Module, example: Tensor) -> None:
        """Keep a trained model: for `mlflow.pytorch.load_model`, and its bare weights as safetensors."""
        self._open()
        self.gallery.model(name, module, example)

    def file(self, name: str, write: Callable[[Path], object]) -> None:
        """Keep the file `name`, as `write` writes it: what a model needs beside its weights, a vocabulary say."""
        self._open()
        self.gallery.keep(name, write)
