"""Splits: every row once, the shares kept, each stratum kept in its share."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.model_selection import train_test_split

from foundations.errors import InputError
from foundations.preprocessing import quantile_bins, random_split, stratified_split


@given(count=st.integers(20, 200), cuts=st.lists(st.integers(1, 5), min_size=1, max_size=4), seed=st.integers(0, 9))
def test_every_row_is_in_exactly_one_part(count, cuts, seed):
    parts = random_split(count, [cut / sum(cuts) for cut in cuts], seed)
    assert len(parts) == len(cuts)
    assert sorted(np.concatenate(parts)) == list(range(count))


@given(st.lists(st.sampled_from("abc"), min_size=40, max_size=200), st.integers(0, 9))
def test_every_row_is_in_exactly_one_part_and_strata_keep_their_shares(letters, seed):
    strata = np.array(letters + list("abc") * 4)
    parts = stratified_split(strata, (0.5, 0.3, 0.2), seed)
    assert sorted(np.concatenate(parts)) == list(range(len(strata)))
    for part, share in zip(parts, (0.5, 0.3, 0.2), strict=True):
        for letter in "abc":
            assert abs((strata[part] == letter).sum() - share * (strata == letter).sum()) <= 2


def test_shares_of_a_hundred_rows_are_their_percents():
    assert [len(part) for part in random_split(100, (0.7, 0.1, 0.2), 0)] == [70, 10, 20]


def test_a_rare_class_is_in_every_part():
    strata = np.array([0] * 90 + [1] * 10)
    assert [int(strata[part].sum()) for part in stratified_split(strata, (0.7, 0.1, 0.2), 3)] == [7, 1, 2]


def test_two_shares_give_the_parts_of_scikit_learn():
    strata = np.arange(1000) % 7
    train, test = stratified_split(strata, (0.8, 0.2), 42)
    wanted = train_test_split(np.arange(1000), test_size=0.2, stratify=strata, random_state=42)
    assert np.array_equal(train, wanted[0])
    assert np.array_equal(test, wanted[1])


def test_another_seed_gives_another_split():
    assert not np.array_equal(random_split(50, (0.5, 0.5), 0)[0], random_split(50, (0.5, 0.5), 1)[0])


def test_quantile_bins_of_distinct_values_hold_equally_many():
    values = np.random.default_rng(0).exponential(size=1000)
    bins = quantile_bins(values, 4)
    assert np.bincount(bins).tolist() == [250] * 4
    assert all(values[bins == low].max() < values[bins == low + 1].min() for low in range(3))


@pytest.mark.parametrize("shares", [(0.5, 0.4), (1.2, -0.2), (), (0.0, 1.0)])
def test_shares_that_do_not_sum_to_one_are_refused(shares):
    with pytest.raises(InputError, match=r"shares=.*: must be numbers above 0 that sum to 1"):
        random_split(10, shares, 0)


def test_a_part_without_a_row_is_refused():
    with pytest.raises(InputError, match=r"count=2: must be enough for a row a part; .* \[2, 0\] rows"):
        random_split(2, (0.9, 0.1), 0)


def test_no_rows_at_all_are_refused():
    with pytest.raises(InputError, match="count=0"):
        stratified_split([], (0.5, 0.5), 0)


def test_a_stratum_of_fewer_rows_than_parts_is_named():
    with pytest.raises(InputError, match=r"stratum='rare': must be in at least 3 rows.*it is in 2"):
        stratified_split(["often"] * 50 + ["rare"] * 2, (0.6, 0.2, 0.2), 0)


@pytest.mark.parametrize("strata", [[1.0, float("nan")] * 5, np.array(["a", None] * 5, dtype=object)])
def test_missing_strata_are_refused(strata):
    with pytest.raises(InputError, match=r"strata=.*present in every row"):
        stratified_split(strata, (0.5, 0.5), 0)


@pytest.mark.parametrize(("values", "bins"), [([], 2), ([1.0, float("nan")], 2), ([1.0], 0)])
def test_values_that_cannot_be_binned_are_refused(values, bins):
    with pytest.raises(InputError):
        quantile_bins(values, bins)
