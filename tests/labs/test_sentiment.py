"""How the lab divides the sentences, and that it runs and learns on a folder of sentences of the user's own."""

import json
import random

import numpy as np
import pytest
import torch
from unwatched import Unwatched

from foundations.errors import InputError
from labs.kit.data import load_sentences
from labs.kit.lab import load as load_lab
from labs.kit.launch import execute
from labs.sentiment import FOLDS, YARDSTICK, Answers, Config, answers_of, count_words, divide, main, surest_mistakes

CLEAR = {"blame": ("dull", "bad", "boring", "weak"), "praise": ("bright", "good", "moving", "strong")}
FILLING = ("the", "film", "is", "a", "plot", "and", "cast", "it", "story", "of")


@pytest.fixture
def folder(tmp_path):
    """Sentences whose class two words say."""
    drawn, place = random.Random(0), tmp_path / "reviews"
    place.mkdir()
    for name, words in CLEAR.items():
        lines = []
        for _ in range(80):
            line = drawn.choices(FILLING, k=drawn.randint(3, 10)) + drawn.sample(words, 2)
            drawn.shuffle(line)
            lines.append(" ".join(line))
        (place / f"{name}.txt").write_text("\n".join(lines))
    return place


def _folds(folder):
    data = load_sentences(folder)
    return data, [divide(data, number, Config(), Unwatched()) for number in range(FOLDS)]


def test_every_sentence_is_in_one_part_of_each_fold_and_tested_once(folder):
    data, folds = _folds(folder)
    for fold in folds:
        assert sorted([*fold.training, *fold.validation, *fold.test]) == list(range(len(data.sentences)))
    assert sorted(np.concatenate([fold.test for fold in folds])) == list(range(len(data.sentences)))


def test_each_part_has_the_classes_in_equal_shares(folder):
    data, folds = _folds(folder)
    for part in folds[0][1:4]:
        assert data.labels[part].double().mean() == pytest.approx(0.5, abs=0.05)


def test_the_vocabulary_knows_nothing_of_sentences_held_out(folder):
    (folder / "praise.txt").write_text((folder / "praise.txt").read_text() + "\nunheard unseen")
    data, folds = _folds(folder)
    for fold in folds:
        held_out = len(data.sentences) - 1 not in fold.training
        assert ("unheard" in fold.vocabulary) != held_out


def test_the_yardstick_learns_words_that_say_it_all(folder):
    _, folds = _folds(folder)
    assert min(answers_of([count_words(folds[0])], folds[:1]).shares()) == 100


def _said(data, sure):
    """Answers to all sentences with these probabilities for the class that is true."""
    true = torch.tensor(sure)
    probabilities = torch.where(data.labels[:, None] == torch.arange(2), true[:, None], 1 - true[:, None])
    numbers = torch.arange(len(data.sentences))
    return Answers(probabilities, data.labels, numbers, torch.zeros_like(numbers))


def test_only_mistakes_are_told_as_mistakes_the_surest_first(folder):
    data = load_sentences(folder)
    said = _said(data, [0.3, 0.1, *[0.9] * (len(data.sentences) - 2)])
    rows = surest_mistakes(said, said, data)
    assert [row["sentence"] for row in rows] == [data.sentences[1], data.sentences[0]]
    assert [row["sure %"] for row in rows] == ["90.0", "70.0"]


def test_a_reader_without_a_mistake_says_so(folder):
    data = load_sentences(folder)
    said = _said(data, [0.9] * len(data.sentences))
    assert [row["sentence"] for row in surest_mistakes(said, said, data)] == ["no mistake in 160 sentences"]


def test_too_few_sentences_are_refused(folder):
    (folder / "praise.txt").write_text("good\nbetter")
    with pytest.raises(InputError, match="at least 20 sentences a class, not 2"):
        main(Config(data=str(folder)), Unwatched())


def _summary(place, **settings):
    lab = load_lab("labs.sentiment")
    assert execute(lab, lab.config_type(**settings)) == 0
    (run,) = (place / "mlruns" / "runs").iterdir()
    assert (run / "report.html").stat().st_size > 0
    return json.loads((run / "record.json").read_text())["summary"]


@pytest.mark.slow
@pytest.mark.parametrize("model", ["lstm", "transformer"])
def test_the_lab_runs_to_its_end_on_a_folder_and_learns_what_it_can(model, folder, place):
    small = {"folds": 1, "epochs": 8, "batch_size": 10, "embed_dim": 16, "hidden_size": 8, "word_dropout": 0.1}
    summary = _summary(place, data=str(folder), model=model, dropout=0.2, learning_rate=0.01, **small)
    assert summary[f"test_accuracy/{model}"] >= 0.9
    assert summary[f"test_accuracy/{YARDSTICK.replace(' ', '_')}"] >= 0.9
