"""A lab for tests: gradient descent on a noisy bowl."""

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import foundations
import labs.kit as kit

topic = "tests"


@dataclass(frozen=True)
class Config(kit.Config):
    steps: kit.Count = 200
    """Updates."""
    learning_rate: kit.Rate = 0.05
    """Step size."""
    pause: float = 0.0
    """Seconds that each update takes."""
    crash_at: int = 0
    """Step at which the lab breaks."""
    checkpoint_seconds: kit.Rate = 0.05
    """Seconds between checkpoints."""

    presets: ClassVar[kit.Presets] = {"smoke": {"steps": 5}, "full": {"steps": 400}}


class Bowl:
    """theta <- theta - learning_rate (theta + noise), from theta = 1."""

    def __init__(self, learning_rate: float, pause: float, streams: "foundations.Streams") -> None:
        import torch

        self.theta = torch.ones(1000)
        self.learning_rate, self.pause = learning_rate, pause
        self.noise = streams.torch("noise")

    def learn(self) -> Iterator[Mapping[str, Any]]:
        import torch

        while True:
            until = time.perf_counter() + self.pause
            gradient = self.theta + torch.randn(1000, generator=self.noise)
            self.theta = self.theta - self.learning_rate * gradient
            while time.perf_counter() < until:
                pass
            yield {"loss/bowl": self.theta.square().mean(), "size/theta": self.theta.abs().max()}

    def state_dict(self) -> dict[str, Any]:
        return {"theta": self.theta, "noise": self.noise.get_state()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self.theta = state["theta"]
        self.noise.set_state(state["noise"])


def main(config: Config, run: kit.Run) -> None:
    bowl = Bowl(config.learning_rate, config.pause, run.streams)
    for step, _ in run.follow(bowl, steps=config.steps, examples_per_step=1000):
        if run.every(100):
            run.log({"eval/median": bowl.theta.median()})
        if run.every(50):
            run.images("theta", bowl.theta[:784].reshape(1, 1, 28, 28).sigmoid())
        if step == config.crash_at:
            raise RuntimeError("the lab broke, as asked")
    run.film("theta")
    run.table("ends", [{"which": "first", "value": float(bowl.theta[0])}])
    run.summary({"distance": float(bowl.theta.norm())})


if __name__ == "__main__":
    kit.launch(main)
