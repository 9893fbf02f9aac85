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
from foundations.errors import require

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray
    from torch import nn

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

    What is explained is output 0, the `quantity`; `truth` is what it should be. Times `scale` it is in `unit`s; `short`
    writes an answer, `words` an answer and the truth. `loss` says how bad answers are, as `loss_name`.
    """

    box: "explain.BlackBox"
    background: "explain.Background"
    test: "pd.DataFrame"
    truth: "Array"
    quantity: str
    scale: float
    unit: str
    short: Callable[[float], str]
    words: Callable[[float, float], str]
    loss: Callable[["Array", "Array"], float]
    loss_name: str

    def answer(self, rows: "pd.DataFrame") -> "Array":
        """Output 0 for each row."""
        return self.box(rows)[:, 0]

    def near(self) -> "NDArray[np.bool_]":
        """The test rows within reach of rows drawn around the mean."""
        return self.background.within_reach(self.background.encode(self.test))

    def explain(self, rows: "pd.DataFrame", config: Config, **settings: Any) -> "list[Explanation]":
        """Explanations of output 0, with all columns unless `settings` say otherwise."""
        given = {"samples": config.samples, "seed": config.seed, "labels": [0], "count": None, **settings}
        return explain.explain_rows(self.box, rows, self.background, **given)

    def explain_case(self, row: int, config: Config) -> "Callable[[int, int], Explanation]":
        """The explanation of a test row, as a function of samples and seed."""
        case = self.test.iloc[[row]]
        return lambda samples, seed: self.explain(case, config, samples=samples, seed=seed)[0]


def main(config: Config, run: kit.Run) -> None:
    """Train, explain, and put the explanations on trial."""
    import numpy as np

    task = train_tumours(config, run) if config.data == "breast_cancer" else train_houses(config, run)
    run.summary({f"test/{task.loss_name.split(' (')[0].lower()}": task.loss(task.answer(task.test), task.truth)})
    if far := int((~task.near()).sum()):
        run.note(f"{far} of {len(task.test)} test rows lie too far out to be explained by rows drawn around the mean")
    look_at_cases(task, config, run)
    near = run.streams.numpy("explained").permutation(np.flatnonzero(task.near()))
    rows = task.test.iloc[near[: config.explained]]
    found = task.explain(rows, config)
    rank(task, found, rows, config, run)
    judge(task, found, rows, config, run)
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

    if config.run:
        network = taken(config.run, config, run)
    else:
        network = _network(config, run, frame.shape[1], 2)
        labels = torch.from_numpy(benign[parts[0]]).to(run.device)
        _fit(config, run, network, features(training), labels, foundations.losses.cross_entropy_from_logits)
    run.model("network", network, features(test[:8]))
    classify = explain.BlackBox(torch.nn.Sequential(network, foundations.Softmax(dim=1)), batch_size=1_000)
    return Task(
        box=explain.BlackBox(lambda rows: classify(features(rows)), batch_size=10_000, names=bunch.target_names),
        background=explain.Background(training),
        test=test,
        truth=1.0 - benign[parts[1]],
        quantity="probability of malignant",
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
    model = foundations.preprocessing.TableRegressor(
        foundations.preprocessing.table_pipeline(NUMERIC, [SEA], scaling="normal"),
        lambda columns: _prices(config, run, columns),
        training,
        PRICE,
        run.device,
    )
    if config.run is None:
        _fit(config, run, model.network, model.features(training), model.targets(training), foundations.losses.huber)
    run.model("price_in_usd", model.in_units(), model.features(test[:8]))
    return Task(
        box=explain.BlackBox(model, outputs="values", names=("price",)),
        background=explain.Background(training.drop(columns=PRICE)),
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


def taken(reference: str, config: Config, run: kit.Run) -> "nn.Module":
    """The model of a finished run of this lab. The rows are divided and scaled as they were then."""
    from labs.kit.models import load_model

    kept = load_model(reference)
    require(kept.lab == "explain_tabular", "run", reference, f"a run of explain_tabular, not of {kept.lab}")
    learned = kept.run.record["config"]["data"]
    require(learned == config.data, "run", reference, f"on the data of this one: add --data {learned}")
    run.note(f"the network is that of run {kept.run.record['name']}")
    return kept.module.to(run.device)


def _prices(config: Config, run: kit.Run, columns: int) -> "nn.Module":
    """The network for prices, in the units that it learns in: fresh, or that of a finished run."""
    if config.run is None:
        return _network(config, run, columns, 1)
    in_units: Any = taken(config.run, config, run)
    network: nn.Module = in_units[0]
    return network


def _network(config: Config, run: kit.Run, inputs: int, outputs: int) -> "nn.Module":
    sizes = (inputs, config.width, config.width, outputs)
    return foundations.MLP(sizes, activation="silu", generator=run.streams.torch("weights")).to(run.device)


def _fit(config: Config, run: kit.Run, network: "nn.Module", inputs: Any, targets: Any, loss: Any) -> None:
    batch_size = min(256, max(16, len(inputs) // 15))
    steps = config.epochs * (len(inputs) // batch_size)
    learner = foundations.SupervisedLearner(
        network,
        foundations.AdamW(network.parameters(), lr=2e-3, weight_decay=0.01, fused=True),
        loss,
        inputs,
        targets,
        batch_size=batch_size,
        streams=run.streams,
        schedule=foundations.schedules.warmup_cosine(steps // 10, steps),
    )
    for _ in run.follow(learner, steps=steps, examples_per_step=batch_size):
        pass


# --- explanations -----------------------------------------------------------------------------------------------------


def choose_cases(task: Task) -> dict[str, int]:
    """Test rows to be looked at: the highest answer, the lowest, one between, and the one most in error."""
    import numpy as np

    answers, near = task.answer(task.test), task.near()
    wrong = int(np.where(near, np.abs(answers - task.truth), -1).argmax())
    order = [number for number in np.argsort(answers).tolist() if near[number] and number != wrong]
    middle = 0.5 if task.box.outputs == "probabilities" else np.median(answers)
    between = min(order[1:-1], key=lambda number: abs(answers[number] - middle))
    return {"highest": order[-1], "lowest": order[0], "in the middle": between, "worst mistake": wrong}


def look_at_cases(task: Task, config: Config, run: kit.Run) -> None:
    """Four cases explained, and whether each explanation may be believed: its fit, and the same from other seeds."""
    from labs.drawings import explain_tabular as drawings

    chosen = choose_cases(task)
    shown = dict(zip(chosen, task.explain(task.test.iloc[list(chosen.values())], config), strict=True))
    cases = {name: task.explain_case(row, config) for name, row in chosen.items()}
    grown = explain.grow_each(cases, samples=config.samples, seeds=range(config.repetitions))
    table = explain.trust_table(shown, grown)
    truths = {name: float(task.truth[row]) for name, row in chosen.items()}
    doubted = {name: "; ".join(explain.doubts(each, grown[name])) for name, each in shown.items()}
    run.figure("single_cases", drawings.draw_cases(shown, truths, doubted, task))
    worst = shown["worst mistake"]
    run.file("worst_mistake.html", lambda path: path.write_text(worst.html(), encoding="utf-8"))
    run.table("worst_mistake", worst.to_frame().to_dict("records"))
    run.table("trust", table)
    run.figure("stability", drawings.draw_growth(grown))
    run.summary({"jaccard": sum(each.stages[-1][1] for each in grown.values()) / len(grown)})
    if unsteady := [name for name, each in grown.items() if not each.enough]:
        run.note(f"with {config.samples:,} samples the seeds differ over: {', '.join(unsteady)}; more would be better")
    if told := explain.told_doubts(table):
        run.note(told)


def rank(task: Task, found: "list[Explanation]", rows: "pd.DataFrame", config: Config, run: kit.Run) -> None:
    """Which columns matter over all: the mean weight beside the rise of the loss when a column is shuffled."""
    from scipy.stats import spearmanr

    from labs.drawings import explain_tabular as drawings

    random, weights = run.streams.numpy("shuffles"), explain.average_weights(found)
    rises = explain.permutation_importance(lambda each: task.loss(task.answer(each), task.truth), task.test, random)
    agreement = float(spearmanr([weights[name] for name in rises], list(rises.values())).statistic)
    run.figure("ranking", drawings.draw_ranking(weights, rises, agreement, task))
    run.summary({"rank_correlation_with_shuffling": agreement})
    short = task.explain(rows, config, discretize=True, count=3)
    picked = [(int(rows.index[number]), short[number]) for number in explain.submodular_pick(short, 4)]
    run.table("picked", [{"row": row, task.quantity: each.predictions[0], **_reasons(each)} for row, each in picked])


def _reasons(each: "Explanation") -> dict[str, str]:
    """The three strongest reasons in words, each with its weight."""
    top = [f"{name} ({weight:+.3g})" for name, weight in each.top(count=3)]
    return {f"reason {place}": reason for place, reason in enumerate([*top, "", "", ""][:3], 1)}


def judge(task: Task, found: "list[Explanation]", rows: "pd.DataFrame", config: Config, run: kit.Run) -> None:
    """The explanations on trial: does the line fit, and what does hiding columns in its order do?"""
    import numpy as np

    from labs.drawings import explain_tabular as drawings

    around = task.explain(rows, config, around_case=True)
    binned = task.explain(rows, config, discretize=True)
    kinds = {"rows around the mean": found, "rows around the case": around, "quartiles": binned}
    fits = {name: [each.r2[0] for each in explanations] for name, explanations in kinds.items()}
    hides = [explain.hide_columns(rows.iloc[number], task.background) for number in range(len(rows))]
    chance = explain.random_orders(len(task.test.columns), RANDOM_ORDERS, config.seed)
    curves, used = explain.curves_from_typical(task.box, hides, found, 0, chance)
    run.figure("quality", drawings.draw_quality(fits, curves, used))
    medians = {name: float(np.median(values)) for name, values in fits.items()}
    run.summary({f"median_r2/{name.replace(' ', '_')}": value for name, value in medians.items()})
    areas = {name: float(explain.area_under(curve)) for name, curve in curves.items()}
    run.summary({f"area/{name.replace(', ', '_')}": area for name, area in areas.items()})
    if medians["rows around the mean"] < 0.5:
        run.note("the lines explain less than half of what the model does near the cases: trust their signs at most")


def find_planted(task: Task, config: Config, run: kit.Run) -> None:
    """Explain models whose reasons are known: the planted columns must be those with the largest weights."""
    from labs.drawings import explain_tabular as drawings

    numbers = task.background.rows[:, [name in task.test.select_dtypes("number") for name in task.test]]
    weights = explain.recover_columns(numbers, config.planted, config.samples, run.streams.numpy("planted"))
    share = 100 * float(weights.found.mean())
    run.figure("planted", drawings.draw_planted(weights.weakest, weights.strongest))
    run.summary({"planted_recovered_percent": share})
    if share < 100:
        run.note(f"planted columns were found in {share:.0f} % of the models: more samples are needed")


if __name__ == "__main__":
    kit.launch(main)
