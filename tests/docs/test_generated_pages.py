"""Pages that are made are what their generators make, and say something of everything that they should."""

import json
from pathlib import Path

import gallery
import offline
import pytest
import results
from pictures import shrink
from PIL import Image
from speed import benchmarks
from tiles import TILES

from labs.kit.lab import discover

ROOT = Path(__file__).parents[2]
FACTS = json.loads(gallery.FACTS.read_text())
LEARNING = json.loads(results.LEARNING.read_text())
NAMES = [entry.name for entry in discover()]


def test_the_gallery_is_what_its_facts_give():
    assert gallery.PAGE.read_text() == gallery.page(discover(), FACTS)


@pytest.mark.parametrize("name", NAMES)
def test_the_lab_is_in_the_gallery(name):
    picture = ROOT / "docs" / FACTS[name]["picture"]
    assert 0 < picture.stat().st_size <= gallery.PICTURE_BYTES
    assert set(FACTS[name]) >= {"figure", "seconds", "seed", "commit", "versions", "date", "command"}
    assert set(FACTS[name]["figure"]) == {TILES[name].figure}


def test_only_labs_have_tiles():
    assert set(TILES) == set(NAMES)


def test_the_results_are_what_the_benchmarks_give():
    assert results.PAGE.read_text() == results.page(LEARNING, benchmarks())


def test_the_readmes_results_are_what_the_benchmarks_give():
    text = (ROOT / "README.md").read_text()
    assert results.filled(text, results.readme_part(LEARNING, benchmarks())) == text


@pytest.mark.parametrize("figure", LEARNING["figures"], ids=lambda figure: figure["what"])
def test_a_figure_says_where_it_comes_from(figure):
    assert figure["seeds"] >= 1
    assert figure["command"].startswith("python -m labs.")
    assert (figure["published"] is None) == (figure["source"] is None)


@pytest.mark.parametrize("benchmark", benchmarks(), ids=lambda benchmark: benchmark.name)
def test_a_benchmark_says_where_and_when_it_was_measured(benchmark):
    assert benchmark.machine
    assert {"python"} <= set(benchmark.versions)
    assert benchmark.date[:2] == "20"
    assert benchmark.rows
    assert (ROOT / benchmark.command.split()[1]).exists()


def _record(**changes):
    """The record of a plain quick run, as the gallery reads it."""
    from labs.kit.config import to_record
    from labs.kit.lab import load

    config = to_record(load("labs.perceptron").config_type()) | changes.pop("config", {})
    return {"ended": "finished", "target": "labs.perceptron", "config": config} | changes


def test_a_finished_quick_run_may_stand_in_the_gallery():
    assert gallery.plain(_record())
    assert gallery.plain(_record(config={"seed": 3, "threads": 1, "run_name": "mine"}))


@pytest.mark.parametrize(
    "changes",
    [
        {"ended": "killed"},
        {"parent": "abc"},
        {"target": "/elsewhere/perceptron.py"},
        {"config": {"preset": "smoke"}},
        {"config": {"epochs": 1}},
    ],
)
def test_another_run_may_not(changes):
    assert not gallery.plain(_record(**changes))


def test_a_large_picture_is_made_to_fit(tmp_path):
    Image.effect_noise((1500, 900), 60).save(tmp_path / "large.png")
    shrink(tmp_path / "large.png", tmp_path / "small" / "noise", limit=80_000)
    assert (tmp_path / "small" / "noise.png").stat().st_size <= 80_000


def test_a_long_film_is_made_to_fit_and_keeps_its_ends(tmp_path):
    frames = [Image.new("RGB", (400, 300), (shade, 0, 0)) for shade in range(0, 250, 5)]
    frames[0].save(tmp_path / "long.gif", save_all=True, append_images=frames[1:], duration=100)
    shrink(tmp_path / "long.gif", tmp_path / "short", limit=20_000)
    film = Image.open(tmp_path / "short.gif")
    assert (tmp_path / "short.gif").stat().st_size <= 20_000
    assert 1 < film.n_frames <= 30
    film.seek(film.n_frames - 1)
    assert film.convert("RGB").getpixel((9, 9))[0] == pytest.approx(245, abs=8)


def test_a_text_without_markers_is_not_filled():
    with pytest.raises(ValueError, match="twice"):
        results.filled("no markers", "part")


@pytest.mark.parametrize(
    "page",
    [
        '<script src="https://cdn.example/x.js"></script>',
        '<link rel="stylesheet" href="//fonts.example/css">',
        '<img src="http://example.org/a.png">',
    ],
)
def test_a_page_that_fetches_from_elsewhere_is_noticed(tmp_path, page):
    (tmp_path / "index.html").write_text(page)
    assert offline.fetched(tmp_path)


def test_a_link_that_a_reader_may_follow_is_no_fetch(tmp_path):
    (tmp_path / "index.html").write_text('<a href="https://arxiv.org/abs/1406.2661">paper</a><img src="a.png">')
    assert offline.fetched(tmp_path) == []


def test_a_style_that_fetches_is_noticed(tmp_path):
    (tmp_path / "a.css").write_text("@import 'https://fonts.example/css'; a { background: url(https://x.example/b) }")
    assert len(offline.fetched(tmp_path)) == 2
