"""The page `report.html`: one file, no outside links, no scripts, that tells the whole story of a run."""

import base64
import json
from collections.abc import Iterable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from labs.kit.charts import charts
from labs.kit.folder import RunFolder
from labs.kit.journal import Point

MIME = {".png": "image/png", ".gif": "image/gif"}
GRIDS_SHOWN = 6
GRID_BYTES = 1_500_000
"""What the grids of one name may weigh together; larger ones are shown at fewer steps."""


def page(folder: Path) -> str:
    """The page of the run in `folder`, as HTML."""
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("labs.kit"), autoescape=True, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters |= {"words": _words, "number": number, "setting": _setting}
    run = RunFolder(folder)
    record, points = run.record, run.points()
    return environment.get_template("report.html").render(
        record=record,
        heading=record["summary_line"] or record["lab"],
        started=_moment(record["started"]),
        tiles=_tiles(record, points),
        traceback=_text(folder / "traceback.txt") if record["ended"] == "failed" else "",
        grids=[_grids(each) for each in sorted(folder.glob("images/*")) if any(each.glob("*.png"))],
        figures=[_picture(file) for file in (*sorted(folder.glob("figures/*.png")), *_animations(folder))],
        resumable=record["ended"] is not None and any(folder.glob("checkpoint-*.pt")),
        tables=[{"name": file.stem, **json.loads(file.read_text())} for file in sorted(folder.glob("tables/*.json"))],
        charts=list(charts(points, record.get("phases", []))),
        metrics=_metrics(points),
    )


def _tiles(record: dict[str, Any], points: Iterable[Point]) -> list[tuple[str, str]]:
    """The figures that a reader wants first: (value, what it is)."""
    tiles = [(number(value), _words(name)) for name, value in record["summary"].items()]
    if record.get("step"):
        tiles.append((number(record["step"]), "steps"))
    tiles.append((_duration(record.get("seconds") or 0.0), "of training"))
    if rates := sorted(point.value for point in points if point.name.startswith("speed/")):
        tiles.append((number(float(f"{rates[len(rates) // 2]:.3g}")), "examples a second"))
    return tiles


def _metrics(points: Iterable[Point]) -> dict[str, Any]:
    """A table of every metric: its extremes, and where it ended."""
    series: dict[str, list[Point]] = {}
    for point in points:
        series.setdefault(point.name, []).append(point)
    rows = []
    for name, each in series.items():
        values, last = [point.value for point in each], max(each, key=lambda point: point.step)
        rows.append([name, min(values), max(values), last.value, last.step])
    return {"columns": ["metric", "smallest", "largest", "last", "at step"], "data": rows}


def _grids(folder: Path) -> dict[str, Any]:
    """The grids of one name: the first, the last and some between; their film in front, where there is one."""
    film = folder.parent.parent / "films" / f"{folder.name}.gif"
    films = [{**_picture(film), "title": "all steps, as a film"}] if film.exists() else []
    files, count = sorted(folder.glob("*.png")), GRIDS_SHOWN - len(films)
    while sum(file.stat().st_size for file in _spread(files, count)) > GRID_BYTES and count > 2:
        count -= 1
    return {"name": folder.name, "pictures": films + [_picture(file) for file in _spread(files, count)]}


def _animations(folder: Path) -> list[Path]:
    """The films that are not made of grids."""
    return [film for film in sorted(folder.glob("films/*.gif")) if not (folder / "images" / film.stem).exists()]


def _spread(files: Sequence[Path], count: int) -> list[Path]:
    """At most `count` of `files`, evenly spread, both ends included."""
    return [files[place] for place in sorted({round(i * (len(files) - 1) / (count - 1)) for i in range(count)})]


def _picture(file: Path) -> dict[str, str]:
    title = f"step {int(file.stem):,}" if file.stem.isdigit() else _words(file.stem)
    data = base64.b64encode(file.read_bytes()).decode()
    return {"title": title, "source": f"data:{MIME[file.suffix]};base64,{data}"}


def _text(file: Path) -> str:
    return file.read_text(encoding="utf-8") if file.exists() else ""


def _words(name: str) -> str:
    return name.replace("_", " ")


def _moment(text: str) -> str:
    moment = datetime.fromisoformat(text)
    return f"{moment.day} {moment:%B %Y, %H:%M} UTC"


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes}:{rest:02} min" if minutes else f"{seconds:.1f} s"


def number(value: object) -> str:
    """A value as a reader wants it: four digits that count, thousands apart."""
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:,.4g}" if abs(value) < 1000 else f"{value:,.0f}"
    return str(value)


def _setting(value: object) -> str:
    """A setting as the command line takes it."""
    if isinstance(value, list):
        return " ".join(map(str, value)) or "–"
    return "–" if value in (None, "") else str(value)
