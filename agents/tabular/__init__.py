"""Tabular agents: Q-learning, SARSA, expected SARSA and double Q-learning, and the exact models to hold them against.

Each learns a table of action values, one number for each state and action, from Gymnasium environments whose states
and actions are finitely many.
"""

from agents.tabular.agent import TabularAgent
from agents.tabular.algorithms import SARSA, DoubleQLearning, ExpectedSARSA, QLearning
from agents.tabular.comparison import Comparison
from agents.tabular.models import blackjack_model, exact_model
from agents.tabular.player import TablePlayer

__all__ = [
    "SARSA",
    "Comparison",
    "DoubleQLearning",
    "ExpectedSARSA",
    "QLearning",
    "TablePlayer",
    "TabularAgent",
    "blackjack_model",
    "exact_model",
]
