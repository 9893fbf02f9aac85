"""What a run prints while it trains: a progress bar on a terminal, elsewhere a line every ten seconds."""

import sys
import time
from collections.abc import Iterable, Mapping
from types import TracebackType

from rich.console import Console, RenderableType
from rich.progress import BarColumn, MofNCompleteColumn, TaskID, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bar
from rich.text import Text

PLAIN_SECONDS = 10.0
BAR_SECONDS = 0.25


class _Bar(Bar):
    """A bar, and below it a line of figures."""

    figures = ""

    def get_renderables(self) -> Iterable[RenderableType]:
        """What is on the screen."""
        yield from super().get_renderables()
        yield Text(self.figures, style="dim", no_wrap=True, overflow="ellipsis")


class Progress:
    """Steps done of `steps`, the newest metrics, the throughput and the time left."""

    def __init__(self, title: str, steps: int, start: int, examples_per_step: int) -> None:
        self.title, self.steps, self.start, self.examples_per_step = title, steps, start, examples_per_step
        self._began = time.monotonic()
        self._terminal = sys.stdout.isatty()
        self._every = BAR_SECONDS if self._terminal else PLAIN_SECONDS
        self._next = self._began + self._every
        self._bar: _Bar | None = None
        self._task = TaskID(0)
        if self._terminal:
            self._bar, self._task = self._make_bar()

    def _make_bar(self) -> tuple["_Bar", TaskID]:
        columns = (
            TextColumn("{task.description}"),
            BarColumn(bar_width=None),
            MofNCompleteColumn(),
            TextColumn("{task.fields[speed]}"),
            TimeRemainingColumn(),
        )
        bar = _Bar(*columns, console=Console(), auto_refresh=False, expand=True)
        return bar, bar.add_task(self.title, total=self.steps, completed=self.start, speed="")

    def __enter__(self) -> "Progress":
        if self._bar:
            self._bar.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._bar:
            self._bar.refresh()
            self._bar.stop()

    def due(self, now: float) -> bool:
        """Whether the next line, or the next look of the bar, is due; `now` is `time.monotonic()`."""
        return now >= self._next

    def rate(self, step: int) -> float:
        """Examples a second since this progress began."""
        return (step - self.start) * self.examples_per_step / max(time.monotonic() - self._began, 1e-9)

    def show(self, step: int, metrics: Mapping[str, float]) -> None:
        """Show the step, the newest metrics, the throughput and the time left."""
        self._next = time.monotonic() + self._every
        figures = "  ".join(f"{name} {value:.4g}" for name, value in list(metrics.items())[:4])
        unit = "examples/s" if self.examples_per_step > 1 else "steps/s"
        speed = f"{self.rate(step):,.0f} {unit}"
        if self._bar:
            self._bar.figures = figures
            self._bar.update(self._task, completed=step, speed=speed, refresh=True)
        else:
            left = (time.monotonic() - self._began) / max(step - self.start, 1) * (self.steps - step)
            print(f"{self.title}: step {step:,} of {self.steps:,}  {figures}  {speed}  {left:,.0f} s left", flush=True)
