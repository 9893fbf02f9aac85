"""Any model becomes one function whose answers are checked, and is itself left as it was."""

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.svm import SVC
from torch import nn

import foundations
from explain.blackbox import BlackBox
from foundations.errors import InputError

ROWS = np.random.default_rng(0).normal(size=(10, 3))


def halves(batch):
    return np.full((len(batch), 2), 0.5)


@pytest.fixture
def network(generator):
    layers = foundations.Linear(3, 4, generator=generator), foundations.BatchNorm(4), foundations.Dropout(0.5)
    return nn.Sequential(*layers, foundations.Linear(4, 2, generator=generator), foundations.Softmax(dim=1))


def test_a_network_answers_in_evaluation_mode_and_is_left_in_training_mode(network):
    found = BlackBox(network, batch_size=4)(ROWS)
    assert all(layer.training for layer in network.modules())
    with torch.no_grad():
        wanted = network.eval()(torch.from_numpy(ROWS).float()).double().numpy()
    np.testing.assert_allclose(found, wanted, rtol=1e-6)
    assert found.dtype == np.float64


def test_a_frozen_layer_of_a_network_in_training_stays_frozen(network):
    network[1].eval()
    BlackBox(network)(ROWS)
    assert [layer.training for layer in network] == [True, False, True, True, True]


def test_a_network_that_fails_is_left_in_training_mode_too(network):
    with pytest.raises(InputError, match="input shape"):
        BlackBox(network)(ROWS[:, :2])
    assert all(layer.training for layer in network.modules())


def test_statistics_and_random_streams_of_a_network_are_untouched(network):
    before = [buffer.clone() for buffer in network.buffers()], torch.get_rng_state()
    BlackBox(network)(ROWS)
    assert all(torch.equal(old, new) for old, new in zip(before[0], network.buffers(), strict=True))
    assert torch.equal(before[1], torch.get_rng_state())


def test_a_network_takes_floats_in_its_precision_and_whole_numbers_as_they_are():
    tokens = BlackBox(nn.Sequential(nn.EmbeddingBag(5, 2), nn.Softmax(dim=1)))
    assert tokens(np.array([[0, 1], [2, 4]])).shape == (2, 2)
    double = BlackBox(nn.Linear(3, 1).double(), outputs="values")
    assert double(ROWS.astype(np.float32)).shape == (10, 1)


@pytest.mark.parametrize("batch", [ROWS, torch.from_numpy(ROWS), ["a"] * 10, pd.DataFrame(ROWS)])
def test_a_function_gets_batches_of_what_it_is_called_with(batch):
    seen = []

    def model(part):
        seen.append((type(part), len(part)))
        return halves(part)

    assert BlackBox(model, batch_size=4)(batch).shape == (10, 2)
    assert seen == [(type(batch), 4), (type(batch), 4), (type(batch), 2)]


def test_batches_may_be_made_one_after_the_other():
    assert BlackBox(halves).predict_all(ROWS[start : start + 2] for start in (0, 2, 4)).shape == (6, 2)


def test_an_estimator_gives_probabilities_or_values():
    labels = (ROWS[:, 0] > 0).astype(int)
    classifier = LogisticRegression().fit(ROWS, labels)
    np.testing.assert_array_equal(BlackBox(classifier)(ROWS), classifier.predict_proba(ROWS))
    regression = LinearRegression().fit(ROWS, ROWS[:, 0])
    np.testing.assert_array_equal(BlackBox(regression, outputs="values")(ROWS)[:, 0], regression.predict(ROWS))


def test_a_forest_of_many_labels_gives_the_probability_of_each():
    truth = ROWS > 0
    forest = RandomForestClassifier(5, random_state=0).fit(ROWS, truth)
    found = BlackBox(forest, outputs="multi_label")(ROWS)
    np.testing.assert_array_equal(found[:, 2], forest.predict_proba(ROWS)[2][:, 1])
    assert found.shape == (10, 3)


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (lambda x: np.full((len(x), 1), 0.5), r"give both, numpy.column_stack\(\[1 - p, p\]\)"),
        (lambda x: np.full(len(x), 0.5), r"give both, numpy.column_stack"),
        (lambda x: halves(x)[:-1], "one row for each of 10 inputs"),
        (lambda x: np.full((len(x), 2, 2), 0.5), r"shape=\(10, 2, 2\)"),
        (lambda x: np.full((len(x), 2), np.nan), "model answer=nan: must be finite"),
        (lambda x: np.full((len(x), 2), np.inf), "model answer=inf: must be finite"),
        (lambda x: halves(x) * 0.9, "sum of probabilities=0.9: must be 1"),
        (lambda x: np.tile([-3.0, 5.0], (len(x), 1)), "these look like logits: add a softmax"),
        (lambda x: np.log(halves(x)), "not its logarithm: take exp"),
        (lambda x: ["cat"] * len(x), "must be an array of numbers"),
    ],
)
def test_answers_that_are_no_probabilities_are_refused_with_the_fix(answer, message):
    with pytest.raises(InputError, match=message):
        BlackBox(answer)(ROWS)


def test_probabilities_in_half_precision_are_taken():
    box = BlackBox(lambda x: torch.rand(len(x), 7, generator=torch.Generator().manual_seed(0)).softmax(1).half())
    assert box(ROWS).shape == (10, 7)


def test_labels_that_stand_by_themselves_need_not_sum_to_one_but_stay_in_the_unit_range():
    assert BlackBox(lambda x: np.full((len(x), 2), 0.9), outputs="multi_label")(ROWS)[0, 0] == 0.9
    with pytest.raises(InputError, match=r"model answer=1.5: must be in \[0, 1\]"):
        BlackBox(lambda x: np.full((len(x), 2), 1.5), outputs="multi_label")(ROWS)


def test_values_may_be_one_number_an_input():
    assert BlackBox(lambda x: 1e6 * x[:, 0], outputs="values")(ROWS).shape == (10, 1)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: BlackBox(halves, outputs="probability"), "did you mean 'probabilities'"),
        (lambda: BlackBox(halves, batch_size=0), "batch_size=0: must be at least 1"),
        (lambda: BlackBox(halves, device="cpu"), "None for a model that is not a torch module"),
        (lambda: BlackBox("model.pt"), "model='str': must be a torch module"),
        (lambda: BlackBox(SVC()), "must have predict_proba"),
        (lambda: BlackBox(LogisticRegression().fit(ROWS, [0, 1] * 5), outputs="values"), "its predict gives labels"),
        (lambda: BlackBox(halves, names=("cat",))(ROWS), "number of names=1: must be 2 for 2 outputs"),
        (lambda: BlackBox(nn.Linear(3, 2))(["a text"]), "must be numbers for a torch module"),
        (lambda: BlackBox(halves)([]), "batch='no inputs'"),
        (lambda: BlackBox(halves).predict_all([]), "batch='no inputs'"),
    ],
)
def test_what_cannot_be_a_black_box_is_refused(make, message):
    with pytest.raises(InputError, match=message):
        make()


def test_labels_are_all_likeliest_first_unless_they_are_many():
    box = BlackBox(halves)
    assert box.choose_labels(np.array([0.2, 0.5, 0.3]), None) == (1, 2, 0)
    assert box.choose_labels(np.arange(50) / 1225, None) == (49,)
    assert BlackBox(halves, outputs="values").choose_labels(np.array([0.2, 0.5]), None) == (0, 1)
    assert box.choose_labels(np.array([0.2, 0.8]), np.array([1])) == (1,)


@pytest.mark.parametrize("labels", [[2], [-1], [], [0, 0]])
def test_labels_that_are_no_outputs_are_refused(labels):
    with pytest.raises(InputError, match="labels="):
        BlackBox(halves).choose_labels(np.array([0.5, 0.5]), labels)


def test_a_single_value_is_called_value_and_several_are_numbered():
    values = BlackBox(lambda x: x, outputs="values")
    assert values.name_of(0, 1) == "value"
    assert [values.name_of(label, 3) for label in range(3)] == ["0", "1", "2"]
    assert BlackBox(halves, names=("cat", "dog")).name_of(1, 2) == "dog"


def test_batches_are_prepared_for_the_model_after_they_are_cut():
    sizes = []

    def lengths(texts):
        sizes.append(len(texts))
        return torch.tensor([[float(len(text))] for text in texts])

    box = BlackBox(torch.nn.Identity(), outputs="values", batch_size=2, prepare=lengths)
    assert box(["a", "bcd", "ef"])[:, 0].tolist() == [1, 3, 2]
    assert sizes == [2, 1]
