"""A network on a table: it learns, answers in the target's unit, and knows its training rows alone."""

import numpy as np
import pandas as pd
import pytest
import torch

from foundations import MLP, Adam, InputError, Streams, SupervisedLearner
from foundations.losses import mean_squared_error
from foundations.preprocessing import TableRegressor, table_pipeline


@pytest.fixture
def rows() -> pd.DataFrame:
    rng = np.random.default_rng(0)
    area, rooms = rng.uniform(20, 200, 400), rng.integers(1, 6, 400)
    return pd.DataFrame({"area": area, "rooms": rooms, "rent": 300 + 10 * area + 50 * rooms})


def regressor(rows: pd.DataFrame) -> TableRegressor:
    def build(features: int) -> MLP:
        return MLP((features, 16, 1), "silu", generator=torch.Generator().manual_seed(0))

    return TableRegressor(table_pipeline(["area", "rooms"]), build, rows, "rent")


def test_it_learns_a_linear_rent_to_a_twentieth_of_its_spread(rows):
    train, test = rows[:300], rows[300:]
    model = regressor(train)
    learner = SupervisedLearner(
        model.network,
        Adam(model.network.parameters(), lr=1e-2),
        mean_squared_error,
        model.features(train),
        model.targets(train),
        batch_size=50,
        streams=Streams(0),
    )
    for _, _ in zip(range(600), learner.learn(), strict=False):
        pass
    error = np.sqrt(np.mean((model.predict(test) - test["rent"]) ** 2))
    assert error < 0.05 * test["rent"].std()


def test_targets_of_the_training_rows_have_mean_zero_and_deviation_one(rows):
    targets = regressor(rows).targets(rows)
    assert targets.shape == (400, 1)
    assert targets.mean().item() == pytest.approx(0, abs=1e-5)
    assert targets.std(correction=0).item() == pytest.approx(1, abs=1e-5)


def test_the_network_in_units_says_what_predict_says(rows):
    model = regressor(rows)
    with torch.no_grad():
        said = model.in_units()(model.features(rows)).squeeze(1).double().numpy()
    np.testing.assert_allclose(said.clip(model.lowest, model.highest), model.predict(rows), rtol=1e-5)


def test_no_prediction_leaves_the_range_of_the_training_rows(rows):
    model = regressor(rows)
    far = model.predict(rows.assign(area=1e9))
    assert (far >= rows["rent"].min()).all()
    assert (far <= rows["rent"].max()).all()


def test_features_and_scale_come_from_the_training_rows_alone(rows):
    model = regressor(rows[:300])
    before = model.features(rows[:300])
    model.predict(rows[300:].assign(area=1e6))
    assert torch.equal(model.features(rows[:300]), before)
    assert model.mean == pytest.approx(rows["rent"][:300].mean())


@pytest.mark.parametrize(
    ("rent", "message"), [(float("nan"), "rent=.*a finite number in every row"), (5.0, r"rent=5\.0: .*more than one")]
)
def test_a_target_that_cannot_be_learnt_is_refused_by_name(rows, rent, message):
    with pytest.raises(InputError, match=message):
        regressor(rows.assign(rent=rent))
