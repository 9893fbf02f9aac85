"""`python -m labs best LAB`: the best finished run of a lab, its settings, and how to load its model.

What is told comes from the run folders; the store is asked which versions of models those are.
"""

import os
import textwrap
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from foundations.errors import InputError, require_choice
from labs.kit import stale
from labs.kit.ends import MachineError
from labs.kit.folder import RunFolder, all_runs
from labs.kit.judging import SUMMARY, Candidate, Direction, MainFigure, basis, best_of, main_figure
from labs.kit.lab import Lab, discover, load
from labs.kit.parser import Parser

if TYPE_CHECKING:
    from labs.kit.tracking import ModelVersion

ABOUT = """The best finished run of a lab: by the figure that the lab names, among runs on the same data whose figures
mean the same. Smoke runs count only where there are no others."""
EVERYWHERE = ("preset", "seed", "seeds", "device", "threads", "run_name", "tag", "checkpoint_seconds")
"""Settings that every lab has; they are told apart from its own."""


class Finished(NamedTuple):
    """A finished run and what is known of it."""

    run: RunFolder
    record: dict[str, Any]


def main(arguments: Sequence[str]) -> int:
    """Print the best run, or say how to get one."""
    parser = Parser("python -m labs best", description=ABOUT)
    parser.add_argument("lab", help="name of the lab")
    parser.add_argument("--metric", help="another figure of the runs' summaries than the lab's own")
    parser.add_argument("--direction", choices=("max", "min"), help="whether more or less of the figure is better")
    parser.add_argument("--preset", choices=("smoke", "quick", "full"), help="only runs of this preset")
    chosen = parser.parse_args(arguments)
    stale.sweep()
    known = [Finished(run, run.record) for run in all_runs()]
    labs = {entry.name: f"labs.{entry.name}" for entry in discover()}
    labs |= {each.record["lab"]: each.record["target"] for each in known}
    require_choice("lab", chosen.lab, sorted(labs))
    found = {each.run.path.name: each for each in known if _counts(each.record, chosen.lab, chosen.preset)}
    if not found:
        _say_how_to_get_one(load(labs[chosen.lab]), chosen.preset)
        return 0
    own = main_figure(labs[chosen.lab])
    figure = _figure(chosen.lab, own, chosen.metric, chosen.direction, found)
    _tell(chosen.lab, figure, found, aliased=figure == own and chosen.preset is None)
    return 0


def _counts(record: Mapping[str, Any], lab: str, preset: str | None) -> bool:
    """Whether a run is finished, of the lab, and of the preset."""
    return record["lab"] == lab and record["ended"] == "finished" and preset in (None, record["config"]["preset"])


def _say_how_to_get_one(lab: Lab, preset: str | None) -> None:
    print(f"no finished {preset + ' ' if preset else ''}run of {lab.name} here; ", end="")
    print(f"to get one: {lab.program}{f' --preset {preset}' if preset else ''}")
    if os.environ.get("MLFLOW_TRACKING_URI") and preset is None:
        _tell_of_others(_held(lab.name, None), {})


def _figure(
    lab: str,
    own: MainFigure | None,
    metric: str | None,
    direction: Direction | None,
    found: Mapping[str, Finished],
) -> MainFigure:
    """The figure to judge by. Raises: InputError where it is not clear which, or which end of it is the better one."""
    names = list(dict.fromkeys(name for each in found.values() for name in each.record["summary"]))
    if metric is None and own is None:
        raise InputError(f"--metric: {lab} names no main figure; choose one, and a --direction: {', '.join(names)}")
    name = metric.removeprefix(SUMMARY) if metric else own.name if own else ""
    require_choice("metric", name, names)
    if direction is None and (own is None or own.name != name):
        raise InputError(f"--direction: say whether more (max) or less (min) of {name!r} is better")
    return MainFigure(name, direction or (own.direction if own else "max"), own.alike if own else ())


def _tell(lab: str, figure: MainFigure, found: Mapping[str, Finished], *, aliased: bool) -> None:
    judged = {
        key: Candidate(
            key,
            each.record["summary"][figure.name],
            basis(each.record, figure.alike),
            each.record["config"]["preset"],
            each.record["started"],
        )
        for key, each in found.items()
        if figure.name in each.record["summary"]
    }
    winner = best_of(list(judged.values()), figure.direction)
    assert winner is not None, "the figure was chosen from those that the runs have"
    smoke = winner.preset == "smoke"
    rivals = [each for each in judged.values() if each.basis == winner.basis and (each.preset == "smoke") == smoke]
    run, record = found[winner.run]
    word = "highest" if figure.direction == "max" else "lowest"
    among = f"the {word} of {len(rivals)} runs" if len(rivals) > 1 else "the only run"
    terms = f" with {winner.basis}" if winner.basis else ""
    print(f"{figure.name} {winner.value:.6g}: {among} of {lab}{terms}")
    if others := len(judged) - len(rivals):
        print(f"({others} not counted: smoke runs, or other data or settings that change what the figure means)")
    if len(rivals) > 1 and "test" in figure.name.lower().replace("/", "_").split("_"):
        print("(chosen by what the test data say, so this figure flatters: judge the choice on data unseen by all)")
    print()
    _describe(run, record)
    held = _held(lab, record["store"]) if record.get("registered") else {}
    _say_how_to_load(run, record, held if aliased else {})
    if aliased:
        _tell_of_others(held, found)


def _describe(run: RunFolder, record: Mapping[str, Any]) -> None:
    """What the run is, how it was set, and where it lies."""
    config = record["config"]
    started = datetime.fromisoformat(record["started"]).astimezone().strftime("%Y-%m-%d %H:%M")
    _line("run", f"{record['name']} ({run.path.name[:8]}), preset {config['preset']}, seed {config['seed']}, {started}")
    if record["data"]:
        _line("data", "  ".join(f"{name} ({facts['fingerprint']})" for name, facts in record["data"].items()))
    own = {name: value for name, value in config.items() if name not in EVERYWHERE}
    _line("settings", "  ".join(f"{name}={value}" for name, value in own.items()) or "none of its own")
    program = record["target"] if record["target"].endswith(".py") else f"-m {record['target']}"
    _line("again", f"python {program} --config {run.path / 'config.yaml'}", wrap=False)
    _line("report", str(run.path / "report.html"), wrap=False)


def _say_how_to_load(run: RunFolder, record: Mapping[str, Any], held: "Mapping[str, ModelVersion]") -> None:
    for name in run.models():
        _line("weights", str(run.path / "weights" / f"{name}.safetensors"), wrap=False)
    if not (registered := record.get("registered")):
        return
    _line("model", "import mlflow", wrap=False)
    if not os.environ.get("MLFLOW_TRACKING_URI"):
        _line("", f'mlflow.set_tracking_uri("{record["store"]}")', wrap=False)
    for name, version in registered.items():
        is_best = name in held and str(held[name].version) == version
        _line("", f'mlflow.pytorch.load_model("models:/{name}{"@best" if is_best else f"/{version}"}")', wrap=False)


def _held(lab: str, store: str | None) -> "dict[str, ModelVersion]":
    """What the store holds for the best; nothing where it is another store than the run's, or does not answer."""
    from labs.kit import registry, tracking

    if store not in (None, tracking.store_name()):
        return {}
    try:
        return registry.held(tracking.open_store(), lab)
    except MachineError as trouble:
        print(f"note: told from the run folders alone: {trouble}")
        return {}


def _tell_of_others(held: "Mapping[str, ModelVersion]", here: Mapping[str, Finished]) -> None:
    """Say which of the store's best models come from runs that are not on this machine."""
    for name, version in held.items():
        if version.run_id not in here:
            print(f"the store's models:/{name}@best is of a run that is not here: {version.description}")


def _line(title: str, text: str, *, wrap: bool = True) -> None:
    lines = textwrap.wrap(text, 100, break_long_words=False, break_on_hyphens=False) if wrap else [text]
    for number, line in enumerate(lines):
        print(f"  {'' if number else title:<9} {line}")
