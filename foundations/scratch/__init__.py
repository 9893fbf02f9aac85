"""A network in NumPy alone, whose backward pass is written out: back-propagation with nothing hidden.

Twice: as functions, `dense_forward(x, w, b) -> (y, cache)` and `dense_backward(dy, cache) -> (dx, dw, db)`, and as
layer objects that wrap them. The blocks that torch differentiates are in the modules beside this package.
"""

from foundations.scratch.activations import (
    identity_backward,
    identity_forward,
    leaky_relu_backward,
    leaky_relu_forward,
    relu_backward,
    relu_forward,
    sigmoid,
    sigmoid_backward,
    sigmoid_forward,
    softmax,
    softmax_backward,
    softmax_forward,
    tanh_backward,
    tanh_forward,
)
from foundations.scratch.checking import numerical_gradient, relative_error
from foundations.scratch.convolution import (
    average_pool_backward,
    average_pool_forward,
    convolution_backward,
    convolution_forward,
    max_pool_backward,
    max_pool_forward,
)
from foundations.scratch.dense import dense_backward, dense_forward, dropout_backward, dropout_forward
from foundations.scratch.image_layers import AveragePool, Convolution, MaxPool
from foundations.scratch.layers import (
    BatchNorm,
    Dense,
    Dropout,
    Flatten,
    Identity,
    Layer,
    LeakyReLU,
    ReLU,
    Sigmoid,
    Softmax,
    Tanh,
)
from foundations.scratch.learner import ScratchLearner
from foundations.scratch.losses import (
    binary_cross_entropy_from_logits,
    cross_entropy_from_logits,
    mean_squared_error,
)
from foundations.scratch.network import SGD, Network
from foundations.scratch.normalization import batch_norm_backward, batch_norm_forward
from foundations.scratch.recurrent import (
    recurrent_backward,
    recurrent_cell_backward,
    recurrent_cell_forward,
    recurrent_forward,
)
from foundations.scratch.recurrent_layers import Recurrent, RecurrentCell
from foundations.scratch.twins import as_torch

__all__ = [
    "SGD",
    "AveragePool",
    "BatchNorm",
    "Convolution",
    "Dense",
    "Dropout",
    "Flatten",
    "Identity",
    "Layer",
    "LeakyReLU",
    "MaxPool",
    "Network",
    "ReLU",
    "Recurrent",
    "RecurrentCell",
    "ScratchLearner",
    "Sigmoid",
    "Softmax",
    "Tanh",
    "as_torch",
    "average_pool_backward",
    "average_pool_forward",
    "batch_norm_backward",
    "batch_norm_forward",
    "binary_cross_entropy_from_logits",
    "convolution_backward",
    "convolution_forward",
    "cross_entropy_from_logits",
    "dense_backward",
    "dense_forward",
    "dropout_backward",
    "dropout_forward",
    "identity_backward",
    "identity_forward",
    "leaky_relu_backward",
    "leaky_relu_forward",
    "max_pool_backward",
    "max_pool_forward",
    "mean_squared_error",
    "numerical_gradient",
    "recurrent_backward",
    "recurrent_cell_backward",
    "recurrent_cell_forward",
    "recurrent_forward",
    "relative_error",
    "relu_backward",
    "relu_forward",
    "sigmoid",
    "sigmoid_backward",
    "sigmoid_forward",
    "softmax",
    "softmax_backward",
    "softmax_forward",
    "tanh_backward",
    "tanh_forward",
]
