import copy

import pytest
import torch
from torch import nn

from foundations.batches import Batches
from foundations.errors import InputError
from foundations.layers import Dropout, Linear
from foundations.losses import mean_squared_error
from foundations.optimizers import SGD, Adam
from foundations.range_test import learning_rate_range_test


def _trio(optimizer=SGD, dropout=0.0, **settings):
    """Linear regression on inputs of unit variance: the loss is a bowl of curvature 2, stable below a rate of 1."""
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(256, 4, generator=generator)
    y = x @ torch.tensor([[1.0], [-2.0], [3.0], [0.5]])
    masks = torch.Generator().manual_seed(1)
    network = nn.Sequential(Dropout(dropout, generator=masks), Linear(4, 1, generator=generator))
    batches = Batches(256, 32, generator)

    def next_loss():
        chosen = batches.next()
        return mean_squared_error(network(x[chosen]), y[chosen])

    return network, optimizer(network.parameters(), **settings), next_loss


def test_rates_grow_by_one_factor_from_the_lowest_to_the_highest():
    result = learning_rate_range_test(*_trio(lr=1.0), lowest=1e-4, highest=1e-2, steps=3)
    assert result.learning_rates == pytest.approx([1e-4, 1e-3, 1e-2])


def test_it_stops_where_the_loss_diverges():
    result = learning_rate_range_test(*_trio(lr=1.0), lowest=1e-4, highest=1e4, steps=200)
    assert 0.3 < result.learning_rates[-1] < 20  # the bowl is left above a rate of about 1
    assert result.smoothed[-1] > 4 * min(result.smoothed)


def test_a_falling_loss_below_zero_does_not_count_as_diverged():
    network, optimizer, _ = _trio(lr=1.0)
    falling = iter(range(-1, -100, -1))
    result = learning_rate_range_test(network, optimizer, lambda: network[1].weight.sum() * 0 + next(falling), steps=5)
    assert result.losses == [-1, -2, -3, -4, -5]


def test_a_loss_that_becomes_infinite_is_left_out():
    network, optimizer, _ = _trio(lr=1.0)
    losses = iter([2.0, 1.0, float("inf"), 1.0])
    result = learning_rate_range_test(
        network, optimizer, lambda: network[1].weight.sum() * 0 + next(losses), lowest=1e-4, steps=4
    )
    assert result.losses == [2.0, 1.0]


def test_training_at_the_suggested_rate_learns_within_a_hundred_steps():
    for optimizer in (SGD, Adam):
        network, chosen, next_loss = _trio(optimizer, lr=1.0)
        suggestion = learning_rate_range_test(network, chosen, next_loss, lowest=1e-5).suggestion
        for group in chosen.param_groups:
            group["lr"] = suggestion
        first = next_loss().item()
        for _ in range(100):
            chosen.zero_grad()
            loss = next_loss()
            loss.backward()
            chosen.step()
        assert loss.item() < first / 100


def test_the_smoothed_loss_starts_at_the_first_loss_and_lags_behind():
    result = learning_rate_range_test(*_trio(lr=1.0), lowest=1e-3, highest=1e-1, steps=50)
    assert result.smoothed[0] == pytest.approx(result.losses[0])
    assert result.smoothed[-1] > result.losses[-1]


def test_nothing_is_suggested_where_the_loss_only_rises():
    network, optimizer, _ = _trio(lr=1.0)
    rising = iter(range(1, 100))
    result = learning_rate_range_test(network, optimizer, lambda: network[1].weight.sum() * 0 + next(rising), steps=3)
    assert result.suggestion is None


@pytest.mark.parametrize("optimizer", [SGD, Adam, torch.optim.Adam])
def test_network_optimizer_and_random_streams_are_left_as_found(optimizer):
    network, chosen, next_loss = _trio(optimizer, dropout=0.5, lr=0.01)
    next_loss().backward()
    chosen.step()  # gradients and a memory to be kept
    network[1].eval()
    gradient = network[1].weight.grad.clone()
    weights, memory = copy.deepcopy(network.state_dict()), copy.deepcopy(chosen.state_dict())
    masks, default = network[0].generator.get_state(), torch.get_rng_state()
    learning_rate_range_test(network, chosen, lambda: next_loss() + torch.rand(()), steps=20)
    torch.testing.assert_close(dict(network.state_dict()), dict(weights), rtol=0, atol=0)
    torch.testing.assert_close(chosen.state_dict()["state"], memory["state"], rtol=0, atol=0)
    assert chosen.state_dict()["param_groups"] == memory["param_groups"]
    assert torch.equal(network[1].weight.grad, gradient)
    assert (network[0].training, network[1].training) == (True, False)
    assert torch.equal(network[0].generator.get_state(), masks)
    assert torch.equal(torch.get_rng_state(), default)


def test_all_is_left_as_found_after_an_error_too():
    network, optimizer, next_loss = _trio(lr=0.01)
    weights = copy.deepcopy(network.state_dict())
    calls = iter([next_loss, next_loss])
    with pytest.raises(StopIteration):
        learning_rate_range_test(network, optimizer, lambda: next(calls)(), lowest=0.1)
    torch.testing.assert_close(dict(network.state_dict()), dict(weights), rtol=0, atol=0)
    assert optimizer.param_groups[0]["lr"] == 0.01


def test_groups_keep_the_ratio_of_their_rates():
    network, _, next_loss = _trio(lr=1.0)
    groups = [{"params": [network[1].weight], "lr": 0.1}, {"params": [network[1].bias], "lr": 0.3}]
    optimizer, seen = SGD(groups), []
    optimizer.register_step_pre_hook(lambda *_: seen.append([group["lr"] for group in optimizer.param_groups]))
    learning_rate_range_test(network, optimizer, next_loss, lowest=1e-3, highest=1e-2, steps=2)
    assert seen == [pytest.approx([1e-3, 3e-3]), pytest.approx([1e-2, 3e-2])]


@pytest.mark.parametrize(
    ("settings", "name"),
    [
        ({"lowest": 0.0}, "lowest"),
        ({"lowest": 2.0, "highest": 1.0}, "lowest"),
        ({"highest": float("nan")}, "lowest"),
        ({"steps": 1}, "steps"),
        ({"diverged": 1.0}, "diverged"),
    ],
)
def test_impossible_settings_are_refused_by_name(settings, name):
    with pytest.raises(InputError, match=f"^{name}="):
        learning_rate_range_test(*_trio(lr=1.0), **settings)


def test_a_first_loss_of_nan_is_refused():
    network, optimizer, next_loss = _trio(lr=1.0)
    with pytest.raises(InputError, match=r"^first loss=nan"):
        learning_rate_range_test(network, optimizer, lambda: next_loss() * float("nan"))
