"""Gibbs chains: states that follow the machine's distribution, both layers redrawn in turn."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from foundations.errors import require
from generative.boltzmann.rbm import RBM


class GibbsChains:
    """Gibbs sampling, `count` chains side by side: a sweep draws h ~ p(h | v), then v ~ p(v | h), each layer at once.

    All memory is set aside here: a half sweep is one matrix product into it, a sigmoid in place, and noise that becomes
    the draw where it lies. `visible`, `hidden` and `hidden_probabilities` are overwritten by the next sweep.
    A machine with labels may have them held: `held` (count, classes), one-hot; they are then never redrawn.

    Shapes: visible (count, rbm.visible), hidden (count, rbm.hidden). The chains begin with all visible units off.
    Raises: InputError for a count below 1, and for `start` states of another shape.
    Source: Geman & Geman 1984, IEEE PAMI 6(6).
    """

    def __init__(self, rbm: RBM, count: int, stream: torch.Generator, *, held: Tensor | None = None) -> None:
        require(count >= 1, "chains", count, "at least 1")
        like = rbm.weight.detach()
        self.rbm, self.stream, self.held = rbm, stream, held
        self.visible, self.hidden = like.new_zeros(count, rbm.visible), like.new_zeros(count, rbm.hidden)
        self.hidden_probabilities = like.new_zeros(count, rbm.hidden)
        self._logits = like.new_zeros(count, rbm.visible)
        self._hold()

    def start(self, visible: Tensor) -> None:
        """Begin at the states `visible`, which are copied."""
        shape = tuple(self.visible.shape)
        require(visible.shape == self.visible.shape, "start shape", tuple(visible.shape), f"{shape}")
        self.visible.copy_(visible)
        self._hold()

    def start_at_rates(self, rates: Tensor) -> None:
        """Begin at independent draws, each unit on at its rate (visible)."""
        self.start(self.visible.uniform_(generator=self.stream).lt_(rates))

    @torch.no_grad()
    def look(self) -> Tensor:
        """The probabilities p(h = 1 | v) of the present visible states: (count, hidden)."""
        rbm = self.rbm
        torch.addmm(rbm.hidden_bias, self.visible, rbm.weight.T, out=self.hidden_probabilities)
        return self.hidden_probabilities.sigmoid_()

    @torch.no_grad()
    def sweep(self, count: int = 1) -> Tensor:
        """Redraw both layers `count` times; gives the visible states."""
        for _ in range(count):
            self.draw_hidden(self.look())
            self.draw_visible()
        return self.visible

    @torch.no_grad()
    def run_from(self, hidden_probabilities: Tensor, count: int) -> None:
        """Set out from data with these p(h = 1 | data), (count, hidden), `count` sweeps far, and look."""
        self.draw_hidden(hidden_probabilities)  # half a sweep: what the hidden units see of the data is known
        self.draw_visible()
        self.sweep(count - 1)
        self.look()

    @torch.no_grad()
    def draw_hidden(self, probabilities: Tensor) -> None:
        """Draw h of its probabilities (count, hidden)."""
        self.hidden.uniform_(generator=self.stream).lt_(probabilities)

    @torch.no_grad()
    def draw_visible(self) -> None:
        """Draw v ~ p(v | h) of the present hidden states."""
        torch.addmm(self.rbm.visible_bias, self.hidden, self.rbm.weight, out=self._logits)
        self.rbm.draw_visible_(self._logits, self.visible.uniform_(generator=self.stream))
        self._hold()

    def _hold(self) -> None:
        if self.held is not None:
            self.visible[:, -self.held.shape[1] :] = self.held

    def state_dict(self) -> dict[str, Any]:
        """The visible states, from which the rest follows, and the stream."""
        return {"visible": self.visible, "stream": self.stream.get_state()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from `state`, exactly."""
        self.start(state["visible"])
        self.stream.set_state(state["stream"].cpu())


def draw(probabilities: Tensor, stream: torch.Generator) -> Tensor:
    """Units of 0 and 1, each on with its probability. Shapes: any, kept."""
    return torch.empty_like(probabilities).uniform_(generator=stream).lt_(probabilities)
