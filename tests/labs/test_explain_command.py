"""`python -m labs explain`: models of finished runs are read back and explained; what cannot be is refused clearly."""

import json

import mlflow
import numpy as np
import pytest
import torch
from PIL import Image

import explain
import foundations
from foundations.errors import InputError
from foundations.text import Vocabulary
from labs.kit.folder import RunFolder, all_runs, home
from labs.kit.lab import Lab
from labs.kit.launch import execute
from labs.kit.models import load_model

WORDS = ("dull", "bright", "film", "a")


class Bag(torch.nn.Module):
    """Counts: word 5 ("bright") for the second class, word 4 ("dull") for the first."""

    def forward(self, tokens):
        score = (tokens == 5).sum(1) - (tokens == 4).sum(1)
        return torch.stack([-score, score], dim=1).float()


class Row(torch.nn.Module):
    """The second class the likelier, the larger the third number."""

    def __init__(self):
        super().__init__()
        self.slope = torch.nn.Parameter(torch.tensor([0.0, 0.0, 2.0]))

    def forward(self, x):
        score = x @ self.slope
        return torch.stack([-score, score], dim=1)


class Left(torch.nn.Module):
    """How much ink there is on the left, against the right."""

    def forward(self, images):
        ink = images.flatten(1).reshape(len(images), 28, 28)
        score = (ink[..., :14].mean((1, 2)) - ink[..., 14:].mean((1, 2))) * 20
        return torch.stack([score, -score], dim=1).softmax(dim=1)


class Blurred(torch.nn.Module):
    """An autoencoder that makes again whatever is on the left, and nothing of what is on the right."""

    def encode(self, images):
        return images[..., :14].flatten(1)

    def decode(self, codes):
        left = codes.reshape(-1, 1, 28, 14)
        return torch.cat([left, torch.zeros_like(left)], dim=3)

    def forward(self, images):
        return self.decode(self.encode(images))


class Noise(torch.nn.Module):
    """Answers with an image: nothing that can be explained so."""

    def forward(self, images):
        return images


def keep(place, name, *models, files=()):
    """A finished run that kept these models (name, module, example) and files (name, writer)."""
    from labs.kit.config import Config

    def main(config, run):
        for each in models:
            run.model(*each)
        for file, write in files:
            run.file(file, write)
        run.summary({"kept": float(len(models))})

    lab = Lab(f"labs.{name}", name, Config, main, place / f"{name}.py")
    assert execute(lab, Config(run_name=name)) == 0


@pytest.fixture
def texts(place):
    vocabulary = Vocabulary(WORDS, unknown="map")
    model = ("bag", Bag(), torch.zeros(1, 5, dtype=torch.int64))
    keep(place, "texts", model, files=[("vocabulary.json", vocabulary.save)])


def table(path):
    rows = np.random.default_rng(0).normal(size=(50, 3))
    path.write_text("one,two,three\n" + "\n".join(",".join(f"{x:.5f}" for x in row) for row in rows) + "\n")


@pytest.fixture
def rows(place):
    keep(place, "rows", ("row", Row(), torch.zeros(1, 3)), files=[("background.csv", table)])


def test_a_kept_model_is_read_back_to_the_bit(place):
    network = foundations.MLP((4, 3, 2), generator=torch.Generator().manual_seed(0))
    keep(place, "mlp", ("network", network, torch.zeros(1, 4)))
    kept = load_model("mlp")
    x = torch.randn(5, 4)
    torch.testing.assert_close(kept.module(x), network.eval()(x), rtol=0, atol=0)
    assert (kept.shape, kept.lab, kept.name, kept.module.training) == ((-1, 4), "mlp", "network", False)


def test_a_kept_model_loads_by_the_address_of_its_run(rows):
    (run,) = all_runs()
    assert isinstance(mlflow.pytorch.load_model(f"runs:/{run.path.name}/row"), Row)


def test_of_several_models_one_must_be_named_and_files_are_found(place):
    keep(
        place, "two", ("one", Row(), torch.zeros(1, 3)), ("other", Left(), torch.zeros(1, 784)),
        files=[("known.txt", lambda path: path.write_text("here"))],
    )  # fmt: skip
    with pytest.raises(InputError, match="has several models, say which: one, other"):
        load_model("two")
    kept = load_model("two", "other")
    assert kept.shape == (-1, 784)
    assert kept.file("known.txt").read_text() == "here"
    with pytest.raises(InputError, match=r"kept no 'lost'; its files: \['known.txt'\]"):
        kept.file("lost")
    with pytest.raises(InputError, match="model='third'"):
        load_model("two", "third")


def test_runs_without_a_model_or_an_end_are_refused(place):
    keep(place, "empty")
    with pytest.raises(InputError, match="keeps no model"):
        load_model("empty")
    folder = next((home() / "runs").iterdir())
    RunFolder(folder).update(ended="killed")
    with pytest.raises(InputError, match="is killed; only a finished run's model can be used"):
        load_model("empty")


def test_a_text_is_explained_and_kept_as_picture_page_and_numbers(texts, labs_command, capsys):
    assert labs_command("explain", "texts", "--input", "a bright film", "--samples", "300") == 0
    said = capsys.readouterr().out
    assert "answers read as logits, turned into probabilities" in said
    assert "bright" in said.splitlines()[-6]
    (folder,) = (home() / "runs").glob("*/explanations")
    assert {file.name for file in folder.iterdir()} == {"001.json", "001.html", "001.png"}
    found = explain.Explanation.from_dict(json.loads((folder / "001.json").read_text()))
    assert found.top(1, 1)[0][0] == "bright"
    labs_command("explain", "texts", "--input", "a dull film", "--samples", "50", "--seed", "1")
    assert (folder / "002.png").stat().st_size > 1000


def test_a_row_is_explained_against_the_rows_that_the_run_kept_or_that_are_given(rows, labs_command, capsys, tmp_path):
    assert labs_command("explain", "last", "--input", "-0.1,0.2,0.5", "--samples", "300") == 0
    said = capsys.readouterr().out.splitlines()
    assert said[-6].endswith("three = 0.5")
    table(tmp_path / "mine.csv")
    assert labs_command("explain", "last", "--input", "0,0,0", "--background", str(tmp_path / "mine.csv")) == 0


def test_an_image_is_explained_from_its_file_whatever_shape_the_model_reads(place, labs_command, capsys, tmp_path):
    keep(place, "images", ("left", Left(), torch.zeros(1, 784)))
    pixels = np.zeros((28, 28), np.uint8)
    pixels[8:20, 4:8] = 255
    Image.fromarray(pixels).save(tmp_path / "left.png")
    capsys.readouterr()
    assert labs_command("explain", "last", "--input", str(tmp_path / "left.png"), "--samples", "300") == 0
    said = capsys.readouterr().out.splitlines()
    assert "answers read as probabilities" in said[0]
    assert "column 6" in said[2] or "column 2" in said[2]
    Image.fromarray(pixels[:20]).save(tmp_path / "small.png")
    assert labs_command("explain", "last", "--input", str(tmp_path / "small.png")) == 2
    assert "image shape=(1, 20, 28): must be (1, 28, 28)" in capsys.readouterr().err


def test_what_is_wrong_with_the_words_is_said_in_one_line(rows, labs_command, capsys):
    wrong = {
        ("nobody", "--input", "1"): "'nobody': is no run here",
        ("rows",): "the following arguments are required: --input",
        ("rows", "--input", "1,2"): "--input='2 numbers': must be 3 numbers",
        ("rows", "--input", "one"): "must be 3 numbers with commas between",
        ("rows", "--input", "1,2,3", "--samples", "1"): "--samples=1: must be at least 2",
        ("rows", "--input", "1,2,3", "--seed", "-1"): "--seed=-1",
        ("rows", "--input", "1,2,3", "--background", "lost.csv"): "--background lost.csv: cannot be read",
        ("rows", "--input", "1,2,nan"): "finite",
    }
    capsys.readouterr()
    for words, message in wrong.items():
        assert labs_command("explain", *words) == 2
        said = capsys.readouterr().err
        assert message in said
        assert said.count("\n") == 1


def test_an_empty_text_and_a_model_of_no_answers_are_refused(texts, place, labs_command, capsys):
    assert labs_command("explain", "texts", "--input", "") == 2
    assert "text=''" in capsys.readouterr().err
    keep(place, "noise", ("noise", Noise(), torch.zeros(1, 1, 28, 28)))
    Image.fromarray(np.eye(28, dtype=np.uint8)).save(place / "eye.png")
    assert labs_command("explain", "noise", "--input", str(place / "eye.png")) == 2
    assert "model answer shape=(1, 1, 28, 28): must be (n, outputs)" in capsys.readouterr().err


def test_an_autoencoder_is_asked_what_it_cannot_make_again(place, labs_command, capsys):
    keep(place, "autoencoder", ("autoencoder", Blurred(), torch.zeros(1, 1, 28, 28)))
    Image.fromarray(np.full((28, 28), 200, np.uint8)).save(place / "grey.png")
    assert labs_command("explain", "autoencoder", "--input", str(place / "grey.png"), "--samples", "300") == 0
    assert "the anomaly score" in capsys.readouterr().out
    (file,) = (all_runs()[0].path / "explanations").glob("*.json")
    found = explain.Explanation.from_dict(json.loads(file.read_text()))
    weights = found.weights[0].reshape(7, 7)
    assert weights[:, 4:].min() > 10 * np.abs(weights[:, :3]).max()


def test_an_autoencoder_has_no_probabilities(place, labs_command, capsys):
    keep(place, "autoencoder", ("autoencoder", Blurred(), torch.zeros(1, 1, 28, 28)))
    Image.fromarray(np.zeros((28, 28), np.uint8)).save(place / "black.png")
    assert labs_command("explain", "autoencoder", "--input", "black.png", "--outputs", "logits") == 2
    assert "its answer is a score" in capsys.readouterr().err


def test_a_cartpole_agent_is_asked_beside_the_states_that_it_meets(place, labs_command, capsys):
    push = torch.nn.Linear(4, 2, bias=False)
    push.weight.data = torch.tensor([[0.0, 0.0, -10.0, -3.0], [0.0, 0.0, 10.0, 3.0]])
    keep(place, "cartpole", ("ppo", push, torch.zeros(1, 4)))
    assert labs_command("explain", "cartpole", "--input", "0,0,0.1,0", "--samples", "300") == 0
    lines = capsys.readouterr().out.splitlines()
    assert any(line.startswith("  +") and line.endswith("pole angle = 0.1") for line in lines)
