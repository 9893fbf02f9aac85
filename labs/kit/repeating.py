"""A lab run once for each of several seeds: `python -m labs.NAME --seeds 0-4`.

The runs are children of one run, which tells mean and spread of their summaries. Resumed, it goes on where it stopped.
"""

import dataclasses
import re
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from foundations.errors import InputError, require
from labs.kit.config import Config as Settings
from labs.kit.config import check, to_record
from labs.kit.lab import Lab, load
from labs.kit.report import number

if TYPE_CHECKING:
    from labs.kit.folder import RunFolder
    from labs.kit.run import Run

MOST = 1000


@dataclass(frozen=True)
class Config(Settings):
    """What is repeated."""

    target: str = ""
    """Module or file of the lab."""
    settings: Mapping[str, Any] = field(default_factory=dict)
    """The lab's settings, all but the seed."""

    @property
    def experiment(self) -> str:
        """The lab's own: the repetitions lie below this run there."""
        return load(self.target).name


def numbers(text: str) -> tuple[int, ...]:
    """The seeds that `text` names: `0-4`, or `0,3,7`, or both mixed. Raises: InputError."""
    found: list[int] = []
    for part in text.split(","):
        match = re.fullmatch(r"\s*(\d+)(?:-(\d+))?\s*", part)
        if match is None:
            raise InputError(f"seeds={text!r}: must be seeds like 0-4 or 0,3,7")
        first, last = int(match[1]), int(match[2] or match[1])
        require(first <= last and last - first < MOST, "seeds", text, f"rising, at most {MOST} of them, like 0-4")
        found += range(first, last + 1)
    require(len(set(found)) == len(found), "seeds", text, "seeds that differ")
    return tuple(found)


def repeated(lab: Lab, config: Settings) -> tuple[Lab, Config]:
    """The lab, and its settings, that runs `lab` once for each of `config.seeds`."""
    assert config.seeds is not None
    numbers(config.seeds)
    own = {name: value for name, value in to_record(config).items() if name not in ("seeds", "run_name")}
    shared = {name: getattr(config, name) for name in ("preset", "seed", "device", "threads", "tag")}
    name = config.run_name or f"seeds-{config.seeds.replace(',', '-').replace(' ', '')}"
    outer = Config(**shared, seeds=config.seeds, run_name=name, target=lab.target, settings=own)
    summary = f"{lab.summary}: seeds {config.seeds}"
    return dataclasses.replace(load(__name__), summary=summary, command=lab.started_by), outer


def main(config: Config, run: "Run") -> None:
    """Run what is missing, then say what all of them found."""
    lab, done = load(config.target), {}
    before = {int(child.record["config"]["seed"]): child for child in run.children()}
    for seed in numbers(config.seeds or ""):
        done[seed] = _finished(lab, config, seed, before.get(seed), run)
    _tell({seed: child.record["summary"] for seed, child in done.items()}, run)
    _draw(list(done.values()), run)


def _finished(lab: Lab, config: Config, seed: int, before: "RunFolder | None", run: "Run") -> "RunFolder":
    """The finished run of `seed`: as it is, resumed, or new."""
    if before and before.state() == "finished":
        return before
    settings = check(lab.config_type, {**config.settings, "seed": seed, "seeds": None, "run_name": None})
    print(f"\nseed {seed}", flush=True)
    outcome = run.child(lab, settings, resumes=before)
    if outcome.status or outcome.run is None:
        raise InputError(f"seed {seed}: its run did not finish (see above); mend that, then resume this run")
    return outcome.run


def _tell(summaries: Mapping[int, Mapping[str, float]], run: "Run") -> None:
    """A table of all, and the mean and the standard deviation of each figure."""
    names = list(next(iter(summaries.values())))
    rows: list[dict[str, object]] = []
    for name in names:
        values = [summary[name] for summary in summaries.values() if name in summary]
        spread = statistics.stdev(values) if len(values) > 1 else 0.0
        each = {f"seed {seed}": number(summary.get(name)) for seed, summary in summaries.items()}
        rows.append({"figure": name, "mean": number(statistics.mean(values)), "deviation": number(spread), **each})
        run.summary({name: statistics.mean(values)} | ({f"deviation/{name}": spread} if spread else {}))
    if rows:
        run.table("seeds", rows)


def _draw(children: Sequence["RunFolder"], run: "Run") -> None:
    """How the seeds learned: median and band of the curves that all of them have."""
    from labs.kit.comparing import figures
    from labs.kit.comparing.curves import worth_drawing
    from labs.kit.comparing.gathering import Finished
    from labs.kit.comparing.groups import grouped

    runs = [Finished(child.path, child.record) for child in children]
    every = grouped(runs, ())
    for metric, figure in figures.learning(
        worth_drawing(runs, list(runs[0].record["summary"])), every, figures.looks(every)
    ):
        run.figure(f"learning_{metric.replace('/', '_')}", figure)
