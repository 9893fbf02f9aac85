import pytest
import torch
from sklearn.metrics import accuracy_score
from sklearn.metrics import root_mean_squared_error as sklearn_rmse
from torch import nn

from foundations.errors import InputError
from foundations.evaluation import Validation, accuracy, evaluate, predict, root_mean_squared_error
from foundations.layers import Linear
from foundations.losses import mean_squared_error


@pytest.fixture
def line(generator):
    """Points, and a network that has not seen them."""
    x = torch.randn(11, 2, generator=generator)
    return Linear(2, 1, generator=generator), x, x.sum(1, keepdim=True)


def test_predicting_in_batches_gives_what_one_batch_gives(line):
    network, x, _ = line
    torch.testing.assert_close(predict(network, x, batch_size=3), network(x).detach())


def test_predicting_is_in_evaluation_mode_and_puts_the_mode_back():
    network = nn.Dropout(0.5).train()
    inputs = torch.ones(7, 3)
    assert torch.equal(predict(network, inputs, batch_size=2), inputs)
    assert network.training


def test_inputs_are_scaled_batch_by_batch():
    found = predict(nn.Identity(), torch.full((5, 1), 255, dtype=torch.uint8), batch_size=2, scale=lambda x: x / 255)
    assert torch.equal(found, torch.ones(5, 1))


def test_evaluating_asks_each_metric_of_all_predictions_at_once(line):
    network, x, y = line
    found = evaluate(network, x, y, {"mse": mean_squared_error, "rmse": root_mean_squared_error}, batch_size=4)
    assert found["rmse"] == pytest.approx(found["mse"] ** 0.5)
    assert found["mse"] == pytest.approx(mean_squared_error(network(x), y).item())


def test_accuracy_equals_scikit_learns(generator):
    logits, labels = torch.randn(50, 4, generator=generator), torch.randint(4, (50,), generator=generator)
    assert accuracy(logits, labels) == accuracy_score(labels, logits.argmax(1))


def test_the_accuracy_of_a_sequence_is_the_share_of_all_its_places():
    logits = torch.eye(3)[torch.tensor([[0, 1], [2, 2]])].transpose(1, 2)  # (batch, classes, time)
    assert accuracy(logits, torch.tensor([[0, 1], [2, 0]])) == 0.75


def test_a_network_in_double_precision_is_evaluated_in_double_precision(line):
    network, x, y = line
    found = evaluate(network.double(), x.double(), y.double(), {"mse": mean_squared_error})
    assert found["mse"] == mean_squared_error(network(x.double()), y.double()).item()


def test_predictions_in_half_precision_are_measured_in_float32(line):
    network, x, y = line
    assert evaluate(network.bfloat16(), x.bfloat16(), y, {"mse": mean_squared_error})["mse"] > 0


def test_the_root_mean_squared_error_equals_scikit_learns(generator):
    found, wanted = torch.randn(2, 50, generator=generator, dtype=torch.float64)
    assert root_mean_squared_error(found, wanted) == pytest.approx(sklearn_rmse(wanted, found), abs=1e-12)


def test_a_prediction_that_would_broadcast_over_the_targets_is_refused():
    with pytest.raises(InputError, match=r"targets shape=\(5,\): must be \(5, 1\)"):
        root_mean_squared_error(torch.zeros(5, 1), torch.zeros(5))


def test_validation_measures_the_loss_and_every_metric_by_name(line):
    network, x, y = line
    found = Validation(x, y, every=1, metrics={"rmse": root_mean_squared_error}).measure(network, mean_squared_error)
    assert found.keys() == {"validation/loss", "validation/rmse"}


@pytest.mark.parametrize(
    ("call", "name"),
    [
        (lambda network, x, y: predict(network, x[:0]), "inputs"),
        (lambda network, x, y: predict(network, x, batch_size=0), "batch_size"),
        (lambda network, x, y: evaluate(network, x, y[:3], {}), "targets"),
        (lambda network, x, y: accuracy(x, y[:3, 0]), "labels shape"),
        (lambda network, x, y: accuracy(x, torch.zeros(11, 1)), "labels shape"),
        (lambda network, x, y: accuracy(y, torch.zeros(11)), "logits shape"),
        (lambda network, x, y: Validation(x, y[:3], every=1), "validation targets"),
        (lambda network, x, y: Validation(x, y, every=0), "every"),
    ],
)
def test_what_does_not_fit_is_refused_by_name(line, call, name):
    with pytest.raises(InputError, match=f"^{name}="):
        call(*line)
