"""The page is built from a run's folder alone: these tests write such folders by hand."""

import json
import re
from collections.abc import Callable, Sequence
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from labs.kit import report
from labs.kit.charts import charts, comparable, grouped
from labs.kit.journal import Point

RECORD: dict[str, Any] = {
    "id": "0123456789abcdef",
    "name": "brave-owl-7",
    "lab": "toy_lab",
    "summary_line": "Train on <b>digits</b> & see",
    "started": "2026-03-04T09:05:00+00:00",
    "ended": "finished",
    "error": None,
    "command": "python -m labs.toy_lab --seed 3",
    "config": {"preset": "quick", "seed": 3, "learning_rate": 0.05, "tag": []},
    "summary": {"inception_score": 8.93},
    "notes": [],
    "data": {},
    "environment": {"torch": "2.13.0"},
    "git": {},
    "step": 12_000,
    "seconds": 83.0,
    "digest": "ab12",
    "values_seen": 4_200,
}


class Tags(HTMLParser):
    """Collects the tags of a page, and checks that each is closed."""

    void = frozenset({"meta", "img", "br", "hr", "link", "input"})

    def __init__(self, html: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self.open: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.found.append(tag)
        if tag not in self.void:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.found.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


@pytest.fixture
def page(tmp_path: Path) -> Callable[..., str]:
    """Writes a run's folder with some changes to the record and some points, and gives its page."""

    def write(points: Sequence[Point] = (), **changes: Any) -> str:
        (tmp_path / "record.json").write_text(json.dumps({**RECORD, **changes}))
        (tmp_path / "journal.jsonl").write_text("".join(json.dumps(point) + "\n" for point in points))
        return report.page(tmp_path)

    return write


def curve(name: str, height: float = 1.0, steps: int = 10) -> list[Point]:
    return [Point(name, height * (1 + 0.1 * (step % 3)), step, 0) for step in range(1, steps + 1)]


def grid(folder: Path, step: int, size: int = 8, *, noisy: bool = False) -> None:
    pixels = np.random.default_rng(step).integers(0, 256, (size, size, 3), dtype=np.uint8)
    (folder / "images/samples").mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels if noisy else pixels * 0).save(folder / f"images/samples/{step:09d}.png")


def test_the_page_needs_nothing_from_outside_and_no_scripts(page: Callable[..., str], tmp_path: Path) -> None:
    grid(tmp_path, 1)
    html = page([*curve("loss/generator"), *curve("loss/discriminator")])
    assert "script" not in Tags(html).found
    assert not re.findall(r"""(?:src|href)=["'](?!data:|#)""", html)
    assert not re.findall(r"url\((?!#)|@import", html)


def test_every_tag_of_the_page_is_closed(page: Callable[..., str], tmp_path: Path) -> None:
    grid(tmp_path, 1)
    tags = Tags(page(curve("loss"), notes=["small digits"], ended="failed", error="broke"))
    assert tags.open == []


def test_the_first_lines_say_which_run_it_was_and_how_it_ended(page: Callable[..., str]) -> None:
    top = page().partition("</header>")[0]
    for words in ("<h1>", "brave-owl-7", "toy_lab", "quick", "4 March 2026, 09:05 UTC", "finished"):
        assert words in top


def test_text_of_the_run_is_escaped(page: Callable[..., str]) -> None:
    assert "Train on &lt;b&gt;digits&lt;/b&gt; &amp; see" in page()


def test_the_tiles_show_summary_steps_and_time(page: Callable[..., str]) -> None:
    html = page([Point("speed/examples_per_second", 39_254.2, 10, 0)])
    tiles = re.findall(r"<div><b>(.+?)</b><span>(.+?)</span></div>", html)
    expected = [("8.93", "inception score"), ("12,000", "steps"), ("1:23 min", "of training")]
    assert tiles == [*expected, ("39,300", "examples a second")]


def test_notes_stand_before_the_figures(page: Callable[..., str]) -> None:
    html = page(notes=["the digits are small ones"])
    assert 0 < html.index("the digits are small ones") < html.index('class="tiles"')


def test_a_failed_run_shows_its_error_and_where_it_happened(page: Callable[..., str], tmp_path: Path) -> None:
    (tmp_path / "traceback.txt").write_text("Traceback: line 86 in main")
    html = page(ended="failed", error="shapes cannot be multiplied", summary={})
    assert "shapes cannot be multiplied" in html
    assert "line 86 in main" in html


@pytest.mark.parametrize(("ended", "word"), [("finished", "replay"), ("failed", "resume"), ("killed", "resume")])
def test_the_page_says_the_command_that_fits_the_end(
    page: Callable[..., str], tmp_path: Path, ended: str, word: str
) -> None:
    (tmp_path / "checkpoint-training.pt").touch()
    commands = re.findall(r"python -m labs (replay|resume) 01234567", page(ended=ended))
    assert commands == [word]


def test_a_run_that_failed_before_its_first_checkpoint_is_not_said_to_be_resumable(page: Callable[..., str]) -> None:
    assert "python -m labs resume" not in page(ended="failed")


def test_uncommitted_changes_are_told(page: Callable[..., str]) -> None:
    assert "git checkout c0ffee   # there were changes" in page(git={"git_commit": "c0ffee", "git_dirty": "true"})


def test_a_run_without_pictures_or_data_has_no_empty_sections(page: Callable[..., str]) -> None:
    headings = re.findall(r"<h2>(.+?)</h2>", page())
    assert headings == ["How to run it again", "Settings", "Environment"]


def test_of_many_grids_the_first_the_last_and_some_between_are_shown(page: Callable[..., str], tmp_path: Path) -> None:
    for step in range(100, 2_001, 100):
        grid(tmp_path, step)
    shown = re.findall(r"<figcaption>step (.+?)</figcaption>", page())
    assert (shown[0], shown[-1], len(shown)) == ("100", "2,000", report.GRIDS_SHOWN)


def test_grids_too_heavy_for_a_page_are_shown_at_fewer_steps(page: Callable[..., str], tmp_path: Path) -> None:
    for step in range(10):
        grid(tmp_path, step, 400, noisy=True)
    html = page()
    assert len(html) < 2_200_000
    shown = re.findall(r"<figcaption>step (.+?)</figcaption>", html)
    assert (shown[0], shown[-1]) == ("0", "9")


def test_a_film_stands_before_the_grids_it_is_made_of(page: Callable[..., str], tmp_path: Path) -> None:
    grid(tmp_path, 1)
    (tmp_path / "films").mkdir()
    Image.new("L", (4, 4)).save(tmp_path / "films/samples.gif")
    captions = re.findall(r"<figcaption>(.+?)</figcaption>", page())
    assert captions == ["all steps, as a film", "step 1"]


def test_an_animation_that_no_grids_made_stands_among_the_figures(page: Callable[..., str], tmp_path: Path) -> None:
    (tmp_path / "films").mkdir()
    Image.new("L", (4, 4)).save(tmp_path / "films/agent_at_play.gif")
    captions = re.findall(r"<figcaption>(.*?)</figcaption>", page())
    assert captions == ["agent at play"]


def test_a_table_sets_numbers_right_and_writes_them_short(page: Callable[..., str], tmp_path: Path) -> None:
    (tmp_path / "tables").mkdir()
    content = {"columns": ["images", "score", "ok", "none"], "data": [["real", 9.751234, True, None]]}
    (tmp_path / "tables/yard_sticks.json").write_text(json.dumps(content))
    html = page()
    assert "<h2>Yard sticks</h2>" in html
    assert '<td>real</td><td class="right">9.751</td><td>yes</td><td>–</td>' in html


def test_the_metrics_table_shows_extremes_and_the_last_value(page: Callable[..., str]) -> None:
    values = [(1, 3.0), (2, 1.0), (3, 2.0)]
    html = page([Point("loss", value, step, 0) for step, value in values])
    assert re.search(r"<td>loss</td>.*?>1<.*?>3<.*?>2<.*?>3</td>", html)


def test_a_page_of_a_run_without_metrics_is_whole(page: Callable[..., str]) -> None:
    assert page(ended="diverged", error="loss is nan at step 1", summary={}, step=0).rstrip().endswith("</html>")


def test_curves_of_one_group_share_a_chart() -> None:
    groups = grouped([*curve("loss/generator"), *curve("loss/discriminator"), *curve("learning_rate")])
    assert {group: list(lines) for group, lines in groups.items()} == {
        "loss": ["generator", "discriminator"],
        "learning_rate": ["learning_rate"],
    }


def test_the_phases_of_a_run_are_compared_in_one_chart():
    groups = grouped([*curve("sgd/loss/training"), *curve("adam/loss/training")], ["sgd", "adam"])
    assert {name: list(lines) for name, lines in groups.items()} == {"loss/training": ["sgd", "adam"]}


def test_more_curves_than_the_eye_can_part_are_not_drawn():
    phases = [f"phase{i}" for i in range(11)]
    points = [point for phase in phases for point in curve(f"{phase}/loss")]
    assert not list(charts(points, phases))
    assert len(list(charts(points[: len(points) // 11 * 10], phases))) == 1


def test_a_curve_that_would_be_flattened_gets_a_chart_of_its_own() -> None:
    lines = grouped([*curve("norm/a", 1.0), *curve("norm/b", 1e-3), *curve("norm/c", 2.0)])["norm"]
    assert [list(part) for part in comparable(lines)] == [["b"], ["a", "c"]]


def test_a_curve_of_zeros_does_not_break_the_charts() -> None:
    zeros = [Point("loss/zero", 0.0, step, 0) for step in range(5)]
    assert len(list(charts([*zeros, *curve("loss/one")]))) == 2


def test_a_metric_recorded_once_is_no_chart_but_a_row(page: Callable[..., str]) -> None:
    html = page([Point("quality/score", 4.5, 250, 0)])
    assert "<svg" not in html
    assert "<td>quality/score</td>" in html


def test_points_out_of_order_make_one_line_through_the_steps() -> None:
    points = [Point("loss", float(step), step, 0) for step in (3, 1, 2)]
    assert grouped(points)["loss"]["loss"] == ([1.0, 2.0, 3.0], [1.0, 2.0, 3.0])


def test_the_same_run_makes_the_same_page(page: Callable[..., str]) -> None:
    points = curve("loss", steps=100)
    assert page(points) == page(points)
