import pytest
import torch
from states import saved_and_loaded
from torch import nn

from foundations.averaging import ExponentialMovingAverage, recompute_batch_norm
from foundations.errors import InputError
from foundations.layers import Dropout, Linear
from foundations.normalization import BatchNorm


def _set(module: nn.Module, value: float) -> None:
    for parameter in module.parameters():
        nn.init.constant_(parameter, value)


def _net(generator: torch.Generator) -> nn.Sequential:
    return nn.Sequential(Linear(3, 4, generator=generator), BatchNorm(4), Dropout(0.5, generator=generator))


def test_the_average_follows_its_equation_with_warm_up(generator):
    module = Linear(2, 2, generator=generator)
    _set(module, 0.0)
    average, wanted = ExponentialMovingAverage(module, decay=0.5), 0.0
    for t in range(30):
        _set(module, float(t))
        average.update()
        decay = min(0.5, (1 + t) / (10 + t))
        wanted = decay * wanted + (1 - decay) * t
    torch.testing.assert_close(average.module.weight, torch.full((2, 2), wanted))


def test_the_first_weights_are_soon_forgotten(generator):
    module = Linear(2, 2, generator=generator)
    _set(module, 1000.0)
    average = ExponentialMovingAverage(module, decay=0.9999)
    _set(module, 1.0)
    for _ in range(100):
        average.update()
    torch.testing.assert_close(average.module.weight, torch.ones(2, 2), rtol=0, atol=1e-3)


def test_the_copy_is_in_evaluation_mode_without_gradients_and_the_source_unchanged(generator):
    module = _net(generator)
    average = ExponentialMovingAverage(module)
    assert not any(layer.training for layer in average.module.modules())
    assert not any(parameter.requires_grad for parameter in average.module.parameters())
    assert all(layer.training for layer in module.modules())
    assert all(parameter.requires_grad for parameter in module.parameters())


def test_updating_leaves_the_source_alone(generator):
    module = _net(generator)
    average = ExponentialMovingAverage(module)
    _set(module, 2.0)
    average.update()
    assert all((parameter == 2).all() for parameter in module.parameters())


def test_buffers_are_those_of_the_source(generator):
    module = _net(generator)
    average = ExponentialMovingAverage(module)
    module(torch.randn(5, 3, generator=generator))
    average.update()
    assert torch.equal(average.module[1].running_mean, module[1].running_mean)
    assert average.module[1].num_batches_tracked == 1


def test_resuming_from_the_state_is_exact(generator):
    module = Linear(2, 2, generator=generator)
    straight = ExponentialMovingAverage(module)
    _set(module, 1.0)
    straight.update()
    resumed = ExponentialMovingAverage(module)
    resumed.load_state_dict(saved_and_loaded(straight.state_dict()))
    _set(module, 3.0)
    straight.update()
    resumed.update()
    assert torch.equal(straight.module.weight, resumed.module.weight)


@pytest.mark.parametrize("decay", [-0.1, 1.0, float("nan")])
def test_impossible_decays_are_refused(decay, generator):
    with pytest.raises(InputError, match=r"^decay="):
        ExponentialMovingAverage(Linear(1, 1, generator=generator), decay)


@pytest.mark.parametrize("kind", [BatchNorm, nn.BatchNorm1d])
def test_recomputed_statistics_are_the_averages_over_the_batches(kind, generator):
    norm, batches = kind(3), 5 * torch.randn(4, 50, 3, generator=generator) + 2
    norm(torch.full((2, 3), 1e6))
    recompute_batch_norm(norm, batches)
    torch.testing.assert_close(norm.running_mean, batches.mean((0, 1)))
    torch.testing.assert_close(norm.running_var, batches.var(1).mean(0))


def test_recomputing_leaves_modes_momentum_and_weights_as_they_were(generator):
    module = _net(generator)
    module[1].eval()
    weights = [parameter.clone() for parameter in module.parameters()]
    recompute_batch_norm(module, [torch.randn(5, 3, generator=generator)])
    assert [layer.training for layer in module] == [True, False, True]
    assert module[1].momentum == 0.1
    assert all(torch.equal(now, before) for now, before in zip(module.parameters(), weights, strict=True))


def test_modes_are_restored_even_where_a_batch_is_refused(generator):
    module = _net(generator).eval()
    with pytest.raises(InputError):
        recompute_batch_norm(module, [torch.zeros(5, 99)])
    assert module[1].momentum == 0.1
    assert not module[1].training


def test_a_module_of_two_inputs_takes_its_batches_as_tuples(generator):
    class Conditional(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.norm = BatchNorm(3)

        def forward(self, x: torch.Tensor, shift: torch.Tensor) -> torch.Tensor:
            return self.norm(x + shift)

    module = Conditional()
    recompute_batch_norm(module, [(torch.randn(5, 3, generator=generator), torch.tensor(100.0))])
    assert (module.norm.running_mean > 90).all()


def test_no_batches_are_refused_before_anything_is_forgotten(generator):
    norm = BatchNorm(3)
    norm(torch.randn(5, 3, generator=generator))
    before = norm.running_mean.clone()
    with pytest.raises(InputError, match=r"^batches="):
        recompute_batch_norm(norm, [])
    assert torch.equal(norm.running_mean, before)


def test_without_batch_norm_the_batches_are_not_even_drawn(generator):
    batches = iter([torch.zeros(1, 2)])
    recompute_batch_norm(Linear(2, 2, generator=generator), batches)
    assert len(list(batches)) == 1
