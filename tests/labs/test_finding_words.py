"""Words as a search sees them: forms of one word are one, names fall into parts, synonyms count."""

import pytest

from labs.finding.index import Entry, Index
from labs.finding.question import ask
from labs.finding.synonyms import CUSTOMARY
from labs.finding.words import stem, terms


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("gradients", "gradient"),
        ("vanishing", "vanish"),
        ("clipped", "clipping"),
        ("entropies", "entropy"),
        ("losses", "loss"),
        ("sampling", "samples"),
        ("rotation", "rotated"),
        ("variational", "variation"),
        ("convolutional", "convolutions"),
        ("regularisation", "regularizers"),
        ("reparameterise", "reparameterization"),
        ("normalised", "normalization"),
        ("behaviour", "behavior"),
        ("centred", "centered"),
        ("labelled", "labeling"),
        ("duelling", "dueling"),
        ("grey", "gray"),
        ("defence", "defense"),
    ],
)
def test_forms_and_spellings_of_a_word_are_one(one, other):
    assert stem(one) == stem(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [("loss", "lots"), ("bias", "bi"), ("noise", "noisy"), ("four", "for"), ("string", "str"), ("tree", "ter")],
)
def test_words_that_only_look_alike_stay_two(one, other):
    assert stem(one) != stem(other)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("GradientHealth", ["gradient", "health", "gradienthealth"]),
        ("clip_gradient_norm", ["clip", "gradient", "norm"]),
        ("LeNet5", ["le", "net", "5", "lenet"]),
        ("Conv2d", ["conv"]),
        ("resnet18", ["resnet", "18"]),
        ("A2C and l1 of seq2seq", ["a2c", "l1", "seq2seq"]),
        ("the Fréchet distance", ["frechet", "distanc"]),
    ],
)
def test_names_fall_into_their_parts(text, words):
    assert terms(text) == words


def entry(name: str, summary: str = "", context: str = "") -> Entry:
    texts = {"name": name, "summary": summary, "text": "", "context": context, "settings": ""}
    return Entry("code", f"foundations.blocks.{name}", "foundations/blocks.py", 1, summary, texts)


def index(tmp_path, *entries: Entry) -> Index:
    return Index(tmp_path, {"code": entries, "labs": (), "tests": ()}, {})


def test_a_name_in_capitals_is_what_its_docstring_spells(tmp_path):
    found = ask("gated recurrent unit", index(tmp_path, entry("GRU", "Gated recurrent unit: h = z n.")))
    assert [word.ways for word in found.words] == [(("gat", "recurrent", "unit"), ("gru",))]


def test_a_name_in_capitals_is_what_its_module_spells(tmp_path):
    module = "agents.ppo Proximal policy optimization: several epochs."
    found = ask("PPO", index(tmp_path, entry("PPO", "Plays, then learns.", module)))
    assert found.words[0].ways == (("ppo",), ("proximal", "policy", "optimiz"))


def test_words_apart_are_found_as_one_and_one_as_two(tmp_path):
    tree = index(tmp_path, entry("Dropout"), entry("x", "Back-propagation through a dense layer."))
    assert [word.ways[0] for word in ask("drop out", tree).words] == [("dropout",)]
    assert ask("backpropagation", tree).words[0].ways[0] == ("back", "propag")


def test_a_compound_falls_apart_only_where_its_halves_stand_together(tmp_path):
    tree = index(tmp_path, entry("grad"), entry("int"))
    assert list(ask("gradint", tree).unknown) == ["gradint"]


def test_a_word_that_is_nowhere_is_left_out_with_the_nearest(tmp_path):
    found = ask("gradeint of a loss", index(tmp_path, entry("gradient", "The slope of a loss.")))
    assert found.unknown == {"gradeint": ["gradient"]}
    assert [word.ways[0] for word in found.words] == [("loss",)]


def test_words_that_say_nothing_are_not_searched_for(tmp_path):
    found = ask("what is the gradient", index(tmp_path, entry("gradient")))
    assert [word.ways[0] for word in found.words] == [("gradient",)]


def test_customary_synonyms_stand_in_one_group_each():
    phrases = [phrase for group in CUSTOMARY for phrase in group]
    assert len(set(phrases)) == len(phrases)
