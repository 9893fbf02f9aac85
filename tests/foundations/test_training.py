import pytest
import torch
from sklearn.datasets import load_digits
from states import assert_resumes_exactly, saved_and_loaded

from foundations.augmentation import random_noise
from foundations.batches import Batches
from foundations.early_stopping import EarlyStopping
from foundations.errors import InputError
from foundations.evaluation import Validation, accuracy, predict
from foundations.layers import Dropout, Linear
from foundations.losses import cross_entropy_from_logits, mean_squared_error
from foundations.optimizers import SGD, Adam
from foundations.regularizers import l2_penalty
from foundations.schedules import ReduceOnPlateau, linear_decay
from foundations.streams import Streams
from foundations.training import SupervisedLearner, fit


@pytest.fixture(scope="module")
def digits():
    images, labels = load_digits(return_X_y=True)
    return torch.from_numpy(images).float() / 16, torch.from_numpy(labels).long()


def classifier(digits, **settings):
    inputs, labels = digits
    network = Linear(64, 10, generator=torch.Generator().manual_seed(0))
    settings = {"batch_size": 50, "streams": Streams(0)} | settings
    return SupervisedLearner(
        network, Adam(network.parameters(), 1e-2), cross_entropy_from_logits, inputs, labels, **settings
    )


def learn(learner, steps):
    updates = learner.learn()
    return [next(updates)["loss/training"].item() for _ in range(steps)]


def line(inputs=(1.0, 2.0), targets=(2.0, 4.0), learning_rate=0.1, **settings):
    """y = w x, w = 1 at first, by full-batch gradient descent on the mean squared error."""
    network = Linear(1, 1, bias=False)
    torch.nn.init.ones_(network.weight)
    x, y = torch.tensor(inputs).unsqueeze(1), torch.tensor(targets).unsqueeze(1)
    settings = {"batch_size": len(x), "streams": Streams(0)} | settings
    return SupervisedLearner(network, SGD(network.parameters(), learning_rate), mean_squared_error, x, y, **settings)


def test_a_classifier_learns_digits_that_it_did_not_see(digits):
    inputs, labels = digits
    learner = classifier((inputs[:1400], labels[:1400]))
    learn(learner, 300)
    assert accuracy(predict(learner.network, inputs[1400:]), labels[1400:]) > 0.85


def test_an_update_is_one_step_of_the_optimizer_on_the_mean_loss():
    learner = line()
    assert learn(learner, 1) == [2.5]  # the mean of (1 - 2)^2 and (2 - 4)^2
    assert learner.network.weight.item() == pytest.approx(1 + 0.1 * 5)  # the gradient is the mean of 2 (w x - t) x = -5


def test_a_penalty_is_added_to_what_is_descended_and_told_apart():
    learner = line(penalty=l2_penalty(1.0))
    metrics = next(learner.learn())
    assert metrics["loss/training"].item() == 2.5
    assert metrics["loss/penalty"].item() == 0.5  # w^2 / 2
    assert learner.network.weight.item() == pytest.approx(1 - 0.1 * (-5 + 1))


def test_the_gradients_norm_is_told_as_it_was_before_clipping():
    learner = line(clip_norm=1.0)
    assert next(learner.learn())["gradients/norm"].item() == pytest.approx(5)
    assert learner.network.weight.item() == pytest.approx(1.1)


def test_gradients_are_clipped_by_value():
    learner = line(clip_value=2.0)
    next(learner.learn())
    assert learner.network.weight.item() == pytest.approx(1.2)


def test_validation_is_measured_when_it_is_due_and_only_then():
    learner = line(validation=Validation(torch.ones(1, 1), torch.ones(1, 1), every=2))
    updates = learner.learn()
    assert ["validation/loss" in next(updates) for _ in range(4)] == [False, True, False, True]


def test_validation_sees_the_network_after_the_update():
    learner = line(validation=Validation(torch.ones(1, 1), torch.zeros(1, 1), every=1))
    assert next(learner.learn())["validation/loss"] == pytest.approx(1.5**2)


def stopping(patience=2):
    """Away from 1, the best weight on the validation data, from the first step on."""
    return line(
        validation=Validation(torch.ones(1, 1), torch.ones(1, 1), every=1),
        early_stopping=EarlyStopping(patience=patience),
        learning_rate=0.01,
    )


def test_learning_ends_when_patience_does_and_the_best_weights_come_back():
    learner = stopping()
    losses = [metrics["validation/loss"] for metrics in learner.learn()]
    assert len(losses) == 3  # the best, and two without improvement
    assert (learner.network.weight.item() - 1) ** 2 == pytest.approx(losses[0])


def test_a_learner_that_was_stopped_stays_so_after_a_resume():
    learner, resumed = stopping(), stopping()
    list(learner.learn())
    resumed.load_state_dict(saved_and_loaded(learner.state_dict()))
    assert list(resumed.learn()) == []
    assert torch.equal(resumed.network.weight, learner.network.weight)


def test_resuming_within_the_patience_is_exact():
    assert_resumes_exactly(lambda: stopping(4), 3)


def test_the_learning_rate_falls_where_the_validation_loss_stays():
    validation = Validation(torch.ones(1, 1), torch.ones(1, 1), every=1)
    learner = line(schedule=ReduceOnPlateau(factor=0.5, patience=0), validation=validation, learning_rate=0.01)
    learn(learner, 3)
    assert learner.optimizer.param_groups[0]["lr"] < 0.01


def test_what_watches_is_asked_after_the_backward_pass():
    learner = line()
    learner = line(watch=lambda: {"gradients/weight": seen.network.weight.grad.norm()})
    seen = learner
    assert next(learner.learn())["gradients/weight"].item() == pytest.approx(5)


def test_half_precision_keeps_weights_and_loss_in_float32(digits):
    learner = classifier(digits, precision="bf16")
    loss = next(learner.learn())["loss/training"]
    assert {loss.dtype, learner.network.weight.dtype, learner.network.weight.grad.dtype} == {torch.float32}
    full = next(classifier(digits).learn())["loss/training"]
    assert loss != full
    torch.testing.assert_close(loss, full, rtol=0.02, atol=0)


def test_resuming_is_exact_to_the_bit_with_dropout(digits):
    def make():
        masks = Streams(0).torch("masks")
        network = torch.nn.Sequential(Dropout(0.5, generator=masks), Linear(64, 10, generator=Streams(0).torch("w")))
        optimizer = SGD(network.parameters(), lr=0.1)
        return SupervisedLearner(
            network, optimizer, cross_entropy_from_logits, *digits, batch_size=50, streams=Streams(0)
        )

    assert_resumes_exactly(make, 6, 4)


def test_fitting_gives_one_row_of_figures_an_epoch(digits):
    inputs, labels = digits
    validation = Validation(inputs[1000:], labels[1000:], every=20, metrics={"accuracy": accuracy})
    rows = fit(classifier((inputs[:1000], labels[:1000]), validation=validation), epochs=3)
    assert [row["epoch"] for row in rows] == [1, 2, 3]
    assert rows[2]["loss/training"] < rows[0]["loss/training"]
    assert rows[2]["validation/accuracy"] > rows[0]["validation/accuracy"]


def test_fitting_ends_early_with_the_best_weights():
    learner = stopping()
    assert len(fit(learner, epochs=10)) == 3
    assert learner.stopped


def test_fitting_to_the_end_puts_the_best_weights_back_too():
    learner = stopping(patience=50)
    fit(learner, epochs=10)
    assert learner.network.weight.item() == pytest.approx(1.05)


def test_resuming_is_exact_to_the_bit_with_augmentation(digits):
    def make():
        return classifier(
            digits,
            prepare=lambda batch, stream: random_noise(batch, stream, largest=0.2),
            schedule=linear_decay(80),
        )

    assert_resumes_exactly(make, 40, 20)


def test_the_schedule_scales_the_learning_rate_of_every_group(digits):
    learner = classifier(digits, schedule=linear_decay(4))
    learner.optimizer.add_param_group({"params": [torch.nn.Parameter(torch.zeros(1))], "lr": 1.0})
    learner = SupervisedLearner(
        learner.network, learner.optimizer, learner.loss, *digits, batch_size=50, schedule=linear_decay(4),
        streams=Streams(0),
    )  # fmt: skip
    updates = learner.learn()
    rates = [[group["lr"] for group in learner.optimizer.param_groups] for _ in range(3) if next(updates)]
    assert rates == [[1e-2, 1.0], [0.75e-2, 0.75], [0.5e-2, 0.5]]


def test_the_loss_is_yielded_without_its_graph(digits):
    loss = next(classifier(digits).learn())["loss/training"]
    assert loss.shape == ()
    assert not loss.requires_grad


def test_learning_leaves_the_global_random_stream_alone(digits):
    before = torch.get_rng_state()
    learn(classifier(digits), 3)
    assert torch.equal(before, torch.get_rng_state())


def test_inputs_without_a_target_each_are_refused(digits):
    with pytest.raises(InputError, match="targets=1000: must be as many as the 1797 inputs"):
        classifier((digits[0], digits[1][:1000]))


def test_a_batch_larger_than_the_data_is_refused(digits):
    with pytest.raises(InputError, match="batch_size=1798"):
        classifier(digits, batch_size=1798)


def test_batches_of_ones_own_decide_which_samples_a_step_sees():
    batches = Batches(2, 1, torch.Generator().manual_seed(3))
    order = [int(next(iter(Batches(2, 1, torch.Generator().manual_seed(3)))))]
    learner = line(inputs=(1.0, 10.0), targets=(0.0, 0.0), batch_size=None, batches=batches)
    assert learn(learner, 1) == [1.0 if order == [0] else 100.0]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"inputs": (1.0, float("nan"))}, "inputs='NaN or infinity': must be finite"),
        ({"targets": (1.0, float("inf"))}, "targets='NaN or infinity': must be finite"),
        ({"inputs": (), "targets": (), "batch_size": 1}, "count=0: must be at least 1"),
        ({"batch_size": None}, "batch_size=None: must be given, or batches instead"),
        ({"batches": Batches(2, 1, torch.Generator())}, "batch_size=2: must be left out where batches are given"),
        (
            {"batch_size": None, "batches": Batches(3, 1, torch.Generator())},
            "batches='over 3 samples': must be over the 2 inputs",
        ),
        ({"clip_norm": 0.0}, "clip_norm=0.0: must be above 0"),
        ({"clip_value": -1.0}, "clip_value=-1.0: must be above 0"),
        ({"precision": "half"}, "precision='half': must be one of"),
        ({"early_stopping": EarlyStopping(patience=1)}, "validation=None: must be given"),
        ({"schedule": ReduceOnPlateau()}, "validation=None: must be given"),
    ],
)
def test_what_cannot_be_learned_from_is_refused_by_name(settings, message):
    with pytest.raises(InputError, match=message):
        line(**settings)


def test_labels_of_one_class_are_refused(digits):
    with pytest.raises(InputError, match="targets='one class': must be of two classes at least; all are 3"):
        classifier((digits[0], torch.full_like(digits[1], 3)))


def test_a_metric_that_validation_does_not_measure_is_refused_by_name():
    learner = line(
        validation=Validation(torch.ones(1, 1), torch.ones(1, 1), every=1),
        early_stopping=EarlyStopping(patience=1, metric="validation/accuracy"),
    )
    with pytest.raises(InputError, match="metric='validation/accuracy': must be one of validation/loss"):
        next(learner.learn())
