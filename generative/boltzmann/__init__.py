"""Boltzmann machines: one layer of hidden units, or several stacked; how they learn, and how likely data are to them.

`rbm` has the machine, `labelled` one that knows classes as well, `chains` its Gibbs chains, `divergence` how it learns,
`exact` and `annealing` the sum over all states that probabilities need, `appraisal` how likely data then are, `dbn` the
deep belief network, `untied` one with two sets of weights, and a bound on its log-likelihood, `updown` how all its
layers learn together, `fantasies` what it dreams.
"""

from generative.boltzmann.annealing import (
    LogLikelihood,
    LogPartition,
    annealing_path,
    log_partition,
    mean_log_likelihood,
)
from generative.boltzmann.appraisal import Appraisal, appraise
from generative.boltzmann.chains import GibbsChains, draw
from generative.boltzmann.dbn import DeepBeliefNetwork
from generative.boltzmann.divergence import ContrastiveDivergence
from generative.boltzmann.exact import exact_log_partition
from generative.boltzmann.fantasies import Fantasies
from generative.boltzmann.labelled import LabelledRBM
from generative.boltzmann.rbm import RBM, base_rates, independent_log_likelihood, log_likelihood
from generative.boltzmann.untied import UntiedBeliefNetwork, estimated_bound, variational_bound
from generative.boltzmann.updown import UpDown

__all__ = [
    "RBM",
    "Appraisal",
    "ContrastiveDivergence",
    "DeepBeliefNetwork",
    "Fantasies",
    "GibbsChains",
    "LabelledRBM",
    "LogLikelihood",
    "LogPartition",
    "UntiedBeliefNetwork",
    "UpDown",
    "annealing_path",
    "appraise",
    "base_rates",
    "draw",
    "estimated_bound",
    "exact_log_partition",
    "independent_log_likelihood",
    "log_likelihood",
    "log_partition",
    "mean_log_likelihood",
    "variational_bound",
]
