"""Why a network says so, for tables: tumours or house prices by LIME, and how far to trust the reasons.

A small network learns breast cancer (569 tumours, 30 measures, comes with scikit-learn) or prices of Californian
districts (or `--run` takes the network of an earlier run of this lab). Single answers are explained, the wrong ones
too; a ranking over many stands beside permutation importance. Then the explanations are put on trial: the fit of their
lines, what hiding columns in their order does, other seeds, and models in which the columns that matter were planted.
Source: Ribeiro et al. 2016, arXiv:1602.04938.
"""

from collections.abc import Callable, Mapping
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

    Array = NDArray[np.float64]

topic = "explanation"
SEA = "ocean_proximity"
PRICE = "median_house_value"
NUMERIC = [
    *("median_income", "housing_median_age", "rooms_per_household", "bedrooms_per_room"),
    *("people_per_household", "households", "longitude", "latitude"),
]
SPLIT_SEED = 42
REACH = 2.5
"""Rows farther out than this, in standard deviations a column, have no drawn rows near; they are not explained."""
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

    What is explained is output 0, the `quantity`; `truth` is what it should be. Times `scale` it is in `unit`s; `words`
    puts an answer and the truth into a title. `loss` says how bad answers are, as `loss_name`.
    """

    box: "explain.BlackBox"
    background: "explain.Background"
    test: "pd.DataFrame"
    truth: "Array"
    quantity: str
    scale: float
    unit: str
    words: Callable[[float, float], str]
    loss: Callable[["Array", "Array"], float]
    loss_name: str

    def answer(self, rows: "pd.DataFrame") -> "Array":
        """Output 0 for each row."""
        return self.box(rows)[:, 0]

    def near(self) -> "NDArray[np.bool_]":
        """The test rows within reach of rows drawn around the mean."""
        return within_reach(self.background.encode(self.test), self.background)

    def explain(self, rows: "pd.DataFrame", config: Config, **settings: Any) -> "list[explain.Explanation]":
        """Explanations of output 0, with all columns unless `settings` say otherwise."""
        given = {"samples": config.samples, "seed": config.seed, "labels": [0], "count": None, **settings}
        return explain.explain_rows(self.box, rows, self.background, **given)


def within_reach(rows: "Array", background: "explain.Background") -> "NDArray[np.bool_]":
    """Whether each of the encoded rows (n, columns) lies within `REACH` of the background's mean."""
    import numpy as np

    numbers = [column for column in range(rows.shape[1]) if column not in background.categories]
    standard = ((rows - background.mean) / background.scale)[:, numbers]
    near: NDArray[np.bool_] = np.sqrt(np.square(standard).mean(axis=1)) <= REACH
    return near


def main(config: Config, run: kit.Run) -> None:
    """Train, explain, and put the explanations on trial."""
    import numpy as np

    from labs.drawings import explain_tabular as drawings

    task = train_tumours(config, run) if config.data == "breast_cancer" else train_houses(config, run)
    run.summary({f"test/{task.loss_name.split(' (')[0].lower()}": task.loss(task.answer(task.test), task.truth)})
    if far := int((~task.near()).sum()):
        run.note(f"{far} of {len(task.test)} test rows lie too far out to be explained by rows drawn around the mean")
    chosen = choose_cases(task)
    shown = dict(zip(chosen, task.explain(task.test.iloc[list(chosen.values())], config), strict=True))
    run.figure("single_cases", drawings.draw_cases(shown, chosen, task))
    worst = shown["worst mistake"]
    run.file("worst_mistake.html", lambda path: path.write_text(worst.html(), encoding="utf-8"))
    run.table("worst_mistake", worst.to_frame().to_dict("records"))

    near = run.streams.numpy("explained").permutation(np.flatnonzero(task.near()))
    rows = task.test.iloc[near[: config.explained]]
    found = task.explain(rows, config)
    rank(task, found, rows, config, run)
    judge(task, found, rows, config, run)
    grow(task, chosen, config, run)
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


def rank(task: Task, found: "list[explain.Explanation]", rows: "pd.DataFrame", config: Config, run: kit.Run) -> None:
    """Which columns matter over all: the mean weight beside the rise of the loss when a column is shuffled."""
    from scipy.stats import spearmanr

    from labs.drawings import explain_tabular as drawings

    weights, rises = explain.average_weights(found), shuffled(task, run)
    agreement = float(spearmanr([weights[name] for name in rises], list(rises.values())).statistic)
    run.figure("ranking", drawings.draw_ranking(weights, rises, agreement, task))
    run.summary({"rank_correlation_with_shuffling": agreement})
    short = task.explain(rows, config, discretize=True, count=3)
    picked = [(int(rows.index[number]), short[number]) for number in explain.submodular_pick(short, 4)]
    run.table("picked", [{"row": row, task.quantity: each.predictions[0], **_reasons(each)} for row, each in picked])


def _reasons(each: "explain.Explanation") -> dict[str, str]:
    """The three strongest reasons in words, each with its weight."""
    top = [f"{name} ({weight:+.3g})" for name, weight in each.top(count=3)]
    return {f"reason {place}": reason for place, reason in enumerate([*top, "", "", ""][:3], 1)}


def shuffled(task: Task, run: kit.Run, times: int = 5) -> dict[str, float]:
    """By column, how much the loss on the test rows rises when the column is shuffled among them."""
    random = run.streams.numpy("shuffles")
    rises: dict[str, float] = {}
    for name in map(str, task.test):
        columns = [random.permutation(task.test[name].to_numpy()) for _ in range(times)]
        losses = [task.loss(task.answer(task.test.assign(**{name: column})), task.truth) for column in columns]
        rises[name] = sum(losses) / times - task.loss(task.answer(task.test), task.truth)
    return rises


def judge(task: Task, found: "list[explain.Explanation]", rows: "pd.DataFrame", config: Config, run: kit.Run) -> None:
    """The explanations on trial: does the line fit, and what does hiding columns in its order do?"""
    import numpy as np

    from labs.drawings import explain_tabular as drawings

    around = task.explain(rows, config, around_case=True)
    binned = task.explain(rows, config, discretize=True)
    kinds = {"rows around the mean": found, "rows around the case": around, "quartiles": binned}
    fits = {name: [each.r2[0] for each in explanations] for name, explanations in kinds.items()}
    curves, used = hiding_curves(task, found, rows, config)
    run.figure("quality", drawings.draw_quality(fits, curves, used))
    medians = {name: float(np.median(values)) for name, values in fits.items()}
    run.summary({f"median_r2/{name.replace(' ', '_')}": value for name, value in medians.items()})
    areas = {name: float(explain.area_under(curve)) for name, curve in curves.items()}
    run.summary({f"area/{name.replace(', ', '_')}": area for name, area in areas.items()})
    if medians["rows around the mean"] < 0.5:
        run.note("the lines explain less than half of what the model does near the cases: trust their signs at most")


def hiding_curves(
    task: Task, found: "list[explain.Explanation]", rows: "pd.DataFrame", config: Config
) -> "tuple[dict[str, Array], int]":
    """Mean deletion and insertion curves in the explanations' order and at random, and over how many rows.

    They show the way from a typical row's answer, 0, to the case's, 1. Rows whose answer is nearer to the typical
    one than a standard deviation of all answers are left out: there is little to explain.
    """
    import numpy as np

    answers = task.answer(rows)
    chance = explain.random_orders(len(task.test.columns), RANDOM_ORDERS, config.seed)
    kept: dict[str, list[Array]] = {}
    for number, each in enumerate(found):
        hide = explain.hide_columns(rows.iloc[number], task.background)
        typical = task.box(hide(np.ones((1, len(each.features)), dtype=bool)))[0, 0]
        way = answers[number] - typical
        if abs(way) < answers.std():
            continue
        order = np.argsort(-each.contributions(0) * np.sign(way), kind="stable")
        for name, curve in (("deletion", explain.deletion_curve), ("insertion", explain.insertion_curve)):
            shares = (curve(task.box, hide, np.concatenate([order[None], chance]), 0) - typical) / way
            kept.setdefault(f"{name}, explanation", []).append(shares[0])
            kept.setdefault(f"{name}, random", []).append(shares[1:].mean(axis=0))
    return {name: np.mean(curves, axis=0) for name, curves in kept.items()}, len(next(iter(kept.values()), []))


def grow(task: Task, chosen: Mapping[str, int], config: Config, run: kit.Run) -> None:
    """How many samples it takes until all seeds name the same five columns."""
    from labs.drawings import explain_tabular as drawings

    grown = {}
    for name, row in chosen.items():
        case = task.test.iloc[[row]]

        def once(samples: int, seed: int, case: "pd.DataFrame" = case) -> "explain.Explanation":
            return task.explain(case, config, samples=samples, seed=seed)[0]

        limits = {"start": min(125, config.samples), "limit": config.samples}
        grown[name] = explain.grow_until_stable(once, seeds=range(config.repetitions), jaccard=1.0, **limits)
    run.figure("stability", drawings.draw_growth(grown))
    run.summary({"jaccard": sum(each.stages[-1][1] for each in grown.values()) / len(grown)})
    unsteady = [name for name, each in grown.items() if not each.enough]
    if unsteady:
        run.note(f"with {config.samples:,} samples the seeds differ over: {', '.join(unsteady)}; more would be better")


def find_planted(task: Task, config: Config, run: kit.Run) -> None:
    """Explain models whose reasons are known: the planted columns must be those with the largest weights."""
    import numpy as np

    from labs.drawings import explain_tabular as drawings

    numbers = task.background.rows[:, [name in task.test.select_dtypes("number") for name in task.test]]
    background, random = explain.Background(numbers), run.streams.numpy("planted")
    rows = numbers[within_reach(numbers, background)]
    weakest, strongest = np.zeros(config.planted), np.zeros(config.planted)
    for number in range(config.planted):
        model, row = explain.plant(numbers, int(random.integers(2**31))), rows[random.integers(len(rows))]
        box = explain.BlackBox(model, batch_size=config.samples)
        found = explain.explain_row(box, row, background, samples=config.samples, count=None, labels=[1], seed=number)
        size, matters = np.abs(found.weights[1]), np.isin(np.arange(len(row)), model.columns)
        weakest[number], strongest[number] = size[matters].min(), size[~matters].max()
    share = 100 * float((weakest > strongest).mean())
    run.figure("planted", drawings.draw_planted(weakest, strongest))
    run.summary({"planted_recovered_percent": share})
    if share < 100:
        run.note(f"planted columns were found in {share:.0f} % of the models: more samples are needed")


if __name__ == "__main__":
    kit.launch(main)
