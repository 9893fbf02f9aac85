import io

import pytest
import torch
from sklearn.datasets import load_digits

from foundations.augmentation import random_noise
from foundations.errors import InputError
from foundations.layers import Linear
from foundations.losses import cross_entropy_from_logits, mean_squared_error
from foundations.optimizers import Adam
from foundations.schedules import linear_decay
from foundations.streams import Streams
from foundations.training import SupervisedLearner, accuracy, predict


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


def test_a_classifier_learns_digits_that_it_did_not_see(digits):
    inputs, labels = digits
    learner = classifier((inputs[:1400], labels[:1400]))
    learn(learner, 300)
    assert accuracy(predict(learner.network, inputs[1400:]), labels[1400:]) > 0.85


def test_an_update_is_one_step_of_the_optimizer_on_the_mean_loss():
    inputs, targets = torch.tensor([[1.0], [2.0]]), torch.tensor([[2.0], [4.0]])
    network = Linear(1, 1, bias=False)
    torch.nn.init.ones_(network.weight)
    optimizer = torch.optim.SGD(network.parameters(), lr=0.1)
    learner = SupervisedLearner(
        network, optimizer, mean_squared_error, inputs, targets, batch_size=2, streams=Streams(0)
    )
    assert learn(learner, 1) == [2.5]  # the mean of (1 - 2)^2 and (2 - 4)^2
    assert network.weight.item() == pytest.approx(1 + 0.1 * 5)  # the gradient is the mean of 2 (w x - t) x = -5


def test_resuming_is_exact_to_the_bit_with_augmentation(digits):
    def make():
        return classifier(
            digits,
            prepare=lambda batch, stream: random_noise(batch, stream, largest=0.2),
            schedule=linear_decay(80),
        )

    straight, first, second = make(), make(), make()
    losses = learn(straight, 60)
    learn(first, 40)
    file = io.BytesIO()
    torch.save(first.state_dict(), file)
    file.seek(0)
    second.load_state_dict(torch.load(file, weights_only=True))
    assert learn(second, 20) == losses[40:]
    assert torch.equal(straight.network.weight, second.network.weight)


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


def test_predicting_is_in_evaluation_mode_and_puts_the_mode_back():
    network = torch.nn.Dropout(0.5).train()
    inputs = torch.ones(7, 3)
    assert torch.equal(predict(network, inputs, batch_size=2), inputs)
    assert network.training


def test_accuracy_is_the_share_of_right_answers():
    assert accuracy(torch.eye(3)[[0, 1, 2, 2]], torch.tensor([0, 1, 2, 0])) == 0.75


def test_inputs_without_a_target_each_are_refused(digits):
    with pytest.raises(InputError, match="targets=1000: must be as many as the 1797 inputs"):
        classifier((digits[0], digits[1][:1000]))


def test_a_batch_larger_than_the_data_is_refused(digits):
    with pytest.raises(InputError, match="batch_size=1798"):
        classifier(digits, batch_size=1798)
