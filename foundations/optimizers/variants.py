"""The optimizers by the names that textbooks give them."""

from collections.abc import Callable, Mapping
from functools import partial

import torch

from foundations.optimizers.adagrad import AdaGrad
from foundations.optimizers.adam import Adam, AdamW
from foundations.optimizers.rmsprop import RMSProp
from foundations.optimizers.sgd import SGD

VARIANTS: Mapping[str, Callable[..., torch.optim.Optimizer]] = {
    "SGD": SGD,
    "momentum": partial(SGD, momentum=0.9),
    "Nesterov": partial(SGD, momentum=0.9, nesterov=True),
    "AdaGrad": AdaGrad,
    "RMSProp": partial(RMSProp, alpha=0.9),
    "Adam": Adam,
    "AMSGrad": partial(Adam, amsgrad=True),
    "AdamW": AdamW,
}
"""Each is still to be given parameters and a learning rate (`lr`)."""
