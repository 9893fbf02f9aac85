"""What the sweep's own run sees of its trials: a line on the console for each, its metrics, and at last its figures."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import optuna

from foundations.errors import InputError
from labs.kit.folder import home
from labs.kit.judging import SUMMARY
from labs.kit.sweeps import figures, places, results
from labs.kit.sweeps.results import Row
from labs.kit.sweeps.space import Space

if TYPE_CHECKING:
    from labs.kit.lab import Lab
    from labs.kit.run import Run
    from labs.kit.sweeps.sweep import Config

BEAT = "beat/"
"""Study attributes: when each sweep, by its run's id, was last seen by its own clock."""
BEAT_SECONDS = 15.0
HOPELESS = 3
"""A sweep ends where this many trials have ended and all of them failed or were refused."""


class Watching:
    """Looks at the study for the run of a sweep. Raises what ends the sweep."""

    def __init__(self, study: optuna.Study, space: Space, config: Config, run: Run) -> None:
        self.study, self.space, self.config, self.run = study, space, config, run
        self.name = config.metric.removeprefix(SUMMARY)
        self.told: set[int] = set()
        self._best: Row | None = None
        self._beats: dict[str, tuple[float, float]] = {}
        self._next_beat = 0.0
        self._rows: list[Row] = []
        self._begin()

    def look(self, gone: dict[int, int]) -> int:
        """Tell what is new, fill the places of trials whose worker died; gives the number of trials that wait.

        `gone`: workers that have ended since, id -> exit status.
        Raises: InputError where no trial can succeed.
        """
        self._beat()
        for place in places.reap(self.study, self._silences(), pids=gone):
            print(f"trial {place + 1}: its worker died; it is tried again", flush=True)
        places.ensure(self.study, 0)
        self._tell(results.rows(self.study, self.space))
        self._require_hope()
        return sum(row.ended == "waiting" for row in self._rows)

    def note(self) -> None:
        """Tell what is new, where somebody else looks after the workers. Raises: InputError as `look` does."""
        self._beat()
        self._tell(results.rows(self.study, self.space))
        self._require_hope()

    def left(self) -> int:
        """How many trials have not ended for good."""
        return sum(row.ended not in results.FOR_GOOD for row in self._rows)

    def show(self) -> None:
        """The figures and the table of what has ended."""
        self._tell(results.rows(self.study, self.space))
        done = [row for row in self._rows if row.ended in results.FOR_GOOD]
        if not done:
            return
        self.run.table("trials", results.table(done, self.config.direction, self.name))
        for name, figure in figures.all_of(self.study, done, self.space, self.name, self.config.direction):
            self.run.figure(name, figure)

    def conclude(self, lab: Lab) -> None:
        """The best trial: its figure, its settings as a file, and how to use them. Raises: InputError for none."""
        counts = {state: sum(row.ended == state for row in self._rows) for state in results.FOR_GOOD}
        best = results.best(self._rows, self.config.direction)
        if best is None:
            last = next((row.error for row in reversed(self._rows) if row.error), "")
            raise InputError(f"sweep {self.config.study}: no trial finished; the last: {last}")
        row = best
        self.run.summary({self.name: row.value, **{f"trials/{state}": n for state, n in counts.items() if n}})
        self.run.file(
            "best.yaml",
            lambda file: results.write_best(file, row, self.config.settings, metric=self.name, study=self.config.study),
        )
        if self.config.pruner != "none" and not any(t.intermediate_values for t in self.study.get_trials()):
            self.run.note(f"nothing was pruned: no run logs {self.config.metric} before its end")
        file = (self.run.folder.path / "files" / "best.yaml").relative_to(home().parent)
        program = f"python {lab.target}" if lab.target.endswith(".py") else lab.program
        settings = ", ".join(f"{name} {results.shown(value)}" for name, value in row.settings.items())
        self.run.note(
            f"best of {counts['finished']} finished trials: number {row.number} with {settings}: {self.name} "
            f"{row.value:.5g}. The best of many flatters: other seeds tell what it is worth: "
            f"{program} --config {file} --seeds 1-5"
        )

    def _begin(self) -> None:
        self._rows = results.rows(self.study, self.space)
        done = sum(row.ended in results.FOR_GOOD for row in self._rows)
        about = f"{self.config.sampler} search for the {'least' if self.config.direction == 'min' else 'largest'}"
        before = f", {done} of them ended before" if done else ""
        print(f"study {self.config.study}: {about} {self.name}, {len(self._rows)} trials{before}", flush=True)
        self._tell(self._rows, quiet=True)

    def _tell(self, rows: list[Row], *, quiet: bool = False) -> None:
        """A line and the metrics of each trial that has ended since."""
        self._rows = rows
        for row in rows:
            if row.ended not in results.FOR_GOOD or row.number in self.told:
                continue
            self.told.add(row.number)
            self.run.step = len(self.told)
            if results.best([each for each in (self._best, row) if each], self.config.direction) is row:
                self._best = row
            if row.counts and self._best:
                self.run.log({f"best/{self.name.replace('/', ' ')}": self._best.value})
            if not quiet:
                print(self._line(row), flush=True)

    def _line(self, row: Row) -> str:
        settings = ", ".join(f"{name} {results.shown(value)}" for name, value in row.settings.items())
        came = f"{self.name} {row.value:.5g}" if row.counts else row.ended + (f": {row.error}" if row.error else "")
        best = f" (best {self._best.value:.5g}, trial {self._best.number})" if self._best else ""
        return f"trial {row.number} of {len(self._rows)}: {settings} -> {came}{best}"

    def _require_hope(self) -> None:
        """Raises: InputError where the metric is unknown, or the first trials all failed before they trained."""
        if stopped := self.study.user_attrs.get(places.STOPPED):
            raise InputError(stopped)
        done = [row for row in self._rows if row.ended in results.FOR_GOOD]
        if len(done) >= min(HOPELESS, len(self._rows)) and all(row.ended in ("refused", "failed") for row in done):
            reason = f"sweep {self.config.study}: the first {len(done)} trials failed: {done[-1].error}"
            self.study.set_user_attr(places.STOPPED, reason)
            raise InputError(reason)

    def _beat(self) -> None:
        if time.monotonic() >= self._next_beat:
            self.study.set_user_attr(BEAT + self.run.folder.path.name, time.time())
            self._next_beat = time.monotonic() + BEAT_SECONDS

    def _silences(self) -> dict[str, float]:
        """For how long each sweep's attribute has not changed, by this clock: those of other hosts may go wrong."""
        now = time.monotonic()
        for name, value in self.study.user_attrs.items():
            if name.startswith(BEAT) and self._beats.get(name, (None, 0.0))[0] != value:
                self._beats[name] = value, now
        return {name.removeprefix(BEAT): now - seen for name, (_, seen) in self._beats.items()}
