"""Recurrent networks: Elman's RNN, LSTM, GRU; several layers, both directions, sequences of different lengths.

`cells` has the equations of one step, `stack` the way over steps, directions and layers, `layers` what is used,
`initial` first weights, `readout` answers from states, `gates` how far gates are open, `memory` what to try a
network's memory with.
"""

from foundations.recurrent.gates import gate_openings
from foundations.recurrent.initial import chrono_biases_, initialize_recurrent_
from foundations.recurrent.layers import GRU, LSTM, RECURRENT, RNN, RecurrentKind
from foundations.recurrent.memory import adding_problem, copy_task, gradient_reach
from foundations.recurrent.readout import Readout
from foundations.recurrent.stack import Recurrent, RecurrentSettings, State, detach_state

__all__ = [
    "GRU",
    "LSTM",
    "RECURRENT",
    "RNN",
    "Readout",
    "Recurrent",
    "RecurrentKind",
    "RecurrentSettings",
    "State",
    "adding_problem",
    "chrono_biases_",
    "copy_task",
    "detach_state",
    "gate_openings",
    "gradient_reach",
    "initialize_recurrent_",
]
