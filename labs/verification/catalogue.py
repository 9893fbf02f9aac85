"""Every twin that the project knows, and every network whose weights were counted in print."""

from collections.abc import Sequence
from difflib import get_close_matches
from typing import TypeVar

from foundations.errors import InputError
from labs.verification import activations, layers, learning, mathematics, networks, optimization, scratch, sequences
from labs.verification.twin import Count, Twin

Entry = TypeVar("Entry", bound=Twin | Count)


def twins() -> list[Twin]:
    """All of them, area after area."""
    return [
        *mathematics.linear_algebra_twins(),
        *mathematics.derivative_twins(),
        *mathematics.probability_twins(),
        *learning.preparation_twins(),
        *activations.activation_twins(),
        *activations.loss_twins(),
        *layers.layer_twins(),
        *layers.convolution_twins(),
        *layers.pooling_twins(),
        *layers.normalisation_twins(),
        *layers.initializer_twins(),
        *sequences.sequence_twins(),
        *scratch.scratch_twins(),
        *optimization.optimizer_twins(),
        *optimization.schedule_twins(),
        *optimization.clipping_twins(),
        *optimization.penalty_twins(),
        *learning.neuron_twins(),
        *learning.training_twins(),
        *networks.network_twins(),
    ]


def counts() -> list[Count]:
    """Networks with a published number of weights."""
    return networks.counts()


def require_known(names: Sequence[str], known: Sequence[Twin | Count]) -> None:
    """Raises: InputError for a name that is no block nor area of `known`, with the nearest one that is."""
    areas = list(dict.fromkeys(entry.area for entry in known))
    names_known = {_plain(name): name for name in [*areas, *(_family(entry) for entry in known)]}
    names_known |= {_plain(entry.block): entry.block for entry in known}
    for name in names:
        if _plain(name) not in names_known:
            near = get_close_matches(_plain(name), names_known, n=1)
            hint = f"; did you mean {names_known[near[0]]!r}?" if near else ""
            raise InputError(f"name={name!r}: must be a block, or one of the areas {', '.join(areas)}{hint}")


def choose(names: Sequence[str], known: Sequence[Entry]) -> list[Entry]:
    """The entries of those areas or blocks; all of them without a name. Case, `-` and `_` do not matter."""
    wanted = {_plain(name) for name in names}
    return [
        entry
        for entry in known
        if not wanted or wanted & {_plain(entry.area), _plain(entry.block), _plain(_family(entry))}
    ]


def _family(entry: Twin | Count) -> str:
    """The block without its variant."""
    return entry.block.partition(",")[0]


def _plain(name: str) -> str:
    return " ".join(name.lower().replace("-", " ").replace("_", " ").split())
