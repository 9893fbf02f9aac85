"""What a run shows: pictures, films, tables, models. Each lies in the run's folder and goes to the store."""

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from foundations.errors import require

if TYPE_CHECKING:
    import numpy as np
    from matplotlib.figure import Figure
    from numpy.typing import NDArray
    from torch import Tensor, nn

    from labs.kit.tracking import Tracker


class Gallery:
    """The pictures and files of one run, in `folder` and in the store behind `tracker`."""

    def __init__(self, folder: Path, tracker: "Tracker", *, resumed: bool = False) -> None:
        self.folder, self._tracker, self._resumed = folder, tracker, resumed

    def images(self, name: str, images: "Tensor", step: int, columns: int) -> None:
        """One grid of `images` (count, channels, height, width), values in [0, 1], at `step`."""
        from labs.kit import figures

        picture = figures.grid(images, columns)
        file = self._file(f"images/{name}", f"{step:09d}.png")
        shown = self._resumed and file.exists()  # a resumed run passes the steps behind its checkpoint again
        if not shown:
            self._tracker.image(f"images/{name}", picture, step)  # first: a file that is there says that it was stored
        picture.save(file)

    def film(self, name: str) -> None:
        """An animated GIF of all grids of `name`, in the order of their steps."""
        from PIL import Image

        from labs.kit import figures

        frames = sorted((self.folder / "images" / name).glob("*.png"))
        require(bool(frames), "film", name, "the name of images shown before")
        file = self._file("films", f"{name}.gif")
        figures.film([Image.open(frame) for frame in frames], file)
        self._tracker.file(file, "films")

    def animation(self, name: str, frames: "NDArray[np.uint8]") -> None:
        """An animated GIF of `frames` (count, height, width, 3)."""
        from PIL import Image

        from labs.kit import figures

        wanted = "(count, height, width, 3), one frame at least"
        require(frames.ndim == 4 and frames.shape[3] == 3 and len(frames) > 0, "frames", frames.shape, wanted)
        file = self._file("films", f"{name}.gif")
        figures.film([Image.fromarray(frame) for frame in frames], file)
        self._tracker.file(file, "films")

    def figure(self, name: str, figure: "Figure") -> None:
        """A matplotlib figure as PNG."""
        from labs.kit import figures

        file = self._file("figures", f"{name}.png")
        figures.save(figure, file)
        self._tracker.file(file, "figures")

    def table(self, name: str, rows: Sequence[Mapping[str, object]]) -> None:
        """A table as JSON: `columns` and `data`, a list a row."""
        require(bool(rows), f"table {name!r}", rows, "at least one row")
        columns = list(rows[0])
        data = [[row[column] for column in columns] for row in rows]
        self._tracker.file(self._json("tables", f"{name}.json", {"columns": columns, "data": data}), "tables")

    def model(self, name: str, module: "nn.Module", example: "Tensor") -> None:
        """A trained model, in evaluation mode, with its signature; its weights alone as safetensors."""
        import torch
        from safetensors.torch import save_file

        was_training = module.training
        module.eval()
        try:
            with torch.inference_mode():
                output = module(example)
            self._tracker.model(name, module, example, output)
        finally:
            module.train(was_training)
        file = self._file("weights", f"{name}.safetensors")
        save_file({key: value.detach().cpu().contiguous() for key, value in module.state_dict().items()}, file)
        self._tracker.file(file, "weights")

    def keep(self, name: str, write: Callable[[Path], object]) -> None:
        """A file that `write` writes."""
        file = self._file("files", name)
        write(file)
        self._tracker.file(file, "files")

    def settings(self, settings: Mapping[str, Any]) -> None:
        """The run's settings as YAML: `--config` takes them back."""
        import yaml

        file = self._file("", "config.yaml")
        file.write_text(yaml.safe_dump(dict(settings), sort_keys=False))
        self._tracker.file(file)

    def text(self, name: str, text: str) -> None:
        """A plain text file."""
        file = self._file("", name)
        file.write_text(text)
        self._tracker.file(file)

    def report(self) -> None:
        """The page `report.html` of all that the folder holds."""
        from labs.kit import report

        file = self._file("", "report.html")
        file.write_text(report.page(self.folder), encoding="utf-8")
        self._tracker.file(file)

    def _json(self, place: str, name: str, content: object) -> Path:
        file = self._file(place, name)
        file.write_text(json.dumps(content, indent=1) + "\n")
        return file

    def _file(self, place: str, name: str) -> Path:
        folder = self.folder / place
        folder.mkdir(parents=True, exist_ok=True)
        return folder / name
