"""What a deep belief network dreams of: Gibbs chains in its top machine, seen through the layers below."""

from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import Tensor

from foundations.errors import require
from foundations.learner import Metrics
from foundations.streams import Streams
from generative.boltzmann.chains import GibbsChains
from generative.boltzmann.dbn import DeepBeliefNetwork
from generative.boltzmann.labelled import LabelledRBM


class Fantasies:
    """`count` chains in the top machine of `network`; `images` shows what they dream of now.

    With `labels` (count) each chain has its label held and dreams of that class. The chains begin at `start`, states of
    the top machine's visible units (count, top.visible), else with all off. It learns nothing, but can be driven,
    stopped and resumed as what learns: `learn` yields after every sweep the chains' mean `free_energy` (nats), which
    settles where they have forgotten their start.
    Raises: InputError for labels in a network without, for unknown ones, and a number other than `count`.
    """

    def __init__(
        self,
        network: DeepBeliefNetwork,
        count: int,
        *,
        streams: Streams,
        labels: Tensor | None = None,
        start: Tensor | None = None,
    ) -> None:
        top, held = network.top, None
        if labels is not None:
            require(isinstance(top, LabelledRBM), "labels", "given", "None: the network has learned without classes")
            require(len(labels) == count, "labels", len(labels), f"{count}, one a chain")
            assert isinstance(top, LabelledRBM)
            held = top.one_hot(labels).to(top.weight)
        device = top.weight.device
        self.network, self.labels = network, labels
        self.chains = GibbsChains(top, count, streams.torch("chains", device), held=held)
        self._shown = streams.torch("shown", device)
        self._first_shown = self._shown.get_state()
        if start is not None:
            self.chains.start(start)

    def start_at_rest(self) -> None:
        """Begin at independent draws of what the top machine shows while none of its hidden units is on."""
        top = self.network.top
        nothing = torch.zeros(1, top.hidden, device=top.weight.device)
        self.chains.start_at_rates(top.visible_probabilities(nothing).detach())

    def learn(self) -> Iterator[Metrics]:
        """Yield after every sweep; endless."""
        while True:
            visible = self.chains.sweep()
            with torch.no_grad():
                free_energy = self.network.top.free_energy(visible).mean()
            yield {"free_energy": free_energy}

    def images(self) -> Tensor:
        """Pixel probabilities below the present states: (count, sizes[0]). Looking changes nothing."""
        top, visible = self.network.top, self.chains.visible
        if len(self.network.rbms) == 1:  # the chains' states are pixels of 0 and 1: what the machine expects of them
            with torch.no_grad():
                return top.visible_probabilities(top.hidden_probabilities(visible))[:, : self.network.sizes[0]]
        self._shown.set_state(self._first_shown)
        return self.network.down(visible, self._shown)

    def state_dict(self) -> dict[str, Any]:
        """The chains and their stream; the network is not its own to keep."""
        return self.chains.state_dict()

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from `state`, exactly."""
        self.chains.load_state_dict(state)
