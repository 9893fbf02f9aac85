"""From the states of a recurrent network to answers."""

import torch
from torch import Tensor, nn

from foundations.errors import require
from foundations.layers import Linear
from foundations.recurrent.stack import Recurrent


class Readout(nn.Module):
    """A recurrent network and a dense layer behind its last steps: y_t = V h_t + c for t > time - `steps`.

    With `steps` 1 a sequence has one answer, which has seen all of it: for classes and sums. One tensor goes in and one
    comes out, so that `SupervisedLearner` takes it.
    Shapes: x (batch, time, features) -> y (batch, steps, outputs).
    Raises: InputError for `outputs` or `steps` below 1, and fewer steps in a sequence than answers.
    """

    def __init__(
        self, network: Recurrent, outputs: int, steps: int = 1, *, generator: torch.Generator | None = None
    ) -> None:
        super().__init__()
        require(outputs >= 1, "outputs", outputs, "at least 1")
        require(steps >= 1, "steps", steps, "at least 1")
        self.network, self.steps = network, steps
        self.head = Linear(network.directions * network.hidden_size, outputs, generator=generator)

    def forward(self, x: Tensor) -> Tensor:
        """Shapes: (batch, time, features) -> (batch, steps, outputs)."""
        shown, _ = self.network(x)
        require(shown.shape[1] >= self.steps, "input shape", tuple(x.shape), f"of {self.steps} steps at least")
        answers: Tensor = self.head(shown[:, -self.steps :])
        return answers
