"""A lab for tests: gradient descent on a noisy bowl."""

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import foundations
import labs.kit as kit

topic = "tests"


@dataclass(frozen=True)
class Config(kit.Config):
    steps: kit.Count = 200
    """Updates."""
    warm_up: int = 0
    """Updates of a phase before training."""
    learning_rate: kit.Rate = 0.05
    """Step size."""
    pause: float = 0.0
    """Seconds that each update takes."""
    evaluation_pause: float = 0.0
    """Seconds that the first evaluation takes; a file `evaluating` says that it has begun."""
    crash_at: int = 0
    """Step at which the lab breaks, unless a file `mended` lies in the working directory."""
    nan_metric_at: int = 0
    """Step at which the loss is NaN."""
    nan_weight_at: int = 0
    """Step at which a weight becomes NaN, without any metric that says so."""
    stop_below: float = 0.0
    """Loss at which the lab is content, and stops early."""
    exit_at: int = 0
    """Step at which the lab calls sys.exit(7)."""
    checkpoint_seconds: kit.Rate = 0.05
    """Seconds between checkpoints."""

    presets: ClassVar[kit.Presets] = {"smoke": {"steps": 5}, "full": {"steps": 400}}


class Bowl:
    """theta <- theta - learning_rate (theta + noise), from theta = 1."""

    def __init__(self, config: Config, streams: "foundations.Streams") -> None:
        import torch

        self.config = config
        self.theta = torch.ones(1000)
        self.hidden = torch.zeros(1)
        self.updates = 0
        self.noise = streams.torch("noise")

    def learn(self) -> Iterator[Mapping[str, Any]]:
        while True:
            until = time.perf_counter() + self.config.pause
            self._update()
            while time.perf_counter() < until:
                pass
            loss = self.theta.square().mean()
            if self.updates == self.config.nan_metric_at:
                loss = loss * float("nan")
            yield {"loss/bowl": loss, "size/theta": self.theta.abs().max()}

    def _update(self) -> None:
        import torch

        gradient = self.theta + torch.randn(1000, generator=self.noise)
        self.theta = self.theta - self.config.learning_rate * gradient
        self.updates += 1
        if self.updates == self.config.nan_weight_at:
            self.hidden = self.hidden * float("nan")

    def state_dict(self) -> dict[str, Any]:
        state = {"theta": self.theta, "hidden": self.hidden, "updates": self.updates}
        return {**state, "noise": self.noise.get_state()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self.theta, self.hidden, self.updates = state["theta"], state["hidden"], state["updates"]
        self.noise.set_state(state["noise"])


def main(config: Config, run: kit.Run) -> None:
    if config.warm_up:
        first = Bowl(config, run.streams.child("warm_up"))
        for _ in run.follow(first, steps=config.warm_up, name="warm_up"):
            if run.every(10):
                run.log({"eval/median": first.theta.median()})
    bowl = Bowl(config, run.streams)
    for step, metrics in run.follow(bowl, steps=config.steps, examples_per_step=1000):
        if metrics["loss/bowl"] < config.stop_below:
            run.stop()
        if run.every(100):
            if config.evaluation_pause and step == 100:
                Path("evaluating").touch()
                time.sleep(config.evaluation_pause)
            run.log({"eval/median": bowl.theta.median()})
        if run.every(50):
            run.images("theta", bowl.theta[:784].reshape(1, 1, 28, 28).sigmoid())
        if step == config.crash_at and not Path("mended").exists():
            raise RuntimeError("the lab broke, as asked")
        if step == config.exit_at:
            raise SystemExit(7)
    run.film("theta")
    run.table("ends", [{"which": "first", "value": float(bowl.theta[0])}])
    run.summary({"distance": float(bowl.theta.norm())})


if __name__ == "__main__":
    kit.launch(main)
