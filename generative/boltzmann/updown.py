"""How all layers of a deep belief network learn together: the up-down algorithm, a contrastive form of wake-sleep."""

from collections.abc import Iterator, Mapping
from itertools import chain, pairwise
from typing import Any

import torch
from torch import Tensor

from foundations.batches import Batches
from foundations.errors import require
from foundations.learner import Metrics
from foundations.optimizers import SGD
from foundations.schedules import Schedule, constant
from foundations.streams import Streams
from generative.boltzmann.chains import GibbsChains, draw
from generative.boltzmann.divergence import gradient_of, leave_difference, make_room
from generative.boltzmann.labelled import LabelledRBM
from generative.boltzmann.rbm import RBM, require_data
from generative.boltzmann.untied import UntiedBeliefNetwork, log_probability
from generative.pixels import in_unit_range


class UpDown:
    """Fine-tunes a greedily learned deep belief network as a generative model, all layers at once, with s its layers:

    - wake: the hidden layers are drawn upwards by the recognition weights R, and the generative weights W learn to make
      each layer from the one above: dW = h (s - p(s | h))^T, the gradient of log p(s | h);
    - top: the uppermost machine, labels beside its input, learns by CD-k from there, `gibbs_steps` sweeps long;
    - sleep: from where its chains end the layers are drawn downwards by W, and R learns to see each layer in the one
      below: dR = (h - q(h | s)) s^T, the gradient of log q(h | s).

    The wake and top phases raise a lower bound on log p(v) (`variational_bound`); the sleep phase makes recognition fit
    what the network makes, here fantasies near the data, since the chains began there. All by gradient descent with
    `momentum`; `schedule` gives the factor on the learning rate. Data are drawn to 0 and 1 as in
    `ContrastiveDivergence`; the top machine's statistics take hidden probabilities, as there.

    Shapes: data (n, sizes[0]), bytes (255 standing for 1) or floats in [0, 1], labels (n) where the network has
    classes; on the network's device.
    Yields: `wake/nats`, the cost -log p of all layers below the top given the one above; `sleep/nats`, the cost -log q
    of all hidden layers given the one below; `top/reconstruction_error`, the share of the top machine's visible units
    that differ at the chains' end. Endless.
    Raises: InputError for a network of one machine, which has no weights to untie; for data outside [0, 1] or of
    another width, labels missing, unknown or not asked for, and impossible settings.
    Source: Hinton, Osindero & Teh 2006, Neural Computation 18(7), section 5 and appendix B; wake-sleep: Hinton, Dayan,
    Frey & Neal 1995, Science 268.
    """

    def __init__(
        self,
        network: UntiedBeliefNetwork,
        data: Tensor,
        labels: Tensor | None = None,
        *,
        batch_size: int,
        learning_rate: float,
        gibbs_steps: int = 3,
        schedule: Schedule | None = None,
        momentum: float = 0.0,
        streams: Streams,
    ) -> None:
        require_data(data)
        width, layers = network.sizes[0], len(network.rbms)
        require(layers >= 2, "sizes", network.sizes, "three or more: one machine alone has no weights to untie")
        require(data.shape[1] == width, "data width", data.shape[1], f"{width}, the network's first size")
        require(gibbs_steps >= 1, "gibbs_steps", gibbs_steps, "at least 1 sweep")
        self.network, self.data, self.gibbs_steps = network, data, gibbs_steps
        self._named = self._one_hot(labels)
        self.step = 0
        self.batches = Batches(len(data), batch_size, streams.torch("batches", data.device))
        self._stream = streams.torch("draws", data.device)
        self._seen, self._chains = (GibbsChains(network.top, batch_size, self._stream) for _ in range(2))
        self._below = [(network.rbm(layer), network.upward(layer)) for layer in range(layers - 1)]
        ways = ((down.weight, down.visible_bias, up.weight, up.hidden_bias) for down, up in self._below)
        weights = [*chain.from_iterable(ways), *network.top.parameters()]
        self.optimizer = SGD(weights, lr=learning_rate, momentum=momentum, fused=True)
        self._learning_rate, self._schedule = learning_rate, schedule or constant()
        make_room(network)

    def learn(self) -> Iterator[Metrics]:
        """Yield the metrics of each update."""
        while True:
            for group in self.optimizer.param_groups:
                group["lr"] = self._learning_rate * self._schedule(self.step)
            metrics = self.leave_gradients(self.batches.next())
            self.optimizer.step()
            self.step += 1
            yield metrics

    @torch.no_grad()
    def leave_gradients(self, chosen: Tensor) -> Metrics:
        """Leave in the weights the gradients of the three phases over the rows `chosen`."""
        layers = self._wake(chosen)
        wake = sum(_teach_down(down, *pair) for (down, _), pair in zip(self._below, pairwise(layers), strict=True))
        fantasy = self._associate(layers[-1], chosen)
        fantasies = self._sleep(fantasy)
        sleep = sum(_teach_up(up, *pair) for (_, up), pair in zip(self._below, pairwise(fantasies), strict=True))
        error = (self._seen.visible - self._chains.visible).abs_().mean()
        return {"wake/nats": wake, "sleep/nats": sleep, "top/reconstruction_error": error}

    def _wake(self, chosen: Tensor) -> list[Tensor]:
        """Binary states of all layers below the top's hidden units, drawn upwards from the rows `chosen`."""
        layers = [draw(in_unit_range(self.data[chosen]), self._stream)]
        for _, up in self._below:
            layers.append(draw(up.hidden_probabilities(layers[-1]), self._stream))
        return layers

    def _associate(self, inputs: Tensor, chosen: Tensor) -> Tensor:
        """CD-k in the top machine; the inputs (batch, sizes[-2]) at which its chains end."""
        visible = inputs if self._named is None else torch.cat([inputs, self._named[chosen]], dim=1)
        self._seen.start(visible)
        self._chains.run_from(self._seen.look(), self.gibbs_steps)
        leave_difference(self._seen, self._chains)
        return self._chains.visible[:, : inputs.shape[1]]

    def _sleep(self, fantasy: Tensor) -> list[Tensor]:
        """Binary states of all layers, the lowest first, drawn downwards from the top machine's inputs `fantasy`."""
        layers = [fantasy]
        for down, _ in reversed(self._below):
            layers.insert(0, draw(down.visible_probabilities(layers[0]), self._stream))
        return layers

    def _one_hot(self, labels: Tensor | None) -> Tensor | None:
        top, given = self.network.top, None if labels is None else "given"
        fits = (labels is not None) == isinstance(top, LabelledRBM)
        require(fits, "labels", given, "given exactly where the network has classes")
        if labels is None or not isinstance(top, LabelledRBM):
            return None
        require(len(labels) == len(self.data), "labels", len(labels), f"as many as the {len(self.data)} rows of data")
        return top.one_hot(labels).to(self.network.top.weight)

    def state_dict(self) -> dict[str, Any]:
        """Weights of both ways, velocities, the place in the data, the stream that all states are drawn from."""
        parts = {name: part.state_dict() for name, part in self._parts().items()}
        return {**parts, "stream": self._stream.get_state(), "step": self.step}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue from `state`, exactly."""
        for name, part in self._parts().items():
            part.load_state_dict(state[name])
        self._stream.set_state(state["stream"].cpu())
        self.step = state["step"]

    def _parts(self) -> dict[str, Any]:
        return {"network": self.network, "optimizer": self.optimizer, "batches": self.batches}


def _teach_down(machine: RBM, below: Tensor, above: Tensor) -> Tensor:
    """Leave in the way down the gradient of -log p(below | above), the mean over the rows; gives it, in nats."""
    logits = machine.visible_logits(above)
    surplus = (logits.sigmoid() - below) / len(below)
    torch.mm(above.T, surplus, out=gradient_of(machine.weight))
    torch.sum(surplus, dim=0, out=gradient_of(machine.visible_bias))
    return -log_probability(logits, below).mean()


def _teach_up(machine: RBM, below: Tensor, above: Tensor) -> Tensor:
    """Leave in the way up the gradient of -log q(above | below), the mean over the rows; gives it, in nats."""
    logits = machine.hidden_logits(below)
    surplus = (logits.sigmoid() - above) / len(below)
    torch.mm(surplus.T, below, out=gradient_of(machine.weight))
    torch.sum(surplus, dim=0, out=gradient_of(machine.hidden_bias))
    return -log_probability(logits, above).mean()
