"""The deep belief network: restricted Boltzmann machines on top of each other, learned one after the other."""

import itertools
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from foundations.errors import require
from foundations.images import image_classifier
from foundations.layers import Linear
from foundations.networks import MLP
from foundations.optimizers import AdamW
from foundations.regularizers import decay_groups
from foundations.streams import Streams
from foundations.training import SupervisedLearner
from generative.boltzmann.chains import draw
from generative.boltzmann.divergence import ContrastiveDivergence
from generative.boltzmann.labelled import LabelledRBM
from generative.boltzmann.rbm import RBM, base_rates, require_data
from generative.pixels import in_unit_range

ROWS_AT_ONCE = 5_000
WEIGHT_DECAY = 0.01
"""Of fine-tuning."""


class DeepBeliefNetwork(nn.Module):
    """Deep belief network: p(v, h1, .., hL) = p(v | h1) .. p(h_L-2 | h_L-1) p(h_L-1, hL), the last pair an RBM.

    Learned greedily: an RBM on the data, then one on its hidden probabilities, and so on (`learner`), each a better
    prior for the layer below than that layer's own. With `classes` the top machine sees labels beside its input and
    can be asked for one class. Then all layers are fine-tuned together: as a generative model (`UpDown`), or on labels,
    as the multilayer perceptron that `classifier` makes of it.

    `sizes` are the units from the data upwards: (784, 500, 500, 2000) has three machines, `rbms`.
    Raises: InputError for fewer than two sizes, a size below 1, and one class.
    Source: Hinton, Osindero & Teh 2006, Neural Computation 18(7); Hinton & Salakhutdinov 2006, Science 313.
    """

    def __init__(self, sizes: Sequence[int], classes: int = 0, *, generator: torch.Generator | None = None) -> None:
        super().__init__()
        sizes = tuple(sizes)
        require(len(sizes) >= 2 and min(sizes) >= 1, "sizes", sizes, "two or more widths, each at least 1")
        require(classes == 0 or classes >= 2, "classes", classes, "0 for no labels, or at least 2")
        self.sizes, self.classes = sizes, classes
        *below, (inputs, hidden) = itertools.pairwise(sizes)
        self.rbms = nn.ModuleList(RBM(low, high, generator=generator) for low, high in below)
        if classes:
            self.rbms.append(LabelledRBM(inputs, classes, hidden, generator=generator))
        else:
            self.rbms.append(RBM(inputs, hidden, generator=generator))

    @property
    def top(self) -> RBM:
        """The uppermost machine, in which fantasies begin."""
        return self.rbm(len(self.rbms) - 1)

    def rbm(self, layer: int) -> RBM:
        """The machine number `layer`, from 0. Raises: InputError for one that is not there."""
        require(0 <= layer < len(self.rbms), "layer", layer, f"from 0 to {len(self.rbms) - 1}")
        machine = self.rbms[layer]
        assert isinstance(machine, RBM)
        return machine

    def upward(self, layer: int) -> RBM:
        """The machine whose weights lead up from `layer`: `rbm(layer)`, as long as both ways have the same weights."""
        return self.rbm(layer)

    def forward(self, visible: Tensor) -> Tensor:
        """Logits of the labels, log p(label | what the top machine sees) but for a constant: it is asked for its class.

        The label's free energy, turned round: no weights but those of the machines are needed to recognise.
        Shapes: (n, sizes[0]), bytes or in [0, 1] -> (n, classes). Raises: InputError for a network without classes.
        """
        top = self.top
        require(isinstance(top, LabelledRBM), "classes", self.classes, "at least 2, for the network to name any")
        assert isinstance(top, LabelledRBM)
        return -top.label_free_energies(in_unit_range(self.up(visible, len(self.rbms) - 1)))

    @torch.no_grad()
    def up(self, visible: Tensor, layer: int) -> Tensor:
        """What the machine `layer` sees of data: the hidden probabilities of the machines below, layer by layer.

        Shapes: (n, sizes[0]), bytes or in [0, 1] -> (n, sizes[layer]); for layer 0 the data as they are.
        """
        require_data(visible)
        if layer == 0:
            return visible
        machines = [self.upward(below) for below in range(layer)]
        return torch.cat([_through(machines, part) for part in visible.split(ROWS_AT_ONCE)])

    @torch.no_grad()
    def down(self, state: Tensor, stream: torch.Generator) -> Tensor:
        """Pixel probabilities below states of the top machine's visible units: each layer drawn from the one above.

        Shapes: (n, sizes[-2], and label units, which are left out) -> (n, sizes[0]).
        """
        state = state[:, : self.sizes[-2]]
        for layer in reversed(range(len(self.rbms) - 1)):
            state = self.rbm(layer).visible_probabilities(state)
            if layer > 0:
                state = draw(state, stream)
        return state

    def seen(self, layer: int, data: Tensor, labels: Tensor | None = None) -> Tensor:
        """What the machine `layer` learns from: the data's way `up` to it, and `labels` (n) beside that at the top.

        Shapes: data (n, sizes[0]) -> (n, visible units of the machine).
        Raises: InputError for a layer that is not there, and labels missing, unknown or where none belong.
        """
        machine = self.rbm(layer)
        wanted = isinstance(machine, LabelledRBM)
        allowed = "given for the top layer of a network with classes, and for no other"
        require((labels is not None) == wanted, "labels", None if labels is None else "given", allowed)
        inputs = self.up(data, layer)
        if labels is None or not isinstance(machine, LabelledRBM):
            return inputs
        return machine.with_labels(in_unit_range(inputs), labels)

    def learner(
        self, layer: int, data: Tensor, labels: Tensor | None = None, *, streams: Streams, **settings: Any
    ) -> ContrastiveDivergence:
        """The learner of the machine `layer`, the ones below having learned; its visible biases begin at base rates.

        `settings` are those of `ContrastiveDivergence`. The top machine of a network with classes takes `labels` (n).
        Raises: InputError as `seen`, and for impossible settings.
        """
        machine, seen = self.rbm(layer), self.seen(layer, data, labels)
        machine.begin_at(base_rates(seen))
        return ContrastiveDivergence(machine, seen, streams=streams, **settings)

    @torch.no_grad()
    def classifier(
        self,
        classes: int,
        *,
        generator: torch.Generator,
        dropout: float = 0.0,
        dropout_generator: torch.Generator | None = None,
    ) -> MLP:
        """A multilayer perceptron whose hidden layers are copies of the machines', with a fresh linear layer on top.

        What it is to be fine-tuned into: sizes and then `classes` logits, sigmoid units, dropout as in `MLP`.
        """
        sizes = (*self.sizes, classes)
        network = MLP(sizes, "sigmoid", dropout=dropout, generator=generator, dropout_generator=dropout_generator).to(
            self.top.weight.device
        )
        linears = [module for module in network.body.modules() if isinstance(module, Linear)]
        for layer, linear in enumerate(linears):
            machine = self.upward(layer)
            linear.weight.copy_(machine.weight[:, : linear.in_features])  # without what the labels weigh
            assert linear.bias is not None
            linear.bias.copy_(machine.hidden_bias)
        return network

    def fine_tuner(
        self,
        data: Tensor,
        labels: Tensor,
        *,
        steps: int,
        batch_size: int,
        learning_rate: float,
        dropout: float = 0.0,
        streams: Streams,
    ) -> SupervisedLearner:
        """The learner of `classifier`, its `network`: AdamW, cross-entropy; this network stays as it is.

        The learning rate rises for a tenth of the steps, then falls along a cosine to 0; `WEIGHT_DECAY` spares biases.
        Shapes: data (n, sizes[0]), bytes or in [0, 1], labels (n). Raises: InputError as `SupervisedLearner`.
        Source: Hinton & Salakhutdinov 2006, Science 313.
        """
        masks = streams.torch("dropout", self.top.weight.device)
        head = streams.torch("head")
        classifier = self.classifier(self.classes, generator=head, dropout=dropout, dropout_generator=masks)
        return image_classifier(
            classifier,
            AdamW(decay_groups(classifier, WEIGHT_DECAY), lr=learning_rate, fused=True),
            data,
            labels,
            batch_size=batch_size,
            steps=steps,
            streams=streams.child("fine tuning"),
            prepare=lambda batch, _: in_unit_range(batch),
        )


def _through(machines: Sequence[RBM], rows: Tensor) -> Tensor:
    rows = in_unit_range(rows)
    for machine in machines:
        rows = machine.hidden_probabilities(rows)
    return rows
