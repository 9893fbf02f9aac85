import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from matplotlib import pyplot as plt
from PIL import Image
from safetensors.torch import load_file
from torch import nn

from foundations.errors import InputError
from labs.kit.gallery import Gallery


class Store:
    """Remembers what a gallery sends to the store."""

    def __init__(self) -> None:
        self.sent: list[tuple[Any, ...]] = []

    def file(self, path: Path, place: str = "") -> None:
        self.sent.append((path.name, place))

    def image(self, name: str, image: Image.Image, step: int) -> None:
        self.sent.append((name, step))

    def model(self, name: str, module: nn.Module, example: torch.Tensor, output: torch.Tensor) -> None:
        self.sent.append((name, module.training, tuple(output.shape)))


@pytest.fixture
def store() -> Store:
    return Store()


@pytest.fixture
def gallery(tmp_path: Path, store: Store) -> Gallery:
    return Gallery(tmp_path, store)  # type: ignore[arg-type]


def test_images_lie_in_the_folder_by_step_and_form_a_section_of_the_dashboard(gallery: Gallery, store: Store) -> None:
    gallery.images("samples", torch.zeros(4, 1, 8, 8), 50, 2)
    assert (gallery.folder / "images/samples/000000050.png").exists()
    assert store.sent == [("images/samples", 50)]


def test_a_resumed_run_does_not_send_an_image_twice(gallery: Gallery, store: Store) -> None:
    images = torch.zeros(1, 1, 8, 8)
    gallery.images("samples", images, 50, 1)
    again = Gallery(gallery.folder, store, resumed=True)  # type: ignore[arg-type]
    again.images("samples", images, 50, 1)
    again.images("samples", images, 100, 1)
    assert store.sent == [("images/samples", 50), ("images/samples", 100)]


def test_film_shows_the_grids_in_the_order_of_their_steps(gallery: Gallery) -> None:
    for step, value in ((1000, 1.0), (50, 0.0)):
        gallery.images("samples", torch.full((1, 1, 8, 8), value), step, 1)
    gallery.film("samples")
    with Image.open(gallery.folder / "films/samples.gif") as film:
        brightness = []
        for frame in range(2):
            film.seek(frame)
            brightness.append(film.convert("L").getpixel((30, 30)))
    assert brightness == [0, 255]


def test_a_film_of_images_never_shown_is_refused_by_name(gallery: Gallery) -> None:
    with pytest.raises(InputError, match="film='sample'"):
        gallery.film("sample")


def test_figure_is_kept_as_png_and_closed(gallery: Gallery, store: Store) -> None:
    figure, _ = plt.subplots()
    gallery.figure("shares", figure)
    assert Image.open(gallery.folder / "figures/shares.png").format == "PNG"
    assert not plt.fignum_exists(figure.number)  # type: ignore[attr-defined]
    assert store.sent == [("shares.png", "figures")]


def test_table_keeps_columns_and_rows(gallery: Gallery) -> None:
    gallery.table("yardsticks", [{"images": "real", "score": 9.75}, {"images": "made", "score": 8.9}])
    table = json.loads((gallery.folder / "tables/yardsticks.json").read_text())
    assert table == {"columns": ["images", "score"], "data": [["real", 9.75], ["made", 8.9]]}


def test_an_empty_table_is_refused_by_name(gallery: Gallery) -> None:
    with pytest.raises(InputError, match="yardsticks"):
        gallery.table("yardsticks", [])


def test_model_is_stored_in_evaluation_mode_and_handed_back_as_it_was(gallery: Gallery, store: Store) -> None:
    module = nn.Sequential(nn.Linear(3, 2), nn.Dropout()).train()
    gallery.model("net", module, torch.zeros(5, 3))
    assert module.training
    assert store.sent[0] == ("net", False, (5, 2))


def test_weights_come_back_from_safetensors_to_the_bit(gallery: Gallery) -> None:
    module = nn.Linear(3, 2)
    gallery.model("net", module, torch.zeros(1, 3))
    weights = load_file(gallery.folder / "weights/net.safetensors")
    assert all(torch.equal(weights[name], value) for name, value in module.state_dict().items())


def test_an_animation_has_a_frame_for_each_picture_that_it_is_given(gallery: Gallery, store: Store) -> None:
    frames = np.zeros((3, 8, 8, 3), np.uint8)
    frames[1] = 120
    frames[2] = 255
    gallery.animation("agent", frames)
    with Image.open(gallery.folder / "films/agent.gif") as film:
        assert film.n_frames == 3  # type: ignore[attr-defined]
    assert store.sent == [("agent.gif", "films")]


def test_what_is_no_film_of_coloured_frames_is_refused(gallery: Gallery) -> None:
    with pytest.raises(InputError, match=r"frames=\(3, 8, 8\): must be \(count, height, width, 3\)"):
        gallery.animation("agent", np.zeros((3, 8, 8), np.uint8))


def test_a_file_is_kept_as_it_is_written_and_sent_to_the_store(gallery: Gallery, store: Store) -> None:
    gallery.keep("vocabulary.json", lambda file: file.write_text("{}"))
    assert (gallery.folder / "files/vocabulary.json").read_text() == "{}"
    assert store.sent == [("vocabulary.json", "files")]
