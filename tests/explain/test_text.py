"""Texts explained: equal to lime's; its silent traps closed; what is planted is found; words in their colours."""

import json
import zlib

import numpy as np
import pytest
from lime.lime_text import LimeTextExplainer
from matplotlib.figure import Figure
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from explain.blackbox import BlackBox
from explain.explanation import Explanation
from explain.highlights import draw_words, highlight, highlighted_html
from explain.quality import deletion_curve
from explain.text import explain_text, hide_words, read_words, turn_by_removing
from foundations.errors import InputError
from foundations.text import Vocabulary

TEXT = "The plot is thin, the cast is good; a good_natured film - and not too long!\n(Über 9 of 10)"
SAMPLES = 300


def three_classes(texts):
    """Answers that depend on every letter and its place, so that no two texts are alike to it."""
    sums = np.array([[zlib.crc32(f"{text}{label}".encode()) / 2**32 for label in range(3)] for text in texts])
    counts = np.array([[text.count("good"), text.count("i"), len(text) / 20] for text in texts])
    powers = np.exp(sums + counts)
    return powers / powers.sum(axis=1, keepdims=True)


def opinion(texts):
    """P(praise) = sigmoid(2 good - 3 thin + nice)."""
    weights = {"good": 2, "thin": -3, "nice": 1}
    scores = np.array([sum(weight * (word in text.split()) for word, weight in weights.items()) for text in texts])
    praise = 1 / (1 + np.exp(-scores))
    return np.stack([1 - praise, praise], axis=1)


def lime_weights(text, count, seed=11, **settings):
    explainer = LimeTextExplainer(feature_selection="highest_weights", random_state=seed, **settings)
    return explainer.explain_instance(
        text, three_classes, labels=(2, 0, 1), num_features=count, num_samples=SAMPLES
    )  # fmt: skip


@pytest.mark.parametrize("count", [4, 100])
@pytest.mark.parametrize(
    ("settings", "in_lime"),
    [
        ({}, {}),
        ({"mask": "UNKWORDZ"}, {"bow": False}),
        ({"mask": "…"}, {"bow": False, "mask_string": "…"}),
        ({"unit": "character"}, {"char_level": True}),
        ({"unit": "character", "mask": "#"}, {"char_level": True, "bow": False, "mask_string": "#"}),
    ],
)
def test_it_equals_lime(settings, in_lime, count):
    wanted = lime_weights(TEXT, count, **in_lime)
    found = explain_text(
        BlackBox(three_classes), TEXT, samples=SAMPLES, labels=(2, 0, 1), count=count, seed=11, **settings
    )
    for label in (2, 0, 1):
        weights = np.zeros(len(found.features))
        for feature, weight in wanted.local_exp[label]:
            weights[feature] = weight
        np.testing.assert_allclose(found.weights[label], weights, rtol=0, atol=1e-12)
        assert found.intercepts[label] == pytest.approx(wanted.intercept[label], abs=1e-12)
    assert np.abs(found.weights[2]).max() > 0.01
    assert found.r2[1] == pytest.approx(wanted.score, abs=1e-12)
    assert found.local_predictions[1] == pytest.approx(wanted.local_pred[0], abs=1e-12)
    words = wanted.domain_mapper.indexed_string.inverse_vocab
    assert found.columns == tuple(str(word) for word in words)


def test_words_of_a_known_model_get_their_signs_and_ranks():
    text = "a thin plot but good and nice people in it"
    found = explain_text(BlackBox(opinion), text, samples=1000, labels=[1], seed=0)
    assert [name for name, _ in found.top(1, 3)] == ["thin", "good", "nice"]
    weights = dict(found.top(1, 10))
    assert weights["thin"] < 0 < weights["nice"] < weights["good"]
    assert max(abs(weights[word]) for word in ("a", "plot", "it")) < weights["nice"] / 3


def test_a_classifier_of_word_counts_is_explained_by_its_own_weights():
    texts = ["good film", "bad film", "good plot", "bad plot", "a good one", "a bad one"] * 5
    model = make_pipeline(CountVectorizer(), LogisticRegression()).fit(texts, [1, 0] * 15)
    found = explain_text(BlackBox(model), "a bad film with a good plot", samples=500, labels=[1], seed=0)
    assert {name for name, _ in found.top(1, 2)} == {"good", "bad"}


def test_without_a_mask_a_repeated_word_is_one_feature_and_with_one_each_place_is():
    text = "good and good and bad"
    removed = explain_text(BlackBox(three_classes), text, samples=50, seed=0)
    masked = explain_text(BlackBox(three_classes), text, mask="_", samples=50, seed=0)
    assert removed.features == ("good", "and", "bad")
    assert masked.features == ("good", "and", "good (2)", "and (2)", "bad")
    assert masked.columns == ("good", "and", "good", "and", "bad")


def test_the_same_text_is_asked_about_once():
    asked = []

    def model(texts):
        asked.extend(texts)
        return opinion(texts)

    explain_text(BlackBox(model), "good but thin", samples=1000, seed=0)
    assert len(asked) == len(set(asked)) == 8
    assert asked[0] == "good but thin"


def test_hidden_words_are_removed_everywhere_or_masked():
    text = "Good, so good: good!"
    hidden = np.array([[False, False, False], [False, False, True], [True, True, True]])
    assert hide_words(text)(hidden) == [text, "Good, so : !", ",  : !"]
    masked = hide_words(text, mask="_")(np.array([[False, True, False, True]]))
    assert masked == ["Good, _ good: _!"]


def test_removing_the_words_that_speak_for_it_makes_the_answer_fall_at_once():
    text = "a good film of nice people with some plot"
    found = explain_text(BlackBox(opinion), text, samples=500, labels=[1], seed=0)
    order = np.argsort(-found.weights[1], kind="stable")
    curve = deletion_curve(BlackBox(opinion), hide_words(text), order, 1)
    assert curve[0] > 0.9
    assert curve[2] == pytest.approx(0.5)


def test_the_same_seed_gives_the_same_answer_and_the_global_stream_is_left_alone():
    def explain(seed):
        return explain_text(BlackBox(three_classes), TEXT, samples=SAMPLES, seed=seed).to_dict()

    before = np.random.get_state()[1].copy()  # noqa: NPY002
    first = explain(3)
    assert explain(3) == first
    assert explain(4)["weights"] != first["weights"]
    np.testing.assert_array_equal(np.random.get_state()[1], before)  # noqa: NPY002


@pytest.mark.parametrize("text", ["good", "g", "9", "good good good"])
def test_a_text_of_one_word_is_explained(text):
    found = explain_text(BlackBox(opinion), text, labels=[1], seed=0)
    assert len(found.features) == 1
    assert (found.weights[1][0] > 0.01) == ("good" in text)


def test_a_model_that_says_the_same_of_all_texts_has_no_weights_and_no_r2():
    found = explain_text(BlackBox(lambda texts: np.full((len(texts), 2), 0.5)), TEXT, samples=SAMPLES, seed=0)
    assert np.abs(found.weights[0]).max() < 1e-14
    assert set(found.r2.values()) == {0.0}


@pytest.mark.parametrize(
    ("text", "settings", "message"),
    [
        ("", {}, "text='': must be at least one letter or digit"),
        ("  \n", {}, "must be at least one letter or digit; or unit='character'"),
        ("?!", {}, "text='\\?!': must be at least one letter or digit; or unit='character'"),
        ("", {"unit": "character"}, "text='': must be at least one letter"),
        (["good"], {}, "text='list': must be a str, one text"),
        (b"good", {}, "text='bytes'"),
        ("good", {"unit": "sentence"}, "unit='sentence'"),
        ("good", {"mask": 0}, "mask=0: must be a str"),
        ("so good", {"mask": "good"}, "mask='good': must be no word of the text itself"),
        ("good", {"samples": 1}, "samples=1: must be at least 2"),
        ("good", {"seed": -1}, "seed=-1"),
        ("so good", {"labels": [2]}, r"labels=\(2,\): must be one or more of the outputs 0 to 1"),
        ("so good", {"kernel_width": 0}, "kernel width=0"),
        ("so good", {"kernel_width": 0.1}, "kernel width=0.1: must be larger"),
        ("so good", {"count": 0}, "count=0"),
    ],
)
def test_what_cannot_be_explained_is_refused_in_one_clear_line(text, settings, message):
    with pytest.raises(InputError, match=message) as caught:
        explain_text(BlackBox(opinion), text, **{"samples": 20, "seed": 0, **settings})
    assert "\n" not in str(caught.value)


def test_a_model_that_is_no_black_box_is_refused():
    with pytest.raises(InputError, match=r"must be an explain.BlackBox\(model\)"):
        explain_text(opinion, "good", seed=0)


def test_masks_that_do_not_fit_the_text_are_refused():
    with pytest.raises(InputError, match=r"masks=\(1, 2\): must be \(n, 3\)"):
        hide_words("one two three")(np.zeros((1, 2), bool))


def explained(text=TEXT, **settings):
    return explain_text(BlackBox(opinion, names=("blame", "praise")), text, samples=200, seed=0, **settings)


def test_it_survives_json_to_the_bit_and_is_drawn_alike():
    found = explained()
    again = Explanation.from_dict(json.loads(json.dumps(found.to_dict())))
    assert again.to_dict() == found.to_dict()
    assert highlighted_html(again) == highlighted_html(found)


def test_words_are_blue_where_they_raise_the_answer_and_orange_where_they_lower_it():
    page = highlighted_html(explained("thin but good", labels=[1]))
    good, thin = (next(part for part in page.split("<span ") if f">{word}<" in part) for word in ("good", "thin"))
    blue, orange = (
        [int(part.split("#")[1][at : at + 2], 16) for at in (0, 2, 4)] for part in (good, thin)
    )  # fmt: skip
    assert blue[2] > blue[0]
    assert orange[0] > orange[2]
    assert '"+0' in good
    assert '"-0' in thin


def test_the_page_holds_the_text_escaped_and_loads_nothing():
    text = "good <script>alert(1)</script> & more"
    page = highlighted_html(explained(text))
    assert "<script" not in page
    assert "http" not in page
    assert len(page) < 10_000


def test_the_figure_writes_every_word_in_lines_that_fit():
    figure = highlight(explained(TEXT * 3), 1, columns=40)
    (axes,) = figure.axes
    written = [text for text in axes.texts if text.get_text().strip()]
    pieces = "".join(text.get_text() for text in written)
    assert pieces.replace(" ", "") == (TEXT * 3).replace(" ", "").replace("\n", "")
    assert max(text.get_position()[0] + len(text.get_text().rstrip()) for text in written) <= 40


def test_several_texts_are_written_below_each_other():
    axes = Figure().subplots()
    first = draw_words(axes, explained("so good"), 1)
    assert draw_words(axes, explained("thin\nplot"), 1, top=first) == first + 2


def test_only_texts_are_highlighted():
    other = Explanation("table", ("a",), {0: np.ones(1)}, {0: 0}, {0: 0}, {0: 0}, {0: 0}, {0: "a"}, 0, 2)
    with pytest.raises(InputError, match="explanation='table': must be one of a text"):
        highlight(other)


def verdict(texts):
    """The verdict of whichever kind of word is there more often."""
    praise, blame = ("moving", "bright", "clever"), ("dull", "clumsy", "tired")
    scores = [sum(word in praise for word in t.split()) - sum(word in blame for word in t.split()) for t in texts]
    positive = 1 / (1 + np.exp(-2 * (np.array(scores) - 0.1)))
    return np.stack([1 - positive, positive], axis=1)


def test_removing_the_named_words_turns_verdicts_that_random_words_leave():
    box = BlackBox(verdict, names=("negative", "positive"))
    texts = [
        "the long film has a moving plot and a bright cast that people by the sea like",
        "the long film has a dull plot and a moving cast that is bright by the sea",
        "for all its quiet music the drama is clumsy and its plot is tired from start to end",
        "a french comedy about two brothers , with clever music and a long look at the sea",
    ]
    found = [explain_text(box, text, samples=300, seed=0) for text in texts]
    turned = turn_by_removing(box, found, steps=6, draws=20, seed=0)
    assert turned.named.shape == (4, 7)
    assert not turned.named[:, 0].any()
    assert turned.named[:, 3].mean() >= 0.5
    assert turned.random[:, :, 3].mean() < 0.3


def test_a_text_of_which_nothing_is_left_is_one_unknown_word():
    vocabulary = Vocabulary(("dull", "film"), unknown="map")
    rows = read_words(vocabulary)(["dull film", "", "never"])
    (dull, film), unknown = vocabulary.encode(["dull", "film"]), vocabulary.unknown_token
    assert rows.tolist() == [[dull, film], [unknown, 0], [unknown, 0]]
