"""Where course notes often go wrong: what is printed, what is right, the symbol that has it, the test that holds it."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Erratum:
    """One error that is often printed."""

    about: str
    printed: str
    right: str
    symbol: str
    """Module and name of the code that has it right."""
    test: str
    """File and name of the test that holds it."""


ERRATA = (
    Erratum(
        "KL divergence of a variational autoencoder",
        "the standard deviation, or the variance, in the place of its logarithm",
        "with `l = log sigma^2`: `D(N(mu, sigma^2) || N(0, 1)) = (e^l + mu^2 - 1 - l) / 2`, summed over the latents",
        "generative.bounds.standard_normal_kl",
        "tests/generative/test_bounds.py::test_the_divergence_is_that_of_the_foundations_normal",
    ),
    Erratum(
        "Sigmoid",
        "`1 / (1 - e^-z)` or `1 / (1 - e^z)`, which have a pole at 0",
        "`sigma(z) = 1 / (1 + e^-z)`, always between 0 and 1",
        "foundations.activations.sigmoid",
        "tests/foundations/test_activations.py::test_sigmoid_of_one_has_a_plus_in_its_denominator",
    ),
    Erratum(
        "Dropout at test time",
        "weights scaled by the probability `p` of being dropped",
        "scaled by `1 - p`, that of being kept; inverted dropout divides by it in training and leaves testing alone",
        "foundations.layers.Dropout",
        "tests/foundations/test_layers.py::test_dropout_scales_what_it_keeps_by_the_keep_probability",
    ),
    Erratum(
        "Glorot's initialisation",
        "`sqrt(2 / (fan_in + fan_out))`, called the variance",
        "the variance is `2 / (fan_in + fan_out)`; uniform weights lie within `sqrt(6 / (fan_in + fan_out))`",
        "foundations.initializers.glorot_uniform_",
        "tests/foundations/test_initializers.py::test_variance_of_the_weights",
    ),
    Erratum(
        "Momentum",
        "two different rules under one name and one symbol",
        "`v <- m v + g` (heavy ball, torch's) or the running mean `v <- m v + (1 - m) g`, which is `dampening = m`",
        "foundations.optimizers.sgd.SGD",
        "tests/foundations/test_optimizers.py::test_dampening_turns_momentum_into_a_running_mean_of_a_steady_gradient",
    ),
    Erratum(
        "AdamW",
        "a decay by the weights that training began with, and of the biases by the weights",
        "each weight decays towards 0 from where it is now: `theta <- theta - lr weight_decay theta`",
        "foundations.optimizers.adam.AdamW",
        "tests/foundations/test_optimizers.py::test_decoupled_decay_shrinks_the_present_weights",
    ),
    Erratum(
        "RMSProp",
        "epsilon under the root: `g / sqrt(s + eps)`",
        "outside, as in torch: `g / (sqrt(s) + eps)`",
        "foundations.optimizers.rmsprop.RMSProp",
        "tests/foundations/test_optimizers.py::test_epsilon_of_rmsprop_stands_outside_the_root",
    ),
    Erratum(
        "Gradient through a residual connection",
        "`dE/dx = dE/dy F'(x)` in the last line, without the path past `F`",
        "`dE/dx = dE/dy (1 + F'(x))`: the 1 is what keeps deep networks learning",
        "foundations.layers.Residual",
        "tests/foundations/test_layers.py::test_residual_gradient_is_one_plus_the_branchs",
    ),
    Erratum(
        "Output of an LSTM",
        "the output gate times the candidate",
        "the output gate times the squashed cell: `h_t = o tanh(c_t)`",
        "foundations.recurrent.layers.LSTM",
        "tests/foundations/test_recurrent.py::test_the_lstm_shows_the_squashed_cell_under_the_output_gate",
    ),
    Erratum(
        "Gates of a GRU",
        "reset and update gate with each other's work",
        "the reset gate acts inside the candidate, the update gate mixes the candidate with the old state",
        "foundations.recurrent.layers.GRU",
        "tests/foundations/test_recurrent.py::test_the_reset_gate_acts_inside_the_candidate",
    ),
    Erratum(
        "Derivative of softmax",
        "`p - y`, given as softmax's own derivative",
        "that is the gradient of cross-entropy with respect to the logits; softmax itself has a Jacobian, "
        "`dp_i/dz_j = p_i (1[i = j] - p_j)`",
        "foundations.activations.softmax_derivative",
        "tests/foundations/test_losses.py::test_gradient_of_cross_entropy_is_softmax_minus_one_hot",
    ),
    Erratum(
        "Update of the weights",
        "`W <- W - lr delta`, without the activation that came in",
        "`W <- W - lr delta a^T`: what comes back times what came in",
        "foundations.scratch.dense.dense_backward",
        "tests/foundations/test_gradient_health.py::"
        "test_the_gradient_of_a_layer_is_the_outer_product_of_what_comes_back_and_what_came_in",
    ),
    Erratum(
        "Softmax in hidden layers",
        "softmax among the usual choices for a hidden layer",
        "it makes the units of a layer share one sum of 1; it belongs into the head of a classifier",
        "foundations.activations.softmax",
        "tests/foundations/test_activations.py::test_softmax_is_a_distribution",
    ),
    Erratum(
        "Convolution",
        "the kernel turned round, as signal processing has it",
        "networks compute the cross-correlation: the kernel is not flipped",
        "foundations.convolution.Conv2d",
        "tests/foundations/test_convolution.py::test_kernel_is_not_flipped",
    ),
    Erratum(
        "The generator's step in a GAN",
        "the discriminator as something that the generator's gradient does not pass, or that moves with it",
        "the gradient flows through the discriminator, whose own weights stay put in that step",
        "generative.gan.game.Game",
        "tests/generative/test_gan_game.py::test_the_generators_step_moves_the_generator_alone",
    ),
)
