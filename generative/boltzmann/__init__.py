"""Boltzmann machines: one layer of hidden units, or several stacked; how they learn, and how likely data are to them.

`rbm` has the machine, `labelled` one that knows classes as well, `chains` its Gibbs chains, `divergence` how it learns,
`exact` and `annealing` the sum over all states that probabilities need, `dbn` the deep belief network, `fantasies` what
that network dreams.
"""

from generative.boltzmann.annealing import LogPartition, annealing_path, log_partition
from generative.boltzmann.chains import GibbsChains
from generative.boltzmann.dbn import DeepBeliefNetwork
from generative.boltzmann.divergence import ContrastiveDivergence
from generative.boltzmann.exact import exact_log_partition
from generative.boltzmann.fantasies import Fantasies
from generative.boltzmann.labelled import LabelledRBM
from generative.boltzmann.rbm import RBM, base_rates, log_likelihood

__all__ = [
    "RBM",
    "ContrastiveDivergence",
    "DeepBeliefNetwork",
    "Fantasies",
    "GibbsChains",
    "LabelledRBM",
    "LogPartition",
    "annealing_path",
    "base_rates",
    "exact_log_partition",
    "log_likelihood",
    "log_partition",
]
