"""What a network has to remember: two tasks for it, and how far back its gradient reaches."""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from foundations.errors import require
from foundations.recurrent.cells import States
from foundations.recurrent.stack import Recurrent, State


def adding_problem(count: int, length: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Numbers in [0, 1), one of each half marked with a 1 beside it; asked for is the sum of the two.

    Who has forgotten both answers 1, with a mean squared error of 1/6, the variance of the sum.
    Shapes: sequences (count, length, 2), sums (count, 1). Raises: InputError for no sequences, or fewer than two steps.
    Source: Hochreiter & Schmidhuber 1997, Neural Computation 9, experiment 4, in the form of Le et al. 2015,
    arXiv:1504.00941.
    """
    require(count >= 1, "count", count, "at least 1")
    require(length >= 2, "length", length, "at least 2 steps")
    numbers, marks = torch.rand(count, length, generator=generator), torch.zeros(count, length)
    marks.scatter_(1, torch.randint(length // 2, (count, 1), generator=generator), 1.0)
    marks.scatter_(1, torch.randint(length // 2, length, (count, 1), generator=generator), 1.0)
    return torch.stack([numbers, marks], dim=2), (numbers * marks).sum(dim=1, keepdim=True)


def copy_task(
    count: int, length: int, generator: torch.Generator, *, symbols: int = 8, remembered: int = 3
) -> tuple[Tensor, Tensor]:
    """Random symbols, the first `remembered` of them numbered; the last steps are numbers only, and ask for those.

    What lies between is noise of the same kind, to be ignored. (With silence there instead, what enters is held by any
    network whose state turns without shrinking.) Who has forgotten has a cross-entropy of ln(symbols).
    Shapes: sequences (count, length, symbols + remembered), one-hot bytes; wanted symbols (count, remembered).
    Raises: InputError for no sequences, fewer than two symbols, none to remember, too few steps to show and to ask.
    Source: after Hochreiter & Schmidhuber 1997, Neural Computation 9, experiment 2; Arjovsky et al. 2015,
    arXiv:1511.06464.
    """
    require(count >= 1, "count", count, "at least 1")
    require(symbols >= 2, "symbols", symbols, "at least 2")
    require(remembered >= 1, "remembered", remembered, "at least 1")
    require(length >= 2 * remembered, "length", length, f"at least {2 * remembered} steps, to show and to ask")
    drawn = torch.randint(symbols, (count, length), generator=generator)
    shown = F.one_hot(drawn, symbols + remembered).to(torch.uint8)
    shown[:, -remembered:] = 0
    shown[:, :remembered, symbols:] = shown[:, -remembered:, symbols:] = torch.eye(remembered, dtype=torch.uint8)
    return shown, drawn[:, :remembered]


def gradient_reach(network: Recurrent, x: Tensor, loss: Callable[[Tensor], Tensor]) -> Tensor:
    """How strongly `loss` of what is shown at the end depends on the state d steps before it.

    ||d loss / d s_{T-d}|| / ||d loss / d s_T||, s all that is carried from step to step (h, and c of an LSTM), the norm
    over units, layers and sequences: the product of the Jacobians d s_t / d s_{t-1}, which vanishes or explodes.

    Shapes: x (batch, time, features) -> (time), d from 0; `loss` takes the last layer's h at the end (batch, hidden).
    All in double precision and on the CPU: in single, 1e-40 would be 0.
    Raises: InputError for a bidirectional network, whose two ends meet at once.
    Source: Bengio et al. 1994, IEEE Transactions on Neural Networks 5.
    """
    require(network.directions == 1, "bidirectional", True, "False: the state must go one way")
    weights = {name: each.detach().cpu().double() for name, each in network.named_parameters()}
    carried: list[States] = []
    state: State | None = None
    for step in x.detach().cpu().double().split(1, dim=1):
        _, state = torch.func.functional_call(network, weights, (step, state))
        carried.append((state,) if isinstance(state, Tensor) else state)
        for part in carried[-1]:
            part.requires_grad_()
    flat = [part for parts in carried for part in parts]
    gradients = torch.autograd.grad(loss(carried[-1][0][-1]), flat, materialize_grads=True)
    of_each_step: Tensor = torch.stack(gradients).view(len(carried), -1).norm(dim=1).flip(0)
    return of_each_step / of_each_step[0]
