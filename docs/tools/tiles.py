"""What the gallery shows of each lab: one picture, one figure.

`picture` lies in the run's folder (of `images/NAME` the last grid is taken); `figure` is the name of one of the run's
final figures, and `says` puts it into words.
"""

from typing import NamedTuple


class Tile(NamedTuple):
    """A lab's place in the gallery."""

    picture: str
    figure: str
    says: str


TILES = {
    "activations": Tile(
        "figures/silent_units.png", "silent_units_at_largest_rate/relu", "{:.0%} of ReLU's units silent"
    ),
    "ad_bidding": Tile("figures/the_day.png", "share_of_optimum/both", "{:.1%} of the best in hindsight"),
    "adversarial_examples": Tile("figures/pictures_linf.png", "accuracy/robust/attacked", "{:.1%} right under attack"),
    "anomaly_detection": Tile("figures/roc_areas.png", "roc_auc", "ROC area {:.3f}"),
    "autoencoder_mnist": Tile("figures/map_of_codes.png", "reconstruction_error", "squared error {:.4f} a pixel"),
    "backprop_by_hand": Tile("figures/up_and_down_the_network.png", "test/accuracy", "{:.2%} of test digits right"),
    "bandits": Tile("figures/regret.png", "regret/beta", "Thompson sampling: regret {:.0f}"),
    "calculus": Tile("figures/4_error_and_step.png", "smallest_error_float64", "smallest error {:.0e}"),
    "cartpole": Tile("films/cartpole.gif", "return/ppo", "mean return {:.0f} of 500"),
    "char_lm": Tile("figures/samples.png", "validation/loss", "{:.2f} nats a character"),
    "classic_control": Tile("films/acrobot.gif", "return", "Acrobot: mean return {:.1f}"),
    "cnn_architectures": Tile("figures/degradation.png", "test_accuracy/GoogLeNet", "GoogLeNet: {:.1%} right"),
    "convolutions": Tile("figures/kernels_on_a_photograph.png", "test_accuracy", "{:.1%} of test digits right"),
    "dbn_mnist": Tile("figures/filters.png", "log_likelihood/test", "log p(test) {:.1f} nats"),
    "explain_anomaly": Tile("figures/alarms.png", "alarm/roc_auc", "ROC area of the alarm {:.3f}"),
    "explain_image": Tile("figures/worst_mistakes.png", "deletion/lime", "deletion area {:.2f}"),
    "explain_policy": Tile("figures/what_drives_it.png", "turned_by_top_percent", "{:.0f} % of pushes turned"),
    "explain_tabular": Tile(
        "figures/single_cases.png", "planted_recovered_percent", "{:.0f} % of planted reasons found"
    ),
    "explain_text": Tile(
        "figures/words_in_colour.png", "removing_3_turns_percent/lstm_named", "{:.0f} % of verdicts turned"
    ),
    "gan_mnist": Tile("figures/real_and_made.png", "frechet_distance", "Fréchet distance {:.2f}"),
    "generative_compare": Tile(
        "figures/samples.png", "conditional_gan/frechet_distance", "best Fréchet distance {:.2f}"
    ),
    "gpu_vs_cpu": Tile("figures/break_even.png", "speed/cpu_gflops_float32", "this CPU: {:.0f} GFLOP/s"),
    "gradient_descent": Tile("figures/learning_rates.png", "stable_below", "stable below a rate of {:.2f}"),
    "gradient_health": Tile(
        "figures/gradient_by_depth.png", "test_accuracy/relu_residual", "residual net: {:.1%} right"
    ),
    "house_prices": Tile("figures/map_of_prices.png", "test_rmse_usd/network", "test RMSE {:,.0f} USD"),
    "judge_mnist": Tile("figures/mistakes.png", "test/accuracy", "{:.2%} of test digits right"),
    "linear_algebra": Tile("figures/6_maps_of_the_plane.png", "accuracy_by_likeness", "{:.1%} right by dot products"),
    "long_memory": Tile(
        "figures/gradient_by_distance.png", "adding_error_at_200/lstm", "LSTM, 200 steps: error {:.4f}"
    ),
    "mnist_classifier": Tile("figures/surest_mistakes.png", "test/accuracy", "{:.2%} of test digits right"),
    "optimizers": Tile("films/race.gif", "rosenbrock/adam", "Adam, {:.4f} from the lowest point"),
    "optimizers_on_digits": Tile("figures/training_loss.png", "accuracy/adam", "Adam: {:.1%} right"),
    "perceptron": Tile("figures/decision_boundaries.png", "xor/mlp", "XOR: {:.0%} right with a hidden layer"),
    "probability": Tile("figures/6_two_divergences.png", "pixel_entropy", "entropy of pixels {:.0f} nats"),
    "recommender": Tile("figures/regret.png", "regret/linucb", "LinUCB: {:.0f} clicks missed"),
    "regularization": Tile("figures/accuracy_and_loss.png", "test_accuracy/dropout_and_augmentation", "{:.1%} right"),
    "sentiment": Tile("figures/attention.png", "test_accuracy/lstm", "{:.1%} of reviews read right"),
    "table_preparation": Tile("figures/preparations.png", "imputation_rmse/neighbours", "gaps filled to {:,.0f}"),
    "tabular": Tile("figures/policies.png", "gap_percent/q_learning", "Q-learning {:.1f} % below the optimum"),
    "transfer_learning": Tile("figures/accuracy.png", "new_classes/last_2_10", "{:.1%} right from 10 labels"),
    "translate_dates": Tile("figures/attention.png", "exact_match/greedy", "{:.1%} of unseen dates exact"),
    "tune_mnist": Tile("figures/best_so_far.png", "error/bayesian", "Bayesian search: error {:.1f} %"),
    "vae_mnist": Tile("figures/traversals.png", "nats/estimate", "-log p(test) {:.1f} nats"),
}
