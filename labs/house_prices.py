"""Predict house prices in California: a network against trees, on a raw table.

The table (20,640 districts, census of 1990) has missing values, heavy tails, a category and a map. The rows are split
by income; one network a seed is trained and held against a mean, a ridge regression, a random forest and
gradient-boosted trees. Waves over the map (Tancik et al. 2020, arXiv:2006.10739) let a network draw the borders that
trees cut by themselves. No choice is made on the test rows: all settings, the trees' too, were chosen on a validation
part of the training rows. Prices end at a cap of 500,001 USD. The lab `table_preparation` shows what prepares the rows.
For comparison: a tuned random forest in Geron, Hands-On Machine Learning (2nd edition, 2019), comes to 47,730 USD.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from annotated_types import Interval

import foundations
import labs.kit as kit
from labs.kit.data.housing import CATEGORY, COORDINATES, FEWEST_ROWS, NUMERIC, PRICE, RATIOS

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray
    from sklearn.compose import ColumnTransformer
    from sklearn.pipeline import Pipeline
    from torch import Tensor, nn

    from foundations.preprocessing import TableRegressor

    Array = NDArray[np.float64]

topic = "foundations"
best = ("test_rmse_usd/network", "min")
BOOSTED = "boosted trees, tuned"
AVERAGED = "networks, averaged"
KEYS = {"random forest": "random_forest", BOOSTED: "boosted_trees", "network": "network", AVERAGED: "networks_averaged"}
"""Models whose error on the test rows stands in the run's summary, and how it is called there."""


@dataclass(frozen=True)
class Config(kit.Config):
    """Settings of the lab."""

    data: str = "housing"
    """housing, or a CSV file with the same columns."""
    repetitions: kit.Count = 5
    """Networks, each with weights, batches and waves of its own; their mean error is judged, then their average."""
    epochs: kit.Count = 30
    """Passes over the training rows; many more overfit."""
    width: kit.Count = 256
    """Units in each of the three hidden layers."""
    batch_size: kit.Count = 256
    """Rows an update; fewer where an epoch would have below 50 updates."""
    learning_rate: kit.Rate = 2e-3
    """AdamW's largest step size, reached after a tenth of the steps; it falls to 0 in half a cosine."""
    dropout: Annotated[float, Interval(ge=0, lt=1)] = 0.0
    """Share of the hidden units that each update leaves out."""
    waves: kit.Count = 64
    """Random waves over the map; each gives a cosine and a sine."""
    wave_scale: kit.Rate = 5.0
    """Periods of a typical wave in a standard deviation of the map (200 km); more draws finer borders, and overfits."""
    imputation: Literal["mean", "median", "neighbours"] = "median"
    """What a missing value becomes: its column's mean or median, or the mean of the five nearest rows."""
    trees: kit.Count = 100
    """Trees of the random forest."""
    boosting_rounds: kit.Count = 1_000
    """Trees of the tuned gradient boosting."""
    shuffles: kit.Count = 5
    """Times that each column is shuffled, to see how the error grows."""
    curve_points: kit.Count = 4
    """Points of the learning curve: all rows, half of them, a quarter, ..."""

    useful_threads: ClassVar[int] = 1
    presets: ClassVar[kit.Presets] = {
        "smoke": {"repetitions": 1, "epochs": 2, "trees": 5, "boosting_rounds": 30, "shuffles": 1, "curve_points": 1},
        "full": {"repetitions": 10, "epochs": 40, "dropout": 0.1, "wave_scale": 4.0, "trees": 300, "curve_points": 6},
    }


def main(config: Config, run: kit.Run) -> None:
    """Prepare, compare, explain."""
    from labs.drawings import house_prices as drawings
    from labs.kit.data.housing import cap_of_prices, require_districts, split_districts

    frame = run.load_table(config.data).frame
    require_districts(frame, config.data)
    if cap := cap_of_prices(frame):
        run.note(cap)
    parts = split_districts(frame)
    prices = drawings.draw_map(frame, frame[PRICE] / 1000, "What a house costs", "median price (1,000 USD)")
    run.figure("map_of_prices", prices)
    networks = [_train(config, run, f"seed_{number}", parts["training"]) for number in range(config.repetitions)]
    boosted = _compare(config, run, parts, networks)
    _importance(config, run, {BOOSTED: boosted, "network": networks[0]}, parts["test"])
    _learning_curve(config, run, parts)
    run.model("price_in_usd", networks[0].in_units(), networks[0].features(parts["test"][:8]))


def _train(
    config: Config, run: kit.Run, phase: str, rows: "pd.DataFrame", watched: "pd.DataFrame | None" = None
) -> "TableRegressor":
    """A network that has learnt the prices of `rows`; its loss on `watched` rows is recorded, and changes nothing."""
    from foundations.preprocessing import TableRegressor

    streams = run.streams.child(phase)

    def build(features: int) -> "nn.Module":
        return foundations.MLP(
            (features, config.width, config.width, config.width, 1),
            activation="silu",
            dropout=config.dropout,
            generator=streams.torch("weights"),
            dropout_generator=streams.torch("dropout", run.device),
        )

    model = TableRegressor(_network_inputs(config, streams), build, rows, PRICE, run.device)
    batch_size = min(config.batch_size, max(4, len(rows) // 50))
    epoch = len(rows) // batch_size
    steps = config.epochs * epoch
    validation = None
    if watched is not None:
        validation = foundations.Validation(model.features(watched), model.targets(watched), every=epoch)
    learner = foundations.SupervisedLearner(
        model.network,
        foundations.AdamW(model.network.parameters(), lr=config.learning_rate, weight_decay=0.01, fused=True),
        _loss,
        model.features(rows),
        model.targets(rows),
        batch_size=batch_size,
        streams=streams,
        schedule=foundations.schedules.warmup_cosine(steps // 10, steps),
        validation=validation,
    )
    for _ in run.follow(learner, steps=steps, examples_per_step=batch_size, name=phase):
        pass
    return model


def _network_inputs(config: Config, streams: "foundations.Streams") -> "ColumnTransformer":
    """Ratios, columns made normal, categories, and random waves over the map: what suits a network."""
    from foundations.preprocessing import FourierFeatures, table_pipeline

    seed = int(streams.numpy("waves").integers(2**31))
    return table_pipeline(
        NUMERIC,
        [CATEGORY],
        ratios=RATIOS,
        scaling="normal",
        imputation=config.imputation,
        waves_over=COORDINATES,
        waves=FourierFeatures(config.waves, config.wave_scale, seed),
    )


def _loss(prediction: "Tensor", target: "Tensor") -> "Tensor":
    """Huber's: a district that costs far more or less than all about it tells, pulls with a bounded force."""
    return foundations.losses.huber(prediction, target, delta=0.5)


def _rivals(
    inputs: "ColumnTransformer", trees: int, rounds: int, seed: int, several: int
) -> "dict[str, list[Pipeline]]":
    """Simple models with the network's `inputs`, and trees; the tuned ones `several` times, each with another seed."""
    from sklearn.dummy import DummyRegressor
    from sklearn.ensemble import HistGradientBoostingRegressor, RandomForestRegressor
    from sklearn.linear_model import Ridge
    from sklearn.pipeline import make_pipeline

    return {
        "mean price": [make_pipeline(inputs, DummyRegressor())],
        "ridge, the network's inputs": [make_pipeline(inputs, Ridge())],
        "random forest": [_trees(RandomForestRegressor(trees, max_features=1 / 3, random_state=seed))],
        "boosted trees, defaults": [_trees(HistGradientBoostingRegressor(random_state=seed))],
        BOOSTED: [_boosted(rounds, each) for each in range(several)],
    }


def _boosted(rounds: int, seed: int) -> "Pipeline":
    """Gradient-boosted trees with settings that were chosen on a validation part of the training rows."""
    from sklearn.ensemble import HistGradientBoostingRegressor

    shape = {"max_leaf_nodes": 63, "min_samples_leaf": 10, "l2_regularization": 5.0, "max_features": 0.5}
    pace = {"max_iter": rounds, "learning_rate": 0.05, "early_stopping": False}
    return _trees(HistGradientBoostingRegressor(random_state=seed, **shape, **pace))


def _trees(model: Any) -> "Pipeline":
    """Trees get the ratios too, and numbers for categories; scales mean nothing to them."""
    from sklearn.pipeline import make_pipeline

    table = foundations.preprocessing.table_pipeline
    return make_pipeline(table(NUMERIC, [CATEGORY], ratios=RATIOS, encoding="ordinal"), model)


# --- what is shown ----------------------------------------------------------------------------------------------------


def _compare(
    config: Config, run: kit.Run, parts: "Mapping[str, pd.DataFrame]", networks: "Sequence[TableRegressor]"
) -> "Pipeline":
    """Every model on the test rows: table, bars, predicted against true prices, errors on the map. Gives the trees."""
    import numpy as np

    from labs.drawings import house_prices as drawings

    training, test, inputs = parts["training"], parts["test"], _network_inputs(config, run.streams)
    rivals = _rivals(inputs, config.trees, config.boosting_rounds, config.seed, config.repetitions)
    prices, truth = training[PRICE].to_numpy(float), test[PRICE].to_numpy(float)
    guesses = {
        name: [model.fit(training, prices).predict(test).clip(prices.min(), prices.max()) for model in each]
        for name, each in rivals.items()
    }
    guesses["network"] = [network.predict(test) for network in networks]
    average = np.mean(guesses["network"], axis=0)
    guesses[AVERAGED] = [average]
    rows = [_judged(name, several, truth) for name, several in guesses.items()]
    run.table("comparison", rows)
    run.figure("comparison", drawings.draw_comparison(rows))
    run.summary({f"test_rmse_usd/{KEYS[row['model']]}": row["RMSE (USD)"] for row in rows if row["model"] in KEYS})
    pair = {BOOSTED: guesses[BOOSTED][0], AVERAGED: average}
    run.figure("predicted_and_true", drawings.draw_predicted_and_true(truth, pair))
    title, label = "Where the averaged networks err, on test rows", "predicted - true (1,000 USD)"
    run.figure("map_of_errors", drawings.draw_map(test, (average - truth) / 1000, title, label, symmetric=150))
    return rivals[BOOSTED][0]


def _judged(name: str, guesses: "Sequence[Array]", truth: "Array") -> dict[str, Any]:
    """The errors of a model, each figure a mean over its seeds."""
    import numpy as np

    errors = np.stack(guesses) - truth  # (seeds, rows)
    rmse = np.sqrt(np.square(errors).mean(axis=1))
    return {
        "model": name,
        "seeds": len(guesses),
        "RMSE (USD)": round(float(rmse.mean())),
        "spread (USD)": round(float(rmse.std(ddof=1))) if len(guesses) > 1 else 0,
        "mean absolute error (USD)": round(float(np.abs(errors).mean())),
        "R2": round(float(1 - np.square(errors).mean() / truth.var()), 4),
    }


def _importance(config: Config, run: kit.Run, compared: "Mapping[str, Any]", rows: "pd.DataFrame") -> None:
    """How much each model's error grows when one column is shuffled among the rows."""
    from sklearn.inspection import permutation_importance

    from labs.drawings import house_prices as drawings

    seed = int(run.streams.numpy("shuffles").integers(2**31))
    columns, truth = rows[[*NUMERIC, CATEGORY]], rows[PRICE].to_numpy(float)
    rises = {
        name: permutation_importance(
            model, columns, truth, scoring=_negative_error, n_repeats=config.shuffles, random_state=seed
        ).importances  # (columns, shuffles)
        for name, model in compared.items()
    }
    run.figure("importance", drawings.draw_importance(list(columns.columns), rises))


def _negative_error(model: Any, rows: "pd.DataFrame", truth: "Array") -> float:
    from sklearn.metrics import root_mean_squared_error

    return -float(root_mean_squared_error(truth, model.predict(rows)))


def _learning_curve(config: Config, run: kit.Run, parts: "Mapping[str, pd.DataFrame]") -> None:
    """The error on the validation rows over the number of rows learnt from."""
    from labs.drawings import house_prices as drawings

    fit, validation = parts["fit"], parts["validation"]
    halved = [len(fit) >> times for times in reversed(range(config.curve_points))]
    counts = [count for count in halved if count >= FEWEST_ROWS / 4]
    curves: dict[str, list[float]] = {BOOSTED: [], "network": []}
    for count in counts:
        rows = fit[:count]
        trees = _boosted(config.boosting_rounds, config.seed).fit(rows, rows[PRICE].to_numpy(float))
        network = _train(config, run, f"rows_{count}", rows, validation)
        for name, model in ((BOOSTED, trees), ("network", network)):
            curves[name].append(-_negative_error(model, validation, validation[PRICE].to_numpy(float)))
    run.figure("learning_curve", drawings.draw_learning_curve(counts, curves))


if __name__ == "__main__":
    kit.launch(main)
