"""The page `report.html`: one file, no outside links, that tells the whole story of a run."""

import base64
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from labs.kit.folder import RunFolder
from labs.kit.journal import Point, read_points

MIME = {".png": "image/png", ".gif": "image/gif"}
GRIDS_SHOWN = 6


def page(folder: Path) -> str:
    """The page of the run in `folder`."""
    import jinja2

    loader = jinja2.PackageLoader("labs.kit")
    template = jinja2.Environment(loader=loader, autoescape=True, trim_blocks=True).get_template("report.html")
    record = RunFolder(folder).record
    return template.render(
        record=record,
        heading=record["summary_line"] or record["lab"],
        seconds=_duration(record.get("seconds") or 0.0),
        curves=list(_curves(read_points(folder / "journal.jsonl"))),
        films=[_picture(file) for file in sorted(folder.glob("films/*.gif"))],
        grids=[_grids(each) for each in sorted((folder / "images").glob("*")) if any(each.iterdir())],
        figures=[_picture(file) for file in sorted(folder.glob("figures/*.png"))],
        tables=[(_title(file), json.loads(file.read_text())) for file in sorted(folder.glob("tables/*.json"))],
        rate=_rate(folder),
        number=_number,
    )


def _curves(points: list[Point]) -> Iterator[str]:
    """One picture for each group of metrics (the part of the name before the slash), as SVG text."""
    from matplotlib import pyplot as plt

    from labs.kit import figures

    groups: dict[str, dict[str, list[Point]]] = {}
    for point in points:
        group, _, rest = point.name.rpartition("/")
        if group not in ("final", "speed"):
            groups.setdefault(group or point.name, {}).setdefault(rest or point.name, []).append(point)
    for group, series in groups.items():
        sorted_series = {name: sorted(each, key=lambda point: point.step) for name, each in series.items()}
        split = _scales_differ(sorted_series)
        for part in [{name: each} for name, each in sorted_series.items()] if split else [sorted_series]:
            lines = {name: ([p.step for p in each], [p.value for p in each]) for name, each in part.items()}
            title = f"{group}: {next(iter(part))}".replace("_", " ") if split else group.replace("_", " ")
            figure = figures.curves(title, {name.replace("_", " "): line for name, line in lines.items()})
            text = io.StringIO()
            figure.savefig(text, format="svg", metadata={"Date": None})
            plt.close(figure)
            yield text.getvalue()[text.getvalue().index("<svg") :]


def _scales_differ(series: dict[str, list[Point]]) -> bool:
    """Whether one pair of axes would flatten a curve: the largest values lie more than tenfold apart."""
    heights = [max(abs(point.value) for point in each) or 1e-12 for each in series.values()]
    return max(heights) > 10 * min(heights)


def _grids(folder: Path) -> dict[str, Any]:
    """The grids of one name: the first, the last and some between."""
    files = sorted(folder.glob("*.png"))
    places = sorted({round(index * (len(files) - 1) / (GRIDS_SHOWN - 1)) for index in range(GRIDS_SHOWN)})
    return {"name": folder.name.replace("_", " "), "pictures": [_picture(files[place]) for place in places]}


def _picture(file: Path) -> dict[str, str]:
    data = base64.b64encode(file.read_bytes()).decode()
    step = f"step {int(file.stem):,}" if file.stem.isdigit() else _title(file)
    return {"title": step, "source": f"data:{MIME[file.suffix]};base64,{data}"}


def _title(file: Path) -> str:
    return file.stem.replace("_", " ")


def _rate(folder: Path) -> str:
    rates = [point.value for point in read_points(folder / "journal.jsonl") if point.name.startswith("speed/")]
    return f"{sorted(rates)[len(rates) // 2]:,.0f}" if rates else "not measured"


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes else f"{seconds:.1f} s"


def _number(value: object) -> str:
    if isinstance(value, float):
        return f"{value:,.4g}" if abs(value) < 1000 else f"{value:,.0f}"
    return str(value)
