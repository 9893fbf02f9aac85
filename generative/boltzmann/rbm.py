"""The restricted Boltzmann machine: binary visible and hidden units, each joined to all of the other kind."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from foundations import initializers
from foundations.errors import require

FIRST_SPREAD = 0.01
"""Standard deviation of the first weights: small, so that hidden units begin undecided and all different."""


class RBM(nn.Module):
    """Restricted Boltzmann machine: p(v, h) = exp(-E(v, h)) / Z, E(v, h) = -b.v - c.h - h.W v, all units 0 or 1.

    Given one layer, the units of the other are independent:
        p(h_j = 1 | v) = sigma(c_j + W_j. v),   p(v_i = 1 | h) = sigma(b_i + W_.i h).
    Z, the sum of exp(-E) over all states, is known on small machines only (`exact_log_partition`), else estimated
    (`log_partition`).

    Shapes: v (batch, visible), h (batch, hidden), weight W (hidden, visible), visible_bias b, hidden_bias c. The first
    weights are N(0, 0.01^2) from `generator`, the biases 0; see `begin_at` for better visible ones.
    Raises: InputError for sizes below 1 and states of another width.
    Source: Smolensky 1986; Hinton 2002, Neural Computation 14(8); practice: Hinton 2010, UTML TR 2010-003.
    """

    def __init__(self, visible: int, hidden: int, *, generator: torch.Generator | None = None) -> None:
        super().__init__()
        require(visible >= 1, "visible", visible, "at least 1 unit")
        require(hidden >= 1, "hidden", hidden, "at least 1 unit")
        self.visible, self.hidden = visible, hidden
        self.weight = nn.Parameter(torch.empty(hidden, visible))
        self.visible_bias = nn.Parameter(torch.zeros(visible))
        self.hidden_bias = nn.Parameter(torch.zeros(hidden))
        initializers.normal_(self.weight, FIRST_SPREAD, generator=generator)

    def energy(self, visible: Tensor, hidden: Tensor) -> Tensor:
        """E(v, h) = -b.v - c.h - h.W v, in nats. Shapes: (batch, visible), (batch, hidden) -> (batch)."""
        self._require_width("visible", visible, self.visible)
        self._require_width("hidden", hidden, self.hidden)
        joint = ((hidden @ self.weight) * visible).sum(dim=1)
        return -visible @ self.visible_bias - hidden @ self.hidden_bias - joint

    def free_energy(self, visible: Tensor) -> Tensor:
        """F(v) = -log sum over h of exp(-E(v, h)) = -b.v - sum_j log(1 + exp(c_j + W_j. v)), in nats.

        So p(v) = exp(-F(v)) / Z. Shapes: (batch, visible) -> (batch).
        """
        hidden_sums = F.softplus(self.hidden_logits(visible)).sum(dim=1)
        return -visible @ self.visible_bias - hidden_sums

    def hidden_logits(self, visible: Tensor) -> Tensor:
        """The logits c + W v of the hidden units. Shapes: (batch, visible) -> (batch, hidden)."""
        self._require_width("visible", visible, self.visible)
        return F.linear(visible, self.weight, self.hidden_bias)

    def visible_logits(self, hidden: Tensor) -> Tensor:
        """The logits b + W^T h of the visible units. Shapes: (batch, hidden) -> (batch, visible)."""
        self._require_width("hidden", hidden, self.hidden)
        return torch.addmm(self.visible_bias, hidden, self.weight)

    def hidden_probabilities(self, visible: Tensor) -> Tensor:
        """p(h_j = 1 | v). Shapes: (batch, visible) -> (batch, hidden)."""
        return self.hidden_logits(visible).sigmoid()

    def visible_probabilities(self, hidden: Tensor) -> Tensor:
        """p(v_i = 1 | h). Shapes: (batch, hidden) -> (batch, visible)."""
        return self.visible_from_logits(self.visible_logits(hidden))

    def forward(self, visible: Tensor) -> Tensor:
        """The hidden probabilities: the machine as a layer of a network."""
        return self.hidden_probabilities(visible)

    # What kind of units the visible ones are: all that a machine with other units would have to say anew. -------------

    def visible_from_logits(self, logits: Tensor) -> Tensor:
        """Probabilities of the visible units from their logits (batch, visible)."""
        return logits.sigmoid()

    def draw_visible_(self, logits: Tensor, noise: Tensor) -> Tensor:
        """Turn `noise`, uniform in [0, 1), into a draw of the visible units; `logits` are overwritten.

        Shapes: both (batch, visible); gives `noise`.
        """
        return noise.lt_(logits.sigmoid_())

    def log_visible_sum(self, logits: Tensor) -> Tensor:
        """The logarithm of the sum over all visible states v of exp(v.logits): (batch, visible) -> (batch), in nats."""
        return F.softplus(logits).sum(dim=1)

    def biases_of(self, rates: Tensor) -> Tensor:
        """The visible biases that give these rates where no hidden unit has a say: log(p / (1 - p))."""
        return torch.logit(rates)

    @torch.no_grad()
    def begin_at(self, rates: Tensor) -> None:
        """Set the visible biases to `biases_of(rates)`, so that hidden units need not learn how bright a pixel is.

        Raises: InputError for rates of another width or not between 0 and 1 (see `base_rates`).
        """
        self.require_rates(rates)
        self.visible_bias.copy_(self.biases_of(rates))

    def require_rates(self, rates: Tensor) -> None:
        """Refuse rates that no biases can give. Raises: InputError for another width, and 0 or 1 and beyond."""
        require(rates.shape == (self.visible,), "rates shape", tuple(rates.shape), f"({self.visible},)")
        inside = bool(((rates > 0) & (rates < 1)).all())
        require(inside, "rates", [float(each) for each in rates.aminmax()], "above 0 and below 1; see base_rates")

    def _require_width(self, name: str, states: Tensor, width: int) -> None:
        fits = states.dim() == 2 and states.shape[1] == width
        require(fits, f"{name} shape", tuple(states.shape), f"(batch, {width})")


def base_rates(data: Tensor) -> Tensor:
    """How often each visible unit is on: (sum + 1/2) / (n + 1), pulled off 0 and 1, which would have infinite biases.

    Shapes: (n, visible), bytes or in [0, 1] -> (visible), float32. Raises: InputError for other values.
    """
    require_data(data)
    rates = data.sum(dim=0, dtype=torch.float64) / (255 if data.dtype == torch.uint8 else 1)
    return ((rates + 0.5) / (len(data) + 1)).float()


def log_likelihood(rbm: RBM, visible: Tensor, log_partition: float) -> Tensor:
    """The log-likelihood log p(v) = -F(v) - log Z, in nats. Shapes: v (batch, visible), of 0 and 1 -> (batch)."""
    return -rbm.free_energy(visible) - log_partition


def independent_log_likelihood(visible: Tensor, rates: Tensor) -> Tensor:
    """Log p(v) = sum_i v_i log r_i + (1 - v_i) log(1 - r_i), in nats, of units that know nothing of each other.

    What a machine without hidden units reaches, its `rates` r being those of `base_rates`: the yardstick for any other.
    Shapes: v (batch, visible), of 0 and 1, rates (visible), between 0 and 1 -> (batch).
    """
    return visible @ torch.logit(rates) + (1 - rates).log().sum()


def require_data(data: Tensor) -> None:
    """Refuse what is no set of probabilities: rows of bytes, 255 standing for 1, or of floats in [0, 1].

    Raises: InputError.
    """
    matrix = data.dim() == 2 and min(data.shape) >= 1
    require(matrix, "data shape", tuple(data.shape), "(n, visible), both at least 1; flatten images with .flatten(1)")
    if data.dtype == torch.uint8:
        return
    allowed = "bytes (torch.uint8), or floats in [0, 1]"
    require(data.is_floating_point(), "data dtype", data.dtype, allowed)
    low, high = (float(bound) for bound in data.aminmax())
    # Not-a-number fails every comparison, and so this one.
    require(low >= 0 and high <= 1, "data values", (low, high), "in [0, 1] if floats, or else bytes")
