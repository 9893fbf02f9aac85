"""The surrogate equals scikit-learn's ridge, one label after the other, as lime fits it."""

import numpy as np
import pytest
from lime.lime_base import LimeBase

from explain.surrogate import fit_all, kernel_weights
from foundations.errors import InputError

WIDTH = 8.0


@pytest.fixture
def samples():
    rng = np.random.default_rng(0)
    data = rng.normal(size=(300, 12)) * rng.uniform(0.5, 3, 12) + rng.normal(size=12) * 5
    answers = np.stack([np.tanh(data[:, 0] - data[:, 1]), data[:, 3] * 0.2, data @ rng.normal(size=12)], axis=1)
    return data, answers, np.linalg.norm(data - data[0], axis=1)


def lime(samples, label, count, selection):
    data, answers, distances = samples
    base = LimeBase(lambda d: np.sqrt(np.exp(-(d**2) / WIDTH**2)))
    intercept, pairs, score, (local,) = base.explain_instance_with_data(
        data, answers, distances, label, count, selection
    )
    weights = np.zeros(data.shape[1])
    for feature, weight in pairs:
        weights[feature] = weight
    return weights, intercept, score, local


@pytest.mark.parametrize("count", [None, 1, 4, 12])
def test_all_labels_at_once_equal_lime_one_by_one(samples, count):
    data, answers, distances = samples
    found = fit_all(data, answers, kernel_weights(distances, WIDTH), [2, 0, 1], count=count)
    for label in (0, 1, 2):
        wanted = lime(samples, label, count or 12, "highest_weights" if count else "none")
        np.testing.assert_allclose(found.weights[label], wanted[0], rtol=1e-12, atol=1e-12)
        rest = (found.intercepts[label], found.r2[label], found.local_predictions[label])
        np.testing.assert_allclose(rest, wanted[1:], rtol=1e-11)


def test_more_features_than_samples_equal_lime_too(samples):
    data, answers, distances = (part[:9] for part in samples)
    found = fit_all(data, answers, kernel_weights(distances, WIDTH), [2])
    wanted, *_ = lime((data, answers, distances), 2, 12, "none")
    np.testing.assert_allclose(found.weights[2], wanted, rtol=1e-11, atol=1e-12)


def test_the_labels_keep_the_order_asked_for(samples):
    data, answers, _ = samples
    assert list(fit_all(data, answers, np.ones(300), [2, 0]).weights) == [2, 0]


def test_a_known_line_is_found(samples):
    data, _, _ = samples
    slopes = np.arange(12.0)
    found = fit_all(data, (data @ slopes + 3)[:, None], np.ones(300), [0], penalty=1e-9)
    np.testing.assert_allclose(found.weights[0], slopes, atol=1e-8)
    assert found.intercepts[0] == pytest.approx(3)
    assert found.r2[0] == pytest.approx(1)


@pytest.mark.parametrize("constant", [0.0, 0.37, 1e6])
def test_answers_that_never_change_explain_nothing(samples, constant):
    data, _, distances = samples
    found = fit_all(data, np.full((300, 1), constant), kernel_weights(distances, WIDTH), [0])
    assert found.r2[0] == 0
    np.testing.assert_allclose(found.weights[0], 0, atol=1e-12 * max(1, constant))


def test_near_samples_weigh_more_and_the_case_itself_one():
    weights = kernel_weights(np.array([0.0, 1.0, 2.0]), 2.0)
    np.testing.assert_allclose(weights, np.sqrt(np.exp([0, -1 / 4, -1])))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"weights": np.ones(5)}, r"weights shape=\(5,\): must be \(300,\)"),
        ({"weights": np.zeros(300)}, "not all 0"),
        ({"predictions": np.full((300, 3), np.nan)}, "predictions='NaN or infinite'"),
        ({"predictions": np.ones(300)}, r"predictions shape=\(300,\)"),
        ({"count": 0}, "count=0: must be at least 1"),
        ({"count": 3, "selection": "none"}, "None where selection is 'none'"),
        ({"selection": "highest_weight"}, "did you mean 'highest_weights'"),
        ({"penalty": 0.0}, "penalty=0.0: must be above 0"),
    ],
)
def test_what_cannot_be_fitted_is_refused(samples, change, message):
    data, answers, _ = samples
    given = {"predictions": answers, "weights": np.ones(300), **change}
    with pytest.raises(InputError, match=message):
        fit_all(data, given.pop("predictions"), given.pop("weights"), [0], **given)


def test_a_kernel_that_leaves_the_case_alone_is_refused():
    with pytest.raises(InputError, match=r"kernel width=0\.01: must be larger, .* all 2 together weigh 0"):
        kernel_weights(np.array([0.0, 5.0, 6.0]), 0.01)
    with pytest.raises(InputError, match="kernel width=0: must be above 0"):
        kernel_weights(np.array([0.0, 1.0]), 0)
