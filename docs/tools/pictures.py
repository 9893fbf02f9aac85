"""Pictures small enough for a page: narrower, with fewer colours, and a film with fewer frames, until they fit."""

import io
from collections.abc import Iterator
from itertools import product
from pathlib import Path

from PIL import Image, ImageSequence

WIDTHS = (960, 840, 720, 600, 520, 440, 360, 300, 240)
COLOURS = (256, 96, 48)
FRAMES = (30, 20, 14, 10, 7)
LAST_MILLISECONDS = 2_000
"""How long a film rests on its end."""


def shrink(source: Path, target: Path, *, limit: int) -> None:
    """Write `source` to `target` with its suffix, in at most `limit` bytes and as large as that allows.

    Raises: ValueError where not even the smallest size fits.
    """
    tries = films(source) if source.suffix == ".gif" else stills(source)
    content = next((each for each in tries if len(each) <= limit), None)
    if content is None:
        raise ValueError(f"{source}: no size fits into {limit} bytes")
    target.parent.mkdir(parents=True, exist_ok=True)
    for suffix in (".png", ".gif"):
        target.with_suffix(suffix).unlink(missing_ok=True)
    target.with_suffix(source.suffix).write_bytes(content)


def stills(source: Path) -> Iterator[bytes]:
    """The picture in ever smaller sizes."""
    picture = Image.open(source).convert("RGB")
    for width, colours in product(WIDTHS, COLOURS):
        if width <= picture.width or width == WIDTHS[-1] or picture.width < WIDTHS[-1]:
            written = io.BytesIO()
            limited(narrowed(picture, width), colours).save(written, "PNG", optimize=True)
            yield written.getvalue()


def films(source: Path) -> Iterator[bytes]:
    """The film in ever smaller sizes, at its own pace."""
    film = Image.open(source)
    frames = [(frame.convert("RGB"), frame.info.get("duration", 100)) for frame in ImageSequence.Iterator(film)]
    whole = sum(milliseconds for _, milliseconds in frames)
    for width, count in product([min(film.width, width) for width in (360, 300, 240, 200, 160)], FRAMES):
        chosen = [frames[place][0] for place in spread(len(frames), count)]
        small = [limited(narrowed(frame, width), 32) for frame in chosen]
        pace = [min(400, round(whole / len(small)))] * (len(small) - 1) + [LAST_MILLISECONDS]
        written = io.BytesIO()
        small[0].save(written, "GIF", save_all=True, append_images=small[1:], duration=pace, loop=0, optimize=True)
        yield written.getvalue()


def limited(picture: Image.Image, colours: int) -> Image.Image:
    """The picture in so many colours; a thin line in a colour of its own keeps it."""
    return picture.quantize(colours, method=Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE)


def narrowed(picture: Image.Image, width: int) -> Image.Image:
    """The picture, no wider than `width`."""
    if picture.width <= width:
        return picture
    return picture.resize((width, round(picture.height * width / picture.width)), Image.Resampling.LANCZOS)


def spread(length: int, count: int) -> list[int]:
    """At most `count` places from 0 to `length` - 1, both ends included."""
    steps = max(1, min(length, count) - 1)
    return sorted({round(step * (length - 1) / steps) for step in range(steps + 1)})
