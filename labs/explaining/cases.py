"""What a finished run's model can be asked about: a text, an image or a row, by the shape of what it reads."""

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

import explain
import foundations
from explain import BlackBox, Explanation
from explain.highlights import highlight, highlighted_html
from explain.overlays import overlay
from foundations.errors import InputError, require
from labs.kit.models import Kept

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Array = NDArray[np.float64]
VOCABULARY = "vocabulary.json"
BACKGROUND = "background.csv"
DIGIT = 28
"""A row of 28 x 28 numbers is an image."""
CELLS = 7
SMALL = 64
"""Images of at most so many pixels a side are cut into a grid; larger ones into superpixels."""
SUPERPIXELS = 60
VALUED = ("dqn", "encoder")
"""Ends of the names of models that answer with values: those of actions, and the codes of a VAE's encoder."""
PUSHES = {"cartpole": ("P(left)", "P(right)"), "explain_policy": ("P(left)", "P(right)")}
"""What the answers are called, by lab."""


@dataclass(frozen=True)
class Asked:
    """A case and its model, ready: how the answers are read, what explains them (samples, seed), how it is shown."""

    read_as: str
    explain: Callable[[int, int], Explanation]
    picture: "Callable[[Explanation], Figure]" = lambda found: found.figure()
    page: Callable[[Explanation], str] = lambda found: found.html()


def ask(kept: Kept, given: str, outputs: str, background: Path | None) -> Asked:
    """The case `given` on the command line, for the model that the run kept.

    Raises: InputError where the case does not fit the model, or the model answers with what is no row of numbers.
    """
    sizes = kept.shape[1:]
    is_text = (kept.run.path / "files" / VOCABULARY).is_file() and len(sizes) == 1
    is_image = len(sizes) == 3 or sizes == (DIGIT * DIGIT,)
    rows_only = background is None or not (is_text or is_image)
    require(rows_only, "--background", str(background), "left out: only models of rows are held against typical ones")
    if is_text:
        return _ask_text(kept, given, outputs)
    if is_image:
        return _ask_image(kept, given, outputs)
    readable = len(sizes) == 1 and sizes[0] >= 1
    require(readable, "model input", kept.shape, "texts, images (n, channels, height, width) or rows (n, columns)")
    return _ask_row(kept, given, outputs, background)


def _box(
    kept: Kept, outputs: str, example: Tensor, read: Callable[[Any], Tensor] | None = None, names: tuple[str, ...] = ()
) -> tuple[BlackBox, str]:
    """The model as a black box, and in words how its answers are read. `read` makes of a batch what the model reads."""
    module = kept.module
    with torch.inference_mode():
        answers = module(example)
    plain = isinstance(answers, Tensor) and answers.ndim == 2
    shape = tuple(answers.shape) if isinstance(answers, Tensor) else type(answers).__name__
    require(plain, "model answer shape", shape, "(n, outputs): a classifier's, a policy's or one of values")
    kind = _kind(answers, kept.name) if outputs == "auto" else outputs
    softmax: list[nn.Module] = [foundations.Softmax(dim=1)] if kind == "logits" else []
    words = {"logits": "logits, turned into probabilities", "probabilities": "probabilities", "values": "values"}
    box = BlackBox(
        nn.Sequential(module, *softmax),
        outputs="values" if kind == "values" else "probabilities",
        batch_size=256,
        names=names if len(names) == answers.shape[1] else (),
        prepare=read,
    )
    return box, f"answers read as {words[kind]}"


def _kind(answers: Tensor, name: str) -> str:
    """What the answers look like."""
    sums = answers.sum(dim=1)
    if answers.min() >= 0 and torch.allclose(sums, torch.ones_like(sums), atol=1e-3):
        return "probabilities"
    return "values" if answers.shape[1] == 1 or name.endswith(VALUED) else "logits"


def _ask_text(kept: Kept, text: str, outputs: str) -> Asked:
    from foundations.text import Vocabulary
    from labs.kit.data import load_sentences

    read = explain.read_words(Vocabulary.load(kept.file(VOCABULARY)))
    names: tuple[str, ...] = ()
    with suppress(InputError):  # without the data, classes have numbers
        names = load_sentences(str(kept.run.record["config"].get("data"))).class_names
    box, read_as = _box(kept, outputs, read([text or " "]), read, names)
    return Asked(
        read_as,
        lambda samples, seed: explain.explain_text(box, text, samples=samples, seed=seed),
        highlight,
        lambda found: highlighted_html(found),
    )


def _ask_image(kept: Kept, given: str, outputs: str) -> Asked:
    flat = len(kept.shape) == 2
    channels, height, width = (1, DIGIT, DIGIT) if flat else kept.shape[1:]
    image, names = _image(kept, given, channels, height, width)

    def read(batch: Any) -> Tensor:
        tensor = torch.as_tensor(np.asarray(batch), dtype=torch.float32)
        return tensor.flatten(1) if flat else tensor

    small = max(height, width) <= SMALL
    segments = (
        explain.grid(height, width, min(CELLS, height, width))
        if small
        else explain.slic(image, SUPERPIXELS, layout="CHW")
    )
    settings: dict[str, Any] = {"layout": "CHW", "segments": segments}
    if not flat and all(hasattr(kept.module, way) for way in ("encode", "decode")):
        return _ask_anomaly(kept, read(image), outputs, settings)
    box, read_as = _box(kept, outputs, read(image[None]), read, names)
    return Asked(
        read_as,
        lambda samples, seed: explain.explain_image(box, image, fill=0, samples=samples, seed=seed, **settings),
        lambda found: overlay(found, image, **settings),
    )


def _ask_anomaly(kept: Kept, image: Tensor, outputs: str, settings: Mapping[str, Any]) -> Asked:
    """An autoencoder, asked why the image is odd to it: which cells it cannot make again."""
    from generative.codes import Coder, anomaly_scores

    require(
        outputs in ("auto", "values"), "--outputs", outputs, "auto or values for an autoencoder: its answer is a score"
    )
    coder = cast(Coder, kept.module)

    def score(batch: Tensor) -> Tensor:
        return anomaly_scores(coder, batch)

    def explained(samples: int, seed: int) -> Explanation:
        given: dict[str, Any] = {"fill": 0, "samples": samples, "seed": seed, "names": ["anomaly score"], **settings}
        return explain.explain_score(score, image, **given)

    shown = image.numpy().astype(np.float64)
    return Asked(
        "the anomaly score, the squared error a pixel", explained, lambda found: overlay(found, shown, **settings)
    )


def _image(kept: Kept, given: str, channels: int, height: int, width: int) -> tuple[Array, tuple[str, ...]]:
    """The image (channels, height, width) in [0, 1], and the names of its data's classes where they are known."""
    kind, _, number = given.partition(":")
    if kind == "test" and number.isdigit():
        from labs.kit.data import load_images

        data = load_images(str(kept.run.record["config"].get("data", "mnist")))
        require(int(number) < len(data.test_images), "--input", given, f"test:0 to test:{len(data.test_images) - 1}")
        pixels, names = data.test_images[int(number)].numpy(), tuple(data.class_names)
    else:
        pixels, names = _picture(given, channels), ()
    wanted = (channels, height, width)
    require(pixels.shape == wanted, "image shape", pixels.shape, f"{wanted}, channels x height x width, for this model")
    return pixels / 255.0, names


def _picture(given: str, channels: int) -> NDArray[np.uint8]:
    from PIL import Image, UnidentifiedImageError

    require(channels in (1, 3), "channels", channels, "1 or 3 for a picture's path; else test:N")
    try:
        pixels = np.asarray(Image.open(given).convert("L" if channels == 1 else "RGB"))
    except (OSError, UnidentifiedImageError):
        raise InputError(f"--input {given!r}: is no picture that can be read; give its path, or test:N") from None
    return pixels[None] if channels == 1 else pixels.transpose(2, 0, 1)


def _ask_row(kept: Kept, given: str, outputs: str, file: Path | None) -> Asked:
    width = kept.shape[1]
    try:
        row = np.array([float(number) for number in given.split(",")])
    except ValueError:
        raise InputError(f"--input {given!r}: must be {width} numbers with commas between, as 0.1,-2,3") from None
    require(row.shape == (width,), "--input", f"{len(row)} numbers", f"{width} numbers, what the model reads")
    example, names = torch.as_tensor(row[None], dtype=torch.float32), PUSHES.get(kept.lab, ())
    box, read_as = _box(kept, outputs, example, names=names)
    background = _background(kept, file)

    def explained(samples: int, seed: int) -> Explanation:
        settings: dict[str, Any] = {"samples": samples, "seed": seed, "count": None}
        return explain.explain_row(box, row, background, around_case=True, **settings)

    return Asked(read_as, explained)


def _background(kept: Kept, file: Path | None) -> "explain.Background":
    """Typical rows: from the file, else those that the run kept, else of CartPole those that the policy meets."""
    own = kept.run.path / "files" / BACKGROUND
    if file is None and not own.is_file():
        if kept.lab == "cartpole":
            from labs.drawings.explain_policy import NAMES
            from labs.explain_policy import gather, policy_of

            return explain.Background(gather(policy_of(kept), foundations.Streams(0)), names=NAMES)
        raise InputError(f"run {kept.run.record['name']!r}: kept no typical rows; give some: --background FILE.csv")
    return _read_rows(own if file is None else file, kept.shape[1])


def _read_rows(file: Path, width: int) -> "explain.Background":
    import pandas as pd

    try:
        table = pd.read_csv(file)
    except (OSError, ValueError) as error:
        raise InputError(f"--background {file}: cannot be read ({str(error).splitlines()[0]})") from None
    require(table.shape[1] == width, f"columns of {file}", table.shape[1], f"{width}, what the model reads")
    return explain.Background(table.to_numpy(), names=[str(name) for name in table.columns])
