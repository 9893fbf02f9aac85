"""How likely images are to a machine: those that it learned from, others, and what independent pixels make of them."""

from typing import NamedTuple

import torch
from torch import Tensor

from foundations.streams import Streams
from generative.boltzmann.annealing import LogLikelihood, LogPartition, log_partition, mean_log_likelihood
from generative.boltzmann.rbm import RBM, independent_log_likelihood

OVERFITTING = 5.0
"""Nats by which training data may be likelier than test data."""


class Appraisal(NamedTuple):
    """The mean log p(v) in nats: of `test` data with error bars, of `training` data; `log_partition` they rest on.

    `independent` is that of the test data to units that are on at the base rates and know nothing of each other.
    """

    test: LogLikelihood
    training: float
    independent: float
    log_partition: LogPartition

    def alarms(self) -> list[str]:
        """What must not be overlooked, a sentence each: too few temperatures, nothing learned, overfitting."""
        found, more = self.log_partition.alarms("log-likelihood"), self.training - self.test.value
        if self.test.value < self.independent:
            alone = f"independent pixels alone reach {self.independent:.1f} nats"
            found.append(f"the machine has not learned or has diverged: {alone}")
        if more > OVERFITTING:
            found.append(f"overfitting: training images are {more:.1f} nats likelier than test images")
        return found


@torch.no_grad()
def appraise(
    rbm: RBM, test: Tensor, training: Tensor, base_rates: Tensor, *, chains: int, temperatures: int, streams: Streams
) -> Appraisal:
    """The log-likelihood of both data, Z estimated by annealed importance sampling (see `log_partition`).

    Draws from the stream "annealing". Shapes: test and training (n, visible) each, of 0 and 1; base_rates (visible).
    Raises: InputError as `log_partition`.
    Source: Salakhutdinov & Murray 2008, ICML.
    """
    stream = streams.torch("annealing", rbm.weight.device)
    found = log_partition(rbm, chains, temperatures, stream, base_rates)
    return Appraisal(
        test=mean_log_likelihood(rbm, test, found),
        training=mean_log_likelihood(rbm, training, found).value,
        independent=float(independent_log_likelihood(test, base_rates).mean()),
        log_partition=found,
    )
