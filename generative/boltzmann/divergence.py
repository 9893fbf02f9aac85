"""How a restricted Boltzmann machine learns: contrastive divergence, with chains that restart or that persist."""

from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from foundations.batches import Batches
from foundations.errors import require
from foundations.learner import Metrics
from foundations.optimizers import SGD
from foundations.schedules import Schedule, constant
from foundations.streams import Streams
from generative.boltzmann.chains import GibbsChains
from generative.boltzmann.rbm import RBM, require_data
from generative.pixels import in_unit_range


class ContrastiveDivergence:
    """Gradient ascent on log p(v): d log p / dW = <h v^T>_data - <h v^T>_model, the last from short Gibbs chains.

    CD-k: the chains begin at the batch and run `gibbs_steps` sweeps, so they lean towards the data. Persistent CD: the
    `chains` go on from where the last update left them, so they can leave the data, and the estimate of the gradient is
    far better for the same time; it wants a learning rate that falls.

    `data` are probabilities, drawn anew to 0 and 1 each time a row is looked at (drawing leaves 0 and 1 as they are).
    Hidden units are drawn along the chain; the statistics at both its ends take their probabilities, which have less
    noise and the same mean. `schedule` gives the factor on the learning rate; `momentum` is the heavy ball's;
    `weight_decay` times the weights is added to their gradient, biases are spared.

    Shapes: data (n, visible), bytes (255 standing for 1) or floats in [0, 1], on the machine's device.
    Yields: `gradient/norm` of the weights (nats per unit of weight), `hidden/activity` (the mean hidden probability on
    the data: near 0 or 1 the units say nothing), and `reconstruction/error` where chains begin at the data: the share
    of visible units that differ at their end. Endless.
    Raises: InputError for values outside [0, 1], data of another width than the machine's, and impossible settings.
    Source: Hinton 2002, Neural Computation 14(8); Tieleman 2008, ICML (persistent).
    """

    def __init__(
        self,
        rbm: RBM,
        data: Tensor,
        *,
        batch_size: int,
        learning_rate: float,
        gibbs_steps: int = 1,
        persistent: bool = False,
        chains: int | None = None,
        schedule: Schedule | None = None,
        momentum: float = 0.0,
        weight_decay: float = 0.0,
        streams: Streams,
    ) -> None:
        require_data(data)
        require(data.shape[1] == rbm.visible, "data width", data.shape[1], f"{rbm.visible}, as the visible units")
        require(gibbs_steps >= 1, "gibbs_steps", gibbs_steps, "at least 1 sweep")
        require(persistent or chains is None, "chains", chains, "None unless persistent: one an example of the batch")
        self.rbm, self.data, self.gibbs_steps, self.persistent = rbm, data, gibbs_steps, persistent
        self.step = 0
        self.batches = Batches(len(data), batch_size, streams.torch("batches", data.device))
        count = batch_size if chains is None else chains
        self.chains = GibbsChains(rbm, count, streams.torch("chains", data.device))
        biases = {"params": [rbm.visible_bias, rbm.hidden_bias], "weight_decay": 0.0}
        weights = {"params": [rbm.weight], "weight_decay": weight_decay}
        self.optimizer = SGD([weights, biases], lr=learning_rate, momentum=momentum, fused=True)
        self._learning_rate, self._schedule = learning_rate, schedule or constant()
        # The data's side of the gradient has states and a stream of its own: it is the same whatever the chains do.
        self._seen = GibbsChains(rbm, batch_size, streams.torch("data", data.device))
        make_room(rbm)
        if persistent:  # at data, so that the first updates are those of CD
            self._draw(self.chains, torch.arange(count, device=data.device) % len(data))

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
        """Leave in the machine's weights the estimated gradient of -log p over the rows `chosen`; chains move on."""
        seen, chains = self._seen, self.chains
        self._draw(seen, chosen)
        expected = seen.look()
        if self.persistent:
            chains.sweep(self.gibbs_steps)
            chains.look()
        else:
            chains.run_from(expected, self.gibbs_steps)
        leave_difference(seen, chains)
        metrics = {"gradient/norm": gradient_of(self.rbm.weight).norm(), "hidden/activity": expected.mean()}
        if not self.persistent:
            metrics["reconstruction/error"] = (seen.visible - chains.visible).abs_().mean()
        return metrics

    def _draw(self, chains: GibbsChains, chosen: Tensor) -> None:
        """Binary states of the rows `chosen`, from the stream of `chains`."""
        chains.start_at_rates(in_unit_range(self.data[chosen]))

    def state_dict(self) -> dict[str, Any]:
        """Weights, velocities, the place in the data, the chains, the stream that binary data are drawn from."""
        parts = {name: part.state_dict() for name, part in self._parts().items()}
        return {**parts, "data": self._seen.stream.get_state(), "step": self.step}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue from `state`, exactly."""
        for name, part in self._parts().items():
            part.load_state_dict(state[name])
        self._seen.stream.set_state(state["data"].cpu())
        self.step = state["step"]

    def _parts(self) -> dict[str, Any]:
        return {"rbm": self.rbm, "optimizer": self.optimizer, "batches": self.batches, "chains": self.chains}


def leave_difference(seen: GibbsChains, made: GibbsChains) -> None:
    """Leave the gradient of -log p: the statistics that the machine makes less those of what it sees, both means.

    Both have looked last, so that their hidden probabilities are those of their visible states.
    """
    rbm, weight = seen.rbm, gradient_of(seen.rbm.weight)
    share, other = 1 / len(seen.visible), 1 / len(made.visible)
    torch.addmm(weight, seen.hidden_probabilities.T, seen.visible, beta=0, alpha=-share, out=weight)
    torch.addmm(weight, made.hidden_probabilities.T, made.visible, alpha=other, out=weight)
    torch.sub(made.visible.mean(0), seen.visible.mean(0), out=gradient_of(rbm.visible_bias))
    hidden = made.hidden_probabilities.mean(0), seen.hidden_probabilities.mean(0)
    torch.sub(*hidden, out=gradient_of(rbm.hidden_bias))


def make_room(module: nn.Module) -> None:
    """Give every weight a gradient of zeros, to be written into."""
    for parameter in module.parameters():
        parameter.grad = torch.zeros_like(parameter)


def gradient_of(parameter: Tensor) -> Tensor:
    """The gradient that `make_room` made room for."""
    assert parameter.grad is not None
    return parameter.grad
