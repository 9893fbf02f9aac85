"""How likely data are to a machine, and what is said of that."""

import math

import pytest
import torch

from foundations.streams import Streams
from generative.boltzmann import RBM, Appraisal, LogLikelihood, LogPartition, appraise, exact_log_partition
from generative.boltzmann import log_likelihood as log_likelihood_of
from generative.boltzmann.exact import binary_states

SURE = LogPartition(0.0, -0.1, 0.1, effective_chains=80.0)


def _appraisal(value=-90.0, training=-90.0, independent=-200.0, log_partition=SURE):
    return Appraisal(LogLikelihood(value, value - 1, value + 1), training, independent, log_partition)


def test_both_data_are_appraised_within_the_error_bars_of_the_exact_figures():
    rbm = RBM(6, 4, generator=torch.Generator().manual_seed(0))
    rbm.weight.data.mul_(60)
    states = binary_states(torch.arange(64), 6).float()
    test, training, rates = states[::5], states[1::3], torch.full((6,), 0.4)
    found = appraise(rbm, test, training, rates, chains=200, temperatures=100, streams=Streams(0))
    exact = [float(log_likelihood_of(rbm, rows, exact_log_partition(rbm)).mean().detach()) for rows in (test, training)]
    assert found.test.low < exact[0] < found.test.high
    assert found.training - found.test.value == pytest.approx(exact[1] - exact[0], abs=1e-4)
    assert found.log_partition.low < exact_log_partition(rbm) < found.log_partition.high
    on = test.sum(1)
    assert found.independent == pytest.approx(float((on * math.log(0.4) + (6 - on) * math.log(0.6)).mean()), rel=1e-5)


@pytest.mark.parametrize(
    ("appraisal", "said"),
    [
        (_appraisal(value=-201.0, training=-201.0), "has not learned or has diverged: independent pixels alone reach"),
        (_appraisal(training=-84.9), "overfitting: training images are 5.1 nats likelier"),
        (_appraisal(log_partition=LogPartition(0.0, -math.inf, 1.0, 9.9)), "rests on 9.9 of its chains: the log-like"),
    ],
)
def test_what_must_not_be_overlooked_is_said(appraisal, said):
    assert [said in alarm for alarm in appraisal.alarms()] == [True]


def test_of_a_sound_machine_nothing_is_said():
    assert _appraisal(training=-85.1).alarms() == []
