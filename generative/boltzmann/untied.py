"""The deep belief network with two sets of weights: one recognises on the way up, one makes on the way down."""

import copy

import torch
from torch import Tensor, nn

from foundations.errors import require
from foundations.losses import binary_cross_entropy_from_logits
from foundations.streams import Streams
from generative.boltzmann.annealing import LogPartition, log_partition
from generative.boltzmann.chains import draw
from generative.boltzmann.dbn import DeepBeliefNetwork
from generative.boltzmann.labelled import LabelledRBM
from generative.boltzmann.rbm import RBM, base_rates, require_data


class UntiedBeliefNetwork(DeepBeliefNetwork):
    """A copy of `network` whose way up has weights of its own, `recognition`, so that each way can learn by itself.

        q(h1 | v) = sigma(c + R v)   from `recognition`,      p(v | h1) = sigma(b + W^T h1)   from `rbms`,

    and so on up to the top machine, which needs no way up or down: its one set of weights is its energy. Greedy
    learning ties R = W. That is a good start and no more: once the layers above have changed what is expected of a
    layer, W^T is no longer the way back from R.

    Of `rbms` below the top the hidden biases, of `recognition` the visible ones say nothing any more.
    Source: Hinton, Osindero & Teh 2006, Neural Computation 18(7), section 5.
    """

    def __init__(self, network: DeepBeliefNetwork) -> None:
        super().__init__(network.sizes, network.classes, generator=torch.Generator())
        self.to(network.top.weight)
        self.rbms.load_state_dict(network.rbms.state_dict())
        below = range(len(network.rbms) - 1)
        self.recognition = nn.ModuleList(copy.deepcopy(network.upward(layer)) for layer in below)

    def upward(self, layer: int) -> RBM:
        """The machine whose weights lead up from `layer`."""
        if layer == len(self.rbms) - 1:
            return self.top
        machine = self.recognition[layer]
        assert isinstance(machine, RBM)
        return machine


@torch.no_grad()
def variational_bound(
    network: DeepBeliefNetwork, visible: Tensor, log_partition: float, stream: torch.Generator
) -> Tensor:
    """A lower bound on log p(v) of each row, in nats, from one draw of the hidden layers h by the way up, q(h | v).

        log p(v) >= E_q [ log p(v | h1) + .. + log p*(h_top) - log Z - log q(h1 | v) - .. ]

    p* are the top machine's unnormalised probabilities of its inputs, its hidden units and labels summed out, and
    `log_partition` is its log Z: exact, or estimated (`exact_log_partition`, `log_partition`). A network of one machine
    has no hidden layers to draw, and the bound is log p(v) itself.
    Shapes: (n, sizes[0]), of 0 and 1 -> (n). Raises: InputError for other data.
    Source: Hinton, Osindero & Teh 2006, section 4; with an estimated Z Salakhutdinov & Murray 2008, ICML.
    """
    require_data(visible)
    binary = visible.is_floating_point() and bool(((visible == 0) | (visible == 1)).all())
    require(binary, "visible", "grey", "0 or 1 as floats: only these have a probability")
    bound, below = torch.zeros(len(visible), device=visible.device), visible
    for layer in range(len(network.rbms) - 1):
        upward, downward = network.upward(layer), network.rbm(layer)
        logits = upward.hidden_logits(below)
        above = draw(logits.sigmoid(), stream)
        bound += log_probability(downward.visible_logits(above), below) - log_probability(logits, above)
        below = above
    return bound - _input_free_energy(network.top, below) - log_partition


def estimated_bound(
    network: DeepBeliefNetwork,
    visible: Tensor,
    data: Tensor,
    labels: Tensor | None,
    *,
    chains: int,
    temperatures: int,
    streams: Streams,
) -> tuple[float, LogPartition]:
    """The mean of `variational_bound` over the rows `visible`, the top machine's Z estimated; and that estimate.

    The annealing begins at the base rates of what the top machine sees of the training `data` and their `labels`. Draws
    from the streams "annealing" and "bound".
    Shapes: visible (n, sizes[0]), of 0 and 1; data (m, sizes[0]), bytes or in [0, 1]; labels (m), where the network has
    classes. Raises: InputError as `variational_bound`, `log_partition` and `DeepBeliefNetwork.seen`.
    Source: Salakhutdinov & Murray 2008, ICML.
    """
    rates = base_rates(network.seen(len(network.rbms) - 1, data, labels))
    found = log_partition(network.top, chains, temperatures, streams.torch("annealing", visible.device), rates)
    bound = variational_bound(network, visible, found.value, streams.torch("bound", visible.device))
    return float(bound.mean()), found


def log_probability(logits: Tensor, states: Tensor) -> Tensor:
    """The nats log p(states), each unit by itself on with probability sigma(logit): (n, units) each -> (n)."""
    return -binary_cross_entropy_from_logits(logits, states, reduction="none").sum(dim=1)


def _input_free_energy(top: RBM, inputs: Tensor) -> Tensor:
    """-log of p* of the top machine's inputs, a label being summed out as its hidden units are."""
    if isinstance(top, LabelledRBM):
        return -(-top.label_free_energies(inputs)).logsumexp(dim=1)
    return top.free_energy(inputs)
