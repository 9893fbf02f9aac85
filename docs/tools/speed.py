"""The speed table: what each benchmark's file in benchmarks/results says, in one form.

Most files hold `figures`, each with a name, a ratio, its limit and whether that is the least or the most allowed; three
older ones are read by a function of their own.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parents[2] / "benchmarks" / "results"
NOT_SPEED = {"learning", "ray_overhead"}
"""Files whose figures are no ratios."""


@dataclass(frozen=True)
class Row:
    """One comparison: `ratio` of ours to the peer's, of times, or (`least`) of speeds; `asked` is its limit."""

    what: str
    peer: str
    ratio: float
    asked: float | None
    least: bool

    @property
    def holds(self) -> bool:
        """Whether it is what was asked for."""
        return self.asked is None or (self.ratio >= self.asked if self.least else self.ratio <= self.asked)


PEERS = {
    "block": "`torch.nn`'s own",
    "training step": "the same net of `torch.nn`",
    "optimizer": "torch's, `foreach=True`",
    "fused optimizer": "torch's, `fused=True`",
    "feeding": "a `DataLoader` with per-item transforms",
    "speed": "a `DataLoader` with per-item transforms",
    "recurrent": "`torch.nn`'s",
    "variable lengths": "`torch.nn`'s, packed",
    "attention": "`torch.nn.MultiheadAttention`",
    "generation": "without the cache",
    "image": "`lime`",
    "building": "`lime`",
    "table": "`lime`'s default",
    "many": "one by one",
}
"""What is compared with, by the kind of a figure."""


@dataclass(frozen=True)
class Benchmark:
    """One file of results."""

    name: str
    rows: list[Row]
    machine: Mapping[str, Any]
    versions: Mapping[str, str]
    date: str

    @property
    def command(self) -> str:
        """What measures it again."""
        return f"python benchmarks/{self.name}.py"


def benchmarks() -> list[Benchmark]:
    """All that were measured."""
    return [read(file) for file in sorted(RESULTS.glob("*.json")) if file.stem not in NOT_SPEED]


def read(file: Path) -> Benchmark:
    """One file of results. Raises: KeyError where it does not say on what machine or when."""
    content = json.loads(file.read_text())
    name = file.stem.removesuffix("_cuda")
    rows = list(READERS.get(name, plain)(content))
    machine = dict(content["machine"])
    versions = content.get("versions", {})
    versions = {**{key: machine.pop(key) for key in ("python", "torch") if key in machine}, **versions}
    return Benchmark(name, rows, machine, versions, content["date"])


def plain(content: Mapping[str, Any]) -> Iterator[Row]:
    """The common form."""
    for each in content["figures"]:
        peer = each.get("peer") or PEERS.get(each.get("kind", ""), "")
        asked = each.get("limit", each.get("asked"))
        least = bool(each.get("least", False))
        yield Row(each["name"], peer, each["ratio"], asked, least)


def gan(content: Mapping[str, Any]) -> Iterator[Row]:
    """benchmarks/gan_throughput.py."""
    ratio = content["ratio_to_plain_loop"]["generative, float32"]
    peer = "plain loop: `nn.Sequential`, `torch.optim.Adam`, `DataLoader` with per-item transforms"
    yield Row("dense GAN, batch 64, float32, images/s", peer, ratio, None, least=True)


def tracking(content: Mapping[str, Any]) -> Iterator[Row]:
    """benchmarks/tracking_overhead.py."""
    what = f"tracking at {content['milliseconds_a_step']:.0f} ms a step, everything on: wall time"
    yield Row(what, "the bare loop", 1 + content["median_wall_excess"], 1.015, least=False)


def environments(content: Mapping[str, Any]) -> Iterator[Row]:
    """benchmarks/environments.py."""
    for each in content["figures"]:
        what = f"{each['name']}, {each['environments']:,} side by side: steps/s"
        yield Row(what, "`gymnasium.vector.SyncVectorEnv`", each["ratio"], each["limit"], least=True)


def agents(content: Mapping[str, Any]) -> Iterator[Row]:
    """benchmarks/agents_speed.py."""
    figures = content["figures"]
    ppo, dqn = "Stable-Baselines3's PPO, the same settings", "Stable-Baselines3's DQN, the same settings"
    yield Row("PPO on CartPole: steps/s", ppo, figures["ppo steps/s"], 2.0, least=True)
    yield Row("PPO on CartPole: time to a mean return of 475", ppo, figures["ppo seconds to 475"], 0.6, least=False)
    yield Row("deep Q-learning on CartPole: steps/s", dqn, figures["dqn steps/s"], 2.0, least=True)


def sweeps(content: Mapping[str, Any]) -> Iterator[Row]:
    """benchmarks/sweeps.py."""
    what = f"a sweep of {content['trials']} trials on two workers: wall time"
    yield Row(what, "one worker", content["ratio"], content["limit"], least=False)


def data_parallel(content: Mapping[str, Any]) -> Iterator[Row]:
    """benchmarks/data_parallel.py."""
    what = f"LeNet-5, global batch {content['settings']['batch_size']}, two processes: images/s"
    ratio = content["ratio_to_one_process"]["2 processes"]
    yield Row(what, "one process, one thread", ratio, content["limit"], least=True)


READERS: dict[str, Callable[[Mapping[str, Any]], Iterator[Row]]] = {
    "gan_throughput": gan,
    "tracking_overhead": tracking,
    "environments": environments,
    "agents_speed": agents,
    "sweeps": sweeps,
    "data_parallel": data_parallel,
}
