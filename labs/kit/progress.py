"""How a run speaks while it trains: a bar on a terminal, a plain line every ten seconds elsewhere."""

import sys
import time
from collections.abc import Mapping
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TaskID, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bar

PLAIN_SECONDS = 10.0
BAR_SECONDS = 0.25


class Progress:
    """Steps done of `steps`, the newest metrics, the throughput and the time left."""

    def __init__(self, title: str, steps: int, start: int, examples_per_step: int) -> None:
        self.title, self.steps, self.start, self.examples_per_step = title, steps, start, examples_per_step
        self._began = time.monotonic()
        self._terminal = sys.stdout.isatty()
        self._every = BAR_SECONDS if self._terminal else PLAIN_SECONDS
        self._next = self._began + self._every
        self._bar, self._task = self._make_bar() if self._terminal else (None, TaskID(0))

    def _make_bar(self) -> tuple[Bar, TaskID]:
        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[said]}"),
            TimeRemainingColumn(),
        )
        bar = Bar(*columns, console=Console(), auto_refresh=False)
        return bar, bar.add_task(self.title, total=self.steps, completed=self.start, said="")

    def __enter__(self) -> "Progress":
        if self._bar:
            self._bar.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._bar:
            self._bar.refresh()
            self._bar.stop()

    def due(self) -> bool:
        """Whether it is time to speak again."""
        return time.monotonic() >= self._next

    def rate(self, step: int) -> float:
        """Examples a second since this progress began."""
        return (step - self.start) * self.examples_per_step / max(time.monotonic() - self._began, 1e-9)

    def show(self, step: int, metrics: Mapping[str, float]) -> None:
        """Say where the run is."""
        self._next = time.monotonic() + self._every
        figures = "  ".join(f"{name} {value:.4g}" for name, value in list(metrics.items())[:4])
        unit = "examples/s" if self.examples_per_step > 1 else "steps/s"
        said = f"{figures}  {self.rate(step):,.0f} {unit}"
        if self._bar:
            self._bar.update(self._task, completed=step, said=said, refresh=True)
        else:
            left = (time.monotonic() - self._began) / max(step - self.start, 1) * (self.steps - step)
            print(f"{self.title}: step {step:,} of {self.steps:,}  {said}  {left:,.0f} s left", flush=True)
