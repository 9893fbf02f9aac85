"""A lab for tests: it learns nothing, and keeps models that add a number."""

from dataclasses import dataclass
from typing import ClassVar

import labs.kit as kit

topic = "tests"
best = ("score", "max", "samples")


@dataclass(frozen=True)
class Config(kit.Config):
    score: float = 0.5
    """What the run comes to."""
    samples: int = 100
    """On how much the score rests."""
    models: int = 1
    """Models that it keeps."""
    judged: bool = True
    """Whether the run says its score."""

    presets: ClassVar[kit.Presets] = {"smoke": {}, "full": {}}


def main(config: Config, run: kit.Run) -> None:
    import torch

    for number in range(config.models):
        layer = torch.nn.Linear(1, 1)
        torch.nn.init.constant_(layer.weight, 1.0)
        torch.nn.init.constant_(layer.bias, config.score)
        run.model(f"part{number}", layer, torch.zeros(2, 1))
    run.summary({"score": config.score} if config.judged else {"other": 1.0})


if __name__ == "__main__":
    kit.launch(main)
