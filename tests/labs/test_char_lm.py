"""What the lab of characters reads off a text, and that both of its models go through it."""

import json
import math

import pytest
import torch

from foundations.errors import InputError
from foundations.language import Windows
from foundations.networks.recurrent_language_model import RecurrentLanguageModel
from foundations.streams import Streams
from foundations.text import Vocabulary
from labs.char_lm import Config, Reader, _counted, write
from labs.drawings.char_lm import characters, facts_of
from labs.kit.lab import load
from labs.kit.launch import execute
from labs.kit.run import Run

TEXT = "ab\nNAME:\nab ab\n" * 20


class StandIn:
    """As much of a run as writing needs."""

    streams = Streams(0)
    device = torch.device("cpu")


@pytest.fixture
def reader() -> Reader:
    vocabulary = Vocabulary.build([TEXT])
    model = RecurrentLanguageModel(len(vocabulary), embed_dim=4, hidden_size=8, generator=Streams(0).torch("weights"))
    tokens = torch.tensor(vocabulary.encode(TEXT))
    return Reader(model, vocabulary, Windows(tokens, 8), int(0.9 * len(TEXT)))


@pytest.fixture
def small_text(tmp_path) -> str:
    path = tmp_path / "small.txt"
    path.write_text(TEXT * 10)
    return str(path)


def test_an_untrained_model_writes_characters_of_the_text_and_no_special_token(reader):
    text = write(reader, 300, 5.0, StandIn())
    assert len(text) == 300
    assert set(text) <= set(TEXT)


def test_the_excerpt_begins_with_a_whole_line_of_the_validation_text(reader):
    text = "".join(reader.vocabulary.decode(reader.excerpt(9)))
    assert len(text) == 9
    assert TEXT[TEXT.index("\n", reader.split) + 1 :].startswith(text)


def test_spaces_and_ends_of_lines_are_made_visible(reader):
    assert "".join(characters(reader, torch.tensor(reader.vocabulary.encode("a b\n")))) == "a␣b⏎"


def test_the_facts_of_a_text_have_one_number_a_character():
    facts = facts_of("AB:\nab c")
    assert facts["place in the line"] == [1, 2, 3, 4, 1, 2, 3, 4]
    assert facts["place in the word"] == [0, 1, 0, 0, 1, 2, 0, 1]
    assert facts["in a line before a colon"] == [1, 1, 1, 1, 0, 0, 0, 0]


def test_counting_longer_contexts_predicts_better(reader):
    losses = list(_counted(reader).values())
    assert losses[0] == pytest.approx(math.log(len(set(TEXT))))
    assert losses == sorted(losses, reverse=True)


@pytest.mark.parametrize(
    ("settings", "figure"), [({"model": "lstm"}, "units"), ({"model": "transformer"}, "attention")]
)
def test_both_models_go_through_the_lab_to_their_own_figure(settings, figure, place, small_text):
    lab = load("labs.char_lm")
    tiny = {"steps": 12, "batch_size": 4, "width": 16, "layers": 1, "context": 16, "sample_length": 40}
    assert execute(lab, Config(preset="smoke", data=small_text, **tiny, **settings)) == 0
    (folder,) = (place / "mlruns" / "runs").iterdir()
    record = json.loads((folder / "record.json").read_text())
    assert 0 < record["summary"]["validation/loss"] < math.log(len(set(TEXT)) + 4) + 0.5
    assert (folder / "figures" / f"{figure}.png").stat().st_size > 0


def test_a_text_too_short_for_a_window_of_validation_is_refused(place, tmp_path):
    (tmp_path / "short.txt").write_text("short " * 50)
    lab = load("labs.char_lm")
    config = Config(data=str(tmp_path / "short.txt"))
    run = Run(lab, config)
    with pytest.raises(InputError, match="context=64: must be at most 29, for one window of the validation text"):
        lab.main(config, run)
