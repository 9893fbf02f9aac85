"""A lab for tests of sweeps: descent on a parabola whose best learning rate is known, and ways to end badly."""

import os
import signal
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal

import labs.kit as kit
from foundations.errors import require

topic = "tests"


@dataclass(frozen=True)
class Config(kit.Config):
    learning_rate: kit.Rate = 0.1
    """Step size."""
    steps: kit.Count = 10
    """Updates."""
    way: Literal["plain", "momentum"] = "plain"
    """How."""
    sizes: tuple[kit.Count, ...] = (8,)
    """No more than a setting that holds several numbers."""
    dropout: kit.Share = 0.0
    """No more than a setting between 0 and 1."""
    pause: float = 0.0
    """Seconds an update."""
    diverges_above: float = 1e9
    """Learning rate from which the loss is NaN."""
    refuses_above: float = 1e9
    """Learning rate from which the lab finds it impossible."""
    breaks_above: float = 1e9
    """Learning rate from which the lab breaks."""
    kill_at: int = 0
    """Step at which the process is killed, unless a file `killed` lies in the working directory: it is made."""

    presets: ClassVar[kit.Presets] = {"smoke": {"steps": 3}, "full": {"steps": 100}}


class Descent:
    """x <- x - learning_rate x from x = 1: best at learning rate 1."""

    def __init__(self, config: Config) -> None:
        self.config, self.x, self.updates = config, 1.0, 0

    def learn(self) -> Iterator[Mapping[str, Any]]:
        while True:
            time.sleep(self.config.pause)
            self.x -= self.config.learning_rate * self.x
            self.updates += 1
            nan = self.config.learning_rate > self.config.diverges_above
            yield {"loss": float("nan") if nan else abs(self.x)}

    def state_dict(self) -> dict[str, Any]:
        return {"x": self.x, "updates": self.updates}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self.x, self.updates = state["x"], state["updates"]


def main(config: Config, run: kit.Run) -> None:
    allowed = f"at most {config.refuses_above}"
    require(config.learning_rate <= config.refuses_above, "learning_rate", config.learning_rate, allowed)
    descent = Descent(config)
    for step, _ in run.follow(descent, steps=config.steps):
        run.log({"error/test": abs(descent.x)})
        if config.learning_rate > config.breaks_above:
            raise RuntimeError("the lab broke, as asked")
        if step == config.kill_at and not Path("killed").exists():
            Path("killed").touch()
            os.kill(os.getpid(), signal.SIGKILL)
    run.summary({"distance": abs(descent.x), "updates": descent.updates})


if __name__ == "__main__":
    kit.launch(main)
