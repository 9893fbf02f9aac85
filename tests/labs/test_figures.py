from pathlib import Path

import numpy as np
import pytest
import torch
from matplotlib import pyplot as plt
from matplotlib.colors import to_hex
from PIL import Image

from foundations.errors import InputError
from labs.kit import figures
from labs.kit.data import ImageData


def noise(folder: Path, count: int, size: int) -> list[Path]:
    random = np.random.default_rng(0)
    files = [folder / f"{index:03d}.png" for index in range(count)]
    for file in files:
        Image.fromarray(random.integers(0, 256, (size, size), dtype=np.uint8)).save(file)
    return files


def test_grid_lays_images_row_by_row() -> None:
    images = torch.tensor([0.2, 0.4, 0.6]).reshape(3, 1, 1, 1).expand(3, 1, 4, 4)
    picture = np.asarray(figures.grid(images, columns=2, scale=1))
    assert picture.shape == (2 + 2 * 6, 2 + 2 * 6)
    assert (picture[3, 3], picture[3, 9], picture[9, 3]) == (51, 102, 153)


def test_grid_enlarges_a_digit_by_whole_pixels() -> None:
    assert figures.grid(torch.zeros(1, 1, 28, 28)).size == (2 * 32, 2 * 32)


def test_grid_clamps_values_to_black_and_white() -> None:
    picture = np.asarray(figures.grid(torch.tensor([-3.0, 7.0]).reshape(2, 1, 1, 1), columns=2, scale=1))
    assert (picture[2, 2], picture[2, 5]) == (0, 255)


def test_grid_keeps_colours() -> None:
    red = torch.tensor([1.0, 0.0, 0.0]).reshape(1, 3, 1, 1).expand(1, 3, 40, 40)
    assert figures.grid(red, scale=1).getpixel((20, 20)) == (255, 0, 0)


@pytest.mark.parametrize("shape", [(28, 28), (4, 2, 28, 28)])
def test_grid_refuses_what_is_no_batch_of_grey_or_colour_images(shape: tuple[int, ...]) -> None:
    with pytest.raises(InputError, match=r"images\.shape"):
        figures.grid(torch.zeros(shape))


def test_film_rests_on_the_last_frame(tmp_path: Path) -> None:
    figures.film([Image.open(file) for file in noise(tmp_path, 4, 16)], tmp_path / "film.gif")
    with Image.open(tmp_path / "film.gif") as film:
        assert film.n_frames == 4  # type: ignore[attr-defined]
        film.seek(3)
        assert film.info["duration"] == 2000


def test_a_film_of_many_heavy_frames_stays_light_and_ends_with_the_last(tmp_path: Path) -> None:
    frames = noise(tmp_path, 40, 400)
    Image.new("L", (400, 400), 255).save(frames[-1])
    figures.film([Image.open(frame) for frame in frames], tmp_path / "film.gif")
    assert (tmp_path / "film.gif").stat().st_size <= figures.FILM_BYTES
    with Image.open(tmp_path / "film.gif") as film:
        assert film.n_frames < 40  # type: ignore[attr-defined]
        film.seek(film.n_frames - 1)  # type: ignore[attr-defined]
        assert np.asarray(film.convert("L")).min() == 255


def test_a_film_keeps_the_colours_of_small_marks_apart_from_each_other(tmp_path: Path) -> None:
    ramp = np.tile(np.arange(256, dtype=np.uint8), (200, 1))  # greys, of which a palette could hold nothing else
    frame = np.stack([ramp, ramp, ramp], axis=-1)
    frame[:4, :4], frame[:4, 8:12] = (0, 114, 178), (0, 158, 115)
    figures.film([Image.fromarray(frame)], tmp_path / "film.gif")
    with Image.open(tmp_path / "film.gif") as film:
        blue, green = (film.convert("RGB").getpixel(at) for at in ((1, 1), (9, 1)))
    assert isinstance(blue, tuple)
    assert isinstance(green, tuple)
    assert blue[2] > blue[1] + 30
    assert green[1] > green[2] + 20


def test_running_median_ignores_a_spike_and_keeps_a_line() -> None:
    line = [float(i) for i in range(100)]
    spiked = [*line[:50], 1e6, *line[51:]]
    middle = slice(5, 95)
    assert figures.running_median(line)[middle] == line[middle]
    assert max(figures.running_median(spiked)) < 100


def test_neighbouring_curves_differ_in_colour_and_the_eighth_in_its_dashes() -> None:
    figure = figures.curves("loss", {f"part {i}": ([0, 1], [i, i]) for i in range(8)})
    lines = figure.axes[0].get_lines()
    plt.close(figure)
    assert len({to_hex(line.get_color()) for line in lines[:7]}) == 7
    assert lines[7].get_linestyle() != lines[0].get_linestyle()


def test_smoothed_curves_wear_the_colours_of_the_legend() -> None:
    long = (list(range(100)), [0.0] * 100)
    figure = figures.curves("loss", {"generator": long, "discriminator": long})
    colours = [to_hex(line.get_color()) for line in figure.axes[0].get_lines()]
    plt.close(figure)
    assert colours == [figures.COLOURS[0].lower()] * 2 + [figures.COLOURS[1].lower()] * 2


def test_curves_say_what_they_show() -> None:
    figure = figures.curves("loss: generator", {"generator": ([0, 1], [1.0, 2.0])}, label="loss")
    axes = figure.axes[0]
    said = axes.get_title(loc="left"), axes.get_xlabel(), axes.get_ylabel(), figure.legends
    plt.close(figure)
    assert said == ("loss: generator", "step", "loss", [])


@pytest.mark.parametrize(("values", "label"), [([0.0002, 0.0004], "0.0003"), ([10_000, 30_000], "20,000")])
def test_tick_labels_are_plain_numbers(values: list[float], label: str) -> None:
    figure = figures.curves("rate", {"rate": ([0, 1], values)})
    figure.canvas.draw()
    labels = [text.get_text() for text in figure.axes[0].get_yticklabels()]
    plt.close(figure)
    assert label in labels


def test_the_surest_mistakes_come_first_and_right_answers_not_at_all() -> None:
    pictures, labels = torch.zeros(3, 1, 4, 4, dtype=torch.uint8), torch.tensor([0, 0, 1])
    images = ImageData(
        train_images=pictures, train_labels=labels, test_images=pictures, test_labels=labels,
        class_names=("cat", "dog"), name="made", fingerprint="", source="made", licence="none",
    )  # fmt: skip
    figure = figures.mistakes(torch.tensor([[0.4, 0.6], [0.1, 0.9], [0.0, 1.0]]), images)
    said = [axes.get_title() for axes in figure.axes if axes.get_title()]
    plt.close(figure)
    assert said == ["cat, says dog\n90.0 % sure", "cat, says dog\n60.0 % sure"]


@pytest.mark.parametrize(("count", "rows"), [(0, 1), (5, 1), (9, 2), (40, 3)])
def test_mistakes_take_as_many_rows_of_eight_as_there_are_and_three_at_most(count: int, rows: int) -> None:
    pictures, labels = torch.zeros(count + 1, 1, 4, 4, dtype=torch.uint8), torch.zeros(count + 1, dtype=torch.int64)
    images = ImageData(
        train_images=pictures, train_labels=labels, test_images=pictures, test_labels=labels,
        class_names=("cat", "dog"), name="made", fingerprint="", source="made", licence="none",
    )  # fmt: skip
    figure = figures.mistakes(torch.tensor([[0.0, 1.0]] * count + [[1.0, 0.0]]), images)
    panels = len(figure.axes)
    plt.close(figure)
    assert panels == 8 * rows


def test_the_names_of_a_sheet_lie_within_the_picture_under_a_title() -> None:
    figure = figures.sheet(torch.zeros(100, 1, 28, 28), [f"category {row}" for row in range(10)], [""] * 10)
    figure.suptitle("What each category has become")
    figure.canvas.draw()
    names = figure.axes[0].get_tightbbox()
    assert names is not None
    assert 0 <= names.x0 < names.x1 <= figure.bbox.width
    plt.close(figure)
