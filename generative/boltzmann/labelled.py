"""A restricted Boltzmann machine that sees what an input is called beside the input itself."""

import torch
import torch.nn.functional as F
from torch import Tensor

from foundations.errors import require
from generative.boltzmann.rbm import RBM


class LabelledRBM(RBM):
    """An RBM whose last `classes` visible units are a label: exactly one of them is on, p(label = l | h) = softmax_l.

    All else is the plain machine's, energy and free energy too. With the label held, chains draw inputs of that class;
    with the input held, the free energies of the labels tell its class.

    Shapes: visible states (batch, inputs + classes), the label one-hot at the end.
    Raises: InputError for fewer than 2 classes.
    Source: Hinton, Osindero & Teh 2006, Neural Computation 18(7); Larochelle & Bengio 2008, ICML.
    """

    def __init__(self, inputs: int, classes: int, hidden: int, *, generator: torch.Generator | None = None) -> None:
        require(inputs >= 1, "inputs", inputs, "at least 1 unit")
        require(classes >= 2, "classes", classes, "at least 2")
        super().__init__(inputs + classes, hidden, generator=generator)
        self.inputs, self.classes = inputs, classes

    def visible_from_logits(self, logits: Tensor) -> Tensor:
        """Each input by itself, the label units against each other."""
        return torch.cat([logits[:, : self.inputs].sigmoid(), logits[:, self.inputs :].softmax(dim=1)], dim=1)

    def draw_visible_(self, logits: Tensor, noise: Tensor) -> Tensor:
        """Inputs as in the plain machine; of the label's noise, one number chooses where the summed shares pass it."""
        chosen = noise[:, -1:].clone()
        shares = logits[:, self.inputs :].softmax(dim=1).cumsum(dim=1)
        label = (shares[:, :-1] <= chosen).sum(dim=1, keepdim=True)  # the last share is 1, but for rounding
        noise[:, : self.inputs].lt_(logits[:, : self.inputs].sigmoid_())
        noise[:, self.inputs :].zero_().scatter_(1, label, 1.0)
        return noise

    def log_visible_sum(self, logits: Tensor) -> Tensor:
        """As many label states as classes, not two to their power."""
        return F.softplus(logits[:, : self.inputs]).sum(dim=1) + logits[:, self.inputs :].logsumexp(dim=1)

    def biases_of(self, rates: Tensor) -> Tensor:
        """log(p / (1 - p)) for inputs, log p for labels."""
        return torch.cat([torch.logit(rates[: self.inputs]), rates[self.inputs :].log()])

    def with_labels(self, inputs: Tensor, labels: Tensor) -> Tensor:
        """Visible states of `inputs` (batch, inputs) and class numbers (batch): (batch, inputs + classes).

        Raises: InputError where they differ in number or a class is unknown.
        """
        require(len(inputs) == len(labels), "labels", len(labels), f"as many as the {len(inputs)} inputs")
        return torch.cat([inputs, self.one_hot(labels).to(inputs.dtype)], dim=1)

    def one_hot(self, labels: Tensor) -> Tensor:
        """Class numbers (batch) as label units (batch, classes), float32. Raises: InputError for an unknown class."""
        known = len(labels) == 0 or bool((labels >= 0).all() and (labels < self.classes).all())
        require(known, "labels", sorted(set(labels.tolist()))[:20], f"class numbers from 0 to {self.classes - 1}")
        return F.one_hot(labels, self.classes).float()

    def label_free_energies(self, inputs: Tensor) -> Tensor:
        """F(input, label) for every label: (batch, inputs) -> (batch, classes). p(label | input) = softmax(-F)."""
        self._require_width("inputs", inputs, self.inputs)
        of_input, of_label = self.weight[:, : self.inputs], self.weight[:, self.inputs :]
        shared = F.linear(inputs, of_input, self.hidden_bias)  # (batch, hidden), whatever the label
        each = [F.softplus(shared + of_label[:, label]).sum(dim=1) for label in range(self.classes)]
        seen = inputs @ self.visible_bias[: self.inputs]
        return -seen.unsqueeze(1) - self.visible_bias[self.inputs :] - torch.stack(each, dim=1)
