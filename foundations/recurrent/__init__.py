"""Recurrent networks: Elman's RNN, LSTM, GRU; several layers, both directions, sequences of different lengths.

`cells` has the equations of one step, `stack` the way over steps, directions and layers, `layers` what is used,
`initial` first weights, `readout` answers from states, `memory` what to try a network's memory with.
"""

from foundations.recurrent.initial import chrono_biases_, initialize_recurrent_
from foundations.recurrent.layers import GRU, LSTM, RNN
from foundations.recurrent.memory import adding_problem, copy_task, gradient_reach
from foundations.recurrent.readout import Readout
from foundations.recurrent.stack import Recurrent, State, detach_state

__all__ = [
    "GRU",
    "LSTM",
    "RNN",
    "Readout",
    "Recurrent",
    "State",
    "adding_problem",
    "chrono_biases_",
    "copy_task",
    "detach_state",
    "gradient_reach",
    "initialize_recurrent_",
]
