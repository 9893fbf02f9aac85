"""Ratios and random Fourier features: hand-worked cases, the kernel behind the waves, scikit-learn's demands."""

import numpy as np
import pandas as pd
import pytest
from sklearn.utils.estimator_checks import check_estimator

from foundations.errors import InputError
from foundations.preprocessing import FourierFeatures, RatioFeatures


@pytest.mark.parametrize(
    "transformer", [RatioFeatures(), RatioFeatures(pairs=((0, 1),)), FourierFeatures()], ids=["none", "ratio", "waves"]
)
def test_feature_transformers_meet_all_demands_of_scikit_learn(transformer):
    check_estimator(transformer, on_skip=None)


def test_a_ratio_is_appended_for_each_pair():
    found = RatioFeatures(((0, 1), (1, 0))).fit_transform([[6.0, 2.0], [1.0, 4.0]])
    assert found.tolist() == [[6, 2, 3, 1 / 3], [1, 4, 0.25, 4]]


def test_columns_are_found_by_name_and_ratios_are_named_after_them():
    table = pd.DataFrame({"households": [2.0], "rooms": [10.0]})
    ratios = RatioFeatures((("rooms", "households"),)).fit(table)
    assert ratios.transform(table).tolist() == [[2, 10, 5]]
    assert ratios.get_feature_names_out().tolist() == ["households", "rooms", "rooms_per_households"]


def test_a_ratio_to_nothing_is_missing_not_infinite():
    found = RatioFeatures(((0, 1),)).fit_transform([[1.0, 0.0], [0.0, 0.0], [np.nan, 1.0]])
    assert np.isnan(found[:, 2]).all()


@pytest.mark.parametrize("pair", [("rooms", "house"), (0, 2), (0,), ("rooms", "rooms", "rooms")])
def test_a_pair_that_names_no_two_columns_is_refused_with_the_columns(pair):
    with pytest.raises(InputError, match=r"pair=.*: must be two of the columns.*rooms, beds"):
        RatioFeatures((pair,)).fit(pd.DataFrame({"rooms": [1.0], "beds": [2.0]}))


def test_waves_are_cosines_then_sines_of_the_frequencies():
    x = np.array([[0.25, -1.0]])
    waves = FourierFeatures(waves=3).fit(x)
    phases = 2 * np.pi * waves.frequencies_ @ x[0]
    np.testing.assert_allclose(waves.transform(x)[0], [*np.cos(phases), *np.sin(phases)], atol=1e-12)


def test_products_of_waves_approach_the_gaussian_kernel():
    x = np.random.default_rng(0).uniform(-0.3, 0.3, (20, 2))
    features = FourierFeatures(waves=20_000, scale=0.7).fit_transform(x)
    distances = np.square(x[:, None] - x[None]).sum(-1)
    np.testing.assert_allclose(features @ features.T / 20_000, np.exp(-2 * np.pi**2 * 0.49 * distances), atol=0.03)


def test_the_seed_alone_decides_which_waves_are_drawn():
    x = np.zeros((1, 2))
    first = FourierFeatures(seed=1).fit(x).frequencies_
    np.random.seed(5)  # noqa: NPY002
    assert np.array_equal(first, FourierFeatures(seed=1).fit(x + 3).frequencies_)
    assert not np.array_equal(first, FourierFeatures(seed=2).fit(x).frequencies_)


@pytest.mark.parametrize("settings", [{"waves": 0}, {"scale": 0.0}, {"scale": float("inf")}, {"seed": -1}])
def test_impossible_settings_are_refused_by_name(settings):
    with pytest.raises(InputError, match=next(iter(settings))):
        FourierFeatures(**settings).fit([[0.0]])
