"""Optimizers, written over all of a group's tensors at once with torch's `_foreach` functions.

Each is a `torch.optim.Optimizer`: parameter groups, closures, hooks, schedulers and state_dict work as everywhere, and
the state loads from and into its twin in `torch.optim`. theta are the weights, g their gradient, t the number of the
step, from 1.
"""

from foundations.optimizers.adagrad import AdaGrad
from foundations.optimizers.adam import Adam, AdamW
from foundations.optimizers.base import ForeachOptimizer
from foundations.optimizers.rmsprop import RMSProp
from foundations.optimizers.sgd import SGD

__all__ = ["SGD", "AdaGrad", "Adam", "AdamW", "ForeachOptimizer", "RMSProp"]
