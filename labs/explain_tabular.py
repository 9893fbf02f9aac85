"""Why a network says so, for tables: tumours or house prices by LIME, and how far to trust the reasons.

A small network learns breast cancer (569 tumours, 30 measures, comes with scikit-learn) or prices of Californian
districts (or `--run` takes the network of an earlier run of this lab). Single answers are explained, the wrong ones
too; a ranking over many stands beside permutation importance. Then the explanations are put on trial: the fit of their
lines, what hiding columns in their order does, other seeds, and models in which the columns that matter were planted.
Source: Ribeiro et al. 2016, arXiv:1602.04938.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from annotated_types import Ge

import explain
import foundations
import labs.kit as kit
from labs.drawings import explain_tabular as drawings

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray
    from torch import Tensor, nn

    from explain import Explanation

    Array = NDArray[np.float64]

topic = "explanation"
SEA = "ocean_proximity"
PRICE = "median_house_value"
NUMERIC = [
    *("median_income", "housing_median_age", "rooms_per_household", "bedrooms_per_room"),
    *("people_per_household", "households", "longitude", "latitude"),
]
SPLIT_SEED = 42
RANDOM_ORDERS = 20
"""Orders at random that an explanation's order must beat."""


@dataclass(frozen=True)
class Config(kit.Config):
    """Settings of the lab."""

    data: Literal["breast_cancer", "housing"] = "breast_cancer"
    """What the network learns; housing is found in LABS_DATA_DIR or downloaded."""
    run: str | None = None
    """A finished run of this lab, on the same data, whose network is explained (its name, id or `last`)."""
    epochs: kit.Count = 30
    """Passes over the training rows."""
    width: kit.Count = 64
    """Units in each of the two hidden layers."""
    samples: Annotated[int, Ge(500)] = 5_000
    """Rows drawn at random for an explanation."""
    explained: Annotated[int, Ge(10)] = 100
    """Test rows explained for the ranking and the figures of quality."""
    repetitions: Annotated[int, Ge(2)] = 5
    """Explanations of the same case, each with a seed of its own, which must agree."""
    planted: kit.Count = 50
    """Models in which the columns that matter are known."""

    presets: ClassVar[kit.Presets] = {
        "smoke": {"epochs": 5, "samples": 500, "explained": 20, "repetitions": 2, "planted": 10},
        "full": {"epochs": 60, "explained": 500, "repetitions": 10, "planted": 500},
    }
    useful_threads: ClassVar[int] = 1


@dataclass(frozen=True)
class Task:
    """A trained model and the rows that it is asked about.

    What is explained is the `quantity`; `truth` is what it should be. Times `scale` it is in `unit`s; `short` writes an
    answer, `words` an answer and the truth. `loss` says how bad answers are, as `loss_name`.
    """

    model: "explain.TableModel"
    test: "pd.DataFrame"
    truth: "Array"
    quantity: str
    scale: float
    unit: str
    short: Callable[[float], str]
    words: Callable[[float, float], str]
    loss: Callable[["Array", "Array"], float]
    loss_name: str


def main(config: Config, run: kit.Run) -> None:
    """Train, explain, and put the explanations on trial."""
    import numpy as np

    task = train_tumours(config, run) if config.data == "breast_cancer" else train_houses(config, run)
    loss, near = task.loss(task.model.answer(task.test), task.truth), task.model.near(task.test)
    run.summary({f"test/{task.loss_name.split(' (')[0].lower()}": loss})
    if far := int((~near).sum()):
        run.note(f"{far} of {len(near)} test rows lie too far out to be explained by rows drawn around the mean")
    look_at_cases(task, config, run)
    chosen = run.streams.numpy("explained").permutation(np.flatnonzero(near))[: config.explained]
    rows = task.test.iloc[chosen]
    found = explained(task, rows, config)
    rank(task, rows, found, config, run)
    judge(task, rows, found, config, run)
    find_planted(task, config, run)


# --- models -----------------------------------------------------------------------------------------------------------


def train_tumours(config: Config, run: kit.Run) -> Task:
    """A classifier of tumours; what is explained is the probability that one is malignant."""
    import numpy as np
    import torch
    from sklearn.datasets import load_breast_cancer

    bunch = load_breast_cancer(as_frame=True)
    frame, benign = bunch.data, bunch.target.to_numpy(np.int64)
    parts = foundations.preprocessing.stratified_split(benign, (0.8, 0.2), SPLIT_SEED)
    training, test = (frame.iloc[part].reset_index(drop=True) for part in parts)
    inputs = foundations.preprocessing.table_pipeline(list(frame)).fit(training)

    def features(rows: "pd.DataFrame") -> torch.Tensor:
        return torch.from_numpy(inputs.transform(rows)).float().to(run.device)

    network, labels = load_network(frame.shape[1], 2, config, run), torch.from_numpy(benign[parts[0]]).to(run.device)
    fit(network, features(training), labels, foundations.losses.cross_entropy_from_logits, config, run)
    run.model("network", network, features(test[:8]))
    classifier = torch.nn.Sequential(network, foundations.Softmax(dim=1))
    box = explain.BlackBox(classifier, prepare=features, batch_size=10_000, names=bunch.target_names)
    return Task(
        explain.TableModel(box, explain.Background(training)),
        test=test,
        truth=1.0 - benign[parts[1]],
        quantity="probability of malignancy",
        scale=100,
        unit="percentage points",
        short=lambda answer: f"{100 * answer:.1f} %",
        words=lambda answer, truth: f"{100 * answer:.1f} %, truth {'malignant' if truth else 'benign'}",
        loss=lambda answer, truth: float(-np.log(np.abs(1 - truth - answer).clip(1e-7)).mean()),
        loss_name="cross-entropy (nats)",
    )


def train_houses(config: Config, run: kit.Run) -> Task:
    """A network for the price of a district's houses, on columns that a reader can picture."""
    import numpy as np

    frame = run.load_table("housing").frame
    bedrooms = frame["total_bedrooms"].fillna(frame["total_bedrooms"].median())
    frame["rooms_per_household"] = frame["total_rooms"] / frame["households"]
    frame["bedrooms_per_room"] = bedrooms / frame["total_rooms"]
    frame["people_per_household"] = frame["population"] / frame["households"]
    strata = foundations.preprocessing.quantile_bins(frame["median_income"].to_numpy(), 5)
    parts = foundations.preprocessing.stratified_split(strata, (0.8, 0.2), SPLIT_SEED)
    training, test = (frame.iloc[part].reset_index(drop=True)[[*NUMERIC, SEA, PRICE]] for part in parts)
    inputs = foundations.preprocessing.table_pipeline(NUMERIC, [SEA], scaling="normal")
    model = foundations.preprocessing.TableRegressor(
        inputs, lambda columns: load_network(columns, 1, config, run), training, PRICE, run.device
    )
    fit(model.network, model.features(training), model.targets(training), foundations.losses.huber, config, run)
    run.model("price_in_usd", model.in_units(), model.features(test[:8]))
    box = explain.BlackBox(model, outputs="values", names=("price",))
    return Task(
        explain.TableModel(box, explain.Background(training.drop(columns=PRICE))),
        test=test.drop(columns=PRICE),
        truth=model.values(test),
        quantity="price",
        scale=0.001,
        unit="1,000 USD",
        short=lambda answer: f"{answer:,.0f} USD",
        words=lambda answer, truth: f"{answer:,.0f} USD, truth {truth:,.0f}",
        loss=lambda answer, truth: float(np.sqrt(np.square(answer - truth).mean())),
        loss_name="RMSE (USD)",
    )


def load_network(inputs: int, outputs: int, config: Config, run: kit.Run) -> "nn.Module":
    """A network at its first weights, or that of a finished run: the rows are divided and scaled as they were then."""
    if config.run is None:
        sizes = (inputs, config.width, config.width, outputs)
        return foundations.MLP(sizes, activation="silu", generator=run.streams.torch("weights")).to(run.device)
    kept: Any = run.load_model(config.run, lab="explain_tabular", data=config.data).module
    network: nn.Module = kept[0] if config.data == "housing" else kept  # behind it is the way back to dollars
    return network


def fit(network: "nn.Module", inputs: "Tensor", targets: "Tensor", loss: Any, config: Config, run: kit.Run) -> None:
    """Teach the network the training rows; that of a finished run has learned."""
    if config.run:
        return
    batch_size = min(256, max(16, len(inputs) // 15))
    steps = config.epochs * (len(inputs) // batch_size)
    optimizer = foundations.AdamW(network.parameters(), lr=2e-3, weight_decay=0.01, fused=True)
    schedule = foundations.schedules.warmup_cosine(steps // 10, steps)
    settings: dict[str, Any] = {"batch_size": batch_size, "streams": run.streams, "schedule": schedule}
    learner = foundations.SupervisedLearner(network, optimizer, loss, inputs, targets, **settings)
    for _ in run.follow(learner, steps=steps, examples_per_step=batch_size):
        pass


# --- explanations -----------------------------------------------------------------------------------------------------


def choose_cases(task: Task) -> dict[str, int]:
    """Test rows to be looked at: the highest answer, the lowest, one between, and the one most in error."""
    import numpy as np

    answers, near = task.model.answer(task.test), task.model.near(task.test)
    wrong = int(np.where(near, np.abs(answers - task.truth), -1).argmax())
    order = [number for number in np.argsort(answers).tolist() if near[number] and number != wrong]
    middle = 0.5 if task.model.box.outputs == "probabilities" else np.median(answers)
    between = min(order[1:-1], key=lambda number: abs(answers[number] - middle))
    return {"highest": order[-1], "lowest": order[0], "in the middle": between, "worst mistake": wrong}


def explained(task: Task, rows: "pd.DataFrame", config: Config, **settings: Any) -> "list[Explanation]":
    """Explanations of rows, with all columns unless `settings` say otherwise."""
    return task.model.explain(rows, samples=config.samples, seed=config.seed, **settings)


def look_at_cases(task: Task, config: Config, run: kit.Run) -> None:
    """Four cases explained, and whether each explanation may be believed: its fit, and the same from other seeds."""
    chosen = choose_cases(task)
    found = explained(task, task.test.iloc[list(chosen.values())], config)
    again = {name: task.model.again(task.test.iloc[[row]]) for name, row in chosen.items()}
    seeds = range(config.repetitions)
    trust = explain.examine(dict(zip(chosen, found, strict=True)), again, samples=config.samples, seeds=seeds)
    truths = {name: float(task.truth[row]) for name, row in chosen.items()}
    run.figure("single_cases", drawings.draw_cases(trust, truths, task))
    worst = trust.found["worst mistake"]
    run.file("worst_mistake.html", lambda path: path.write_text(worst.html(), encoding="utf-8"))
    run.table("worst_mistake", worst.to_frame().to_dict("records"))
    drawings.show_trust(trust, run)
    run.summary({"jaccard": trust.jaccard})


def rank(task: Task, rows: "pd.DataFrame", found: "list[Explanation]", config: Config, run: kit.Run) -> None:
    """Which columns matter over all: the mean weight beside the rise of the loss when a column is shuffled."""
    from scipy.stats import spearmanr

    def loss(shuffled: "pd.DataFrame") -> float:
        return task.loss(task.model.answer(shuffled), task.truth)

    weights = explain.average_weights(found)
    rises = explain.permutation_importance(loss, task.test, run.streams.numpy("shuffles"))
    agreement = float(spearmanr([weights[name] for name in rises], list(rises.values())).statistic)
    run.figure("ranking", drawings.draw_ranking(weights, rises, agreement, task))
    run.summary({"rank_correlation_with_shuffling": agreement})
    short = explained(task, rows, config, discretize=True, count=3)
    picked = {int(rows.index[number]): short[number] for number in explain.submodular_pick(short, 4)}
    run.table("picked", drawings.picked_rows(picked, task))


def judge(task: Task, rows: "pd.DataFrame", found: "list[Explanation]", config: Config, run: kit.Run) -> None:
    """The explanations on trial: does the line fit, and what does hiding columns in its order do?"""
    import numpy as np

    around, binned = explained(task, rows, config, around_case=True), explained(task, rows, config, discretize=True)
    kinds = {"rows around the mean": found, "rows around the case": around, "quartiles": binned}
    fits = {name: [each.r2_of() for each in own] for name, own in kinds.items()}
    curves, used = task.model.curves(rows, found, draws=RANDOM_ORDERS, seed=config.seed)
    run.figure("quality", drawings.draw_quality(fits, curves, used))
    medians = {name: float(np.median(values)) for name, values in fits.items()}
    run.summary({f"median_r2/{name.replace(' ', '_')}": value for name, value in medians.items()})
    run.summary({f"area/{name.replace(', ', '_')}": explain.area_under(curve) for name, curve in curves.items()})
    if medians["rows around the mean"] < 0.5:
        run.note("the lines explain less than half of what the model does near the cases: trust their signs at most")


def find_planted(task: Task, config: Config, run: kit.Run) -> None:
    """Explain models whose reasons are known: the planted columns must be those with the largest weights."""
    numbers = task.model.background.rows[:, [name in task.test.select_dtypes("number") for name in task.test]]
    weights = explain.recover_columns(numbers, config.planted, config.samples, run.streams.numpy("planted"))
    share = 100 * float(weights.found.mean())
    run.figure("planted", drawings.draw_planted(weights.weakest, weights.strongest))
    run.summary({"planted_recovered_percent": share})
    if share < 100:
        run.note(f"planted columns were found in {share:.0f} % of the models: more samples are needed")


if __name__ == "__main__":
    kit.launch(main)
