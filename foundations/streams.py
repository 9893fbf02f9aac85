"""Independent random streams by name, all from one seed."""

import hashlib
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from foundations.errors import require


@dataclass(frozen=True)
class Streams:
    """A tree of seeds: each component asks for its own stream by name.

    A stream depends on the seed and its name alone, never on what else was asked for or in which order, so adding a
    component changes no other's numbers. Built on NumPy's `SeedSequence`, whose spawn keys are here the names' hashes.

        streams = Streams(seed=0)
        noise = streams.torch("noise")              # a torch.Generator
        order = streams.child("data").numpy("order")  # a numpy.random.Generator
    """

    seed: int
    path: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        require(self.seed >= 0, "seed", self.seed, "an integer >= 0")

    def child(self, name: str) -> "Streams":
        """A sub-tree of streams, for a component that has components."""
        return Streams(self.seed, (*self.path, name))

    def torch(self, name: str, device: "torch.device | str" = "cpu") -> torch.Generator:
        """The torch stream `name` on `device`, at its beginning."""
        seed = int(self._sequence(name).generate_state(1, np.uint64)[0])
        return torch.Generator(device).manual_seed(seed & (2**63 - 1))

    def numpy(self, name: str) -> np.random.Generator:
        """The NumPy stream `name`, at its beginning."""
        return np.random.default_rng(self._sequence(name))

    def _sequence(self, name: str) -> np.random.SeedSequence:
        digests = (hashlib.sha256(part.encode()).digest()[:8] for part in (*self.path, name))
        return np.random.SeedSequence(self.seed, spawn_key=tuple(int.from_bytes(d, "little") for d in digests))


def generators_of(module: nn.Module) -> list[torch.Generator]:
    """The random streams that the layers of `module` draw from (dropout masks), each once, in the layers' order."""
    found = (getattr(layer, "generator", None) for layer in module.modules())
    return list(dict.fromkeys(each for each in found if isinstance(each, torch.Generator)))
