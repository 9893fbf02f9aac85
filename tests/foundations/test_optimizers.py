import copy

import pytest
import torch
from torch import Tensor, nn

from foundations.errors import InputError
from foundations.optimizers import Adam, AdamW

PAIRS = {"Adam": (Adam, torch.optim.Adam), "AdamW": (AdamW, torch.optim.AdamW)}
SETTINGS = {
    "defaults": {},
    "gan": {"lr": 2e-4, "betas": (0.5, 0.999)},
    "weight decay": {"weight_decay": 0.1},
    "amsgrad": {"amsgrad": True, "lr": 0.1},
    "maximize": {"maximize": True, "weight_decay": 0.1},
    "first beta zero": {"betas": (0.0, 0.9), "eps": 1e-5},
}


def _parameters(generator: torch.Generator, dtype: torch.dtype = torch.float32) -> list[nn.Parameter]:
    return [nn.Parameter(torch.randn(shape, generator=generator).to(dtype)) for shape in [(20, 30), (30,), (2, 3, 4)]]


def _groups(parameters: list[nn.Parameter]) -> list[dict]:
    return [{"params": parameters[:1], "lr": 0.01}, {"params": parameters[1:], "weight_decay": 0.02}]


def _train(optimizer: torch.optim.Optimizer, steps: int, seed: int = 1) -> list[Tensor]:
    """Steps against gradients that are drawn, except that a parameter sometimes has none."""
    generator = torch.Generator().manual_seed(seed)
    parameters = [each for group in optimizer.param_groups for each in group["params"]]
    for step in range(steps):
        for place, parameter in enumerate(parameters):
            gradient = torch.randn(parameter.shape, generator=generator).to(parameter.dtype)
            parameter.grad = None if (step + place) % 7 == 3 else gradient
        optimizer.step()
    return [parameter.detach() for parameter in parameters]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("fused", [False, True])
@pytest.mark.parametrize("settings", SETTINGS.values(), ids=SETTINGS)
@pytest.mark.parametrize("pair", PAIRS.values(), ids=PAIRS)
def test_a_hundred_steps_of_two_groups_equal_torchs_to_the_bit(pair, settings, fused, dtype, generator):
    own, reference = pair
    first = _parameters(generator, dtype)
    chosen = {"fused": True} if fused else {"foreach": True}
    left = own(_groups(copy.deepcopy(first)), **settings, fused=fused)
    right = reference(_groups(copy.deepcopy(first)), **settings, **chosen)
    for found, wanted in zip(_train(left, 100), _train(right, 100), strict=True):
        assert torch.equal(found, wanted)


@pytest.mark.parametrize("own", [Adam, AdamW])
def test_fused_agrees_with_the_equations(own, generator):
    first = _parameters(generator, torch.float64)
    results = [_train(own(copy.deepcopy(first), weight_decay=0.1, fused=fused), 100) for fused in (False, True)]
    for equations, kernel in zip(*results, strict=True):
        torch.testing.assert_close(kernel, equations, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("pair", PAIRS.values(), ids=PAIRS)
@pytest.mark.parametrize("direction", ["from torch", "into torch"])
@pytest.mark.parametrize("amsgrad", [False, True])
def test_state_passes_between_here_and_torch_to_the_bit(pair, direction, amsgrad, generator):
    own, reference = pair
    source, target = (reference, own) if direction == "from torch" else (own, reference)
    options = {own: {}, reference: {"foreach": True}}
    parameters = _parameters(generator)
    left = source(_groups(parameters), amsgrad=amsgrad, **options[source])
    _train(left, 10)
    right = target(_groups(copy.deepcopy(parameters)), **options[target])
    right.load_state_dict(copy.deepcopy(left.state_dict()))
    for found, wanted in zip(_train(right, 10, seed=2), _train(left, 10, seed=2), strict=True):
        assert torch.equal(found, wanted)


@pytest.mark.parametrize("fused", [False, True])
def test_resuming_from_a_saved_state_is_exact(fused, generator, tmp_path):
    parameters = _parameters(generator)
    straight = Adam(_groups(parameters), fused=fused)
    _train(straight, 5)
    torch.save({"weights": parameters, "optimizer": straight.state_dict()}, tmp_path / "state.pt")
    saved = torch.load(tmp_path / "state.pt", weights_only=True)
    resumed = Adam(_groups([nn.Parameter(weight) for weight in saved["weights"]]), fused=fused)
    resumed.load_state_dict(saved["optimizer"])
    for found, wanted in zip(_train(resumed, 5, seed=2), _train(straight, 5, seed=2), strict=True):
        assert torch.equal(found, wanted)


def test_the_first_step_is_the_learning_rate_against_the_sign_of_the_gradient():
    parameter = nn.Parameter(torch.zeros(2))
    parameter.grad = torch.tensor([3.0, -0.01])
    Adam([parameter], lr=0.1).step()
    torch.testing.assert_close(parameter.detach(), torch.tensor([-0.1, 0.1]))


def test_decoupled_decay_shrinks_the_present_weights():
    parameter = nn.Parameter(torch.tensor([2.0]))
    optimizer = AdamW([parameter], lr=0.1, weight_decay=0.5)
    for _ in range(2):
        parameter.grad = torch.zeros(1)
        optimizer.step()
    assert parameter.item() == pytest.approx(2 * 0.95**2)


def test_a_parameter_without_gradient_stays_as_it_is():
    parameter = nn.Parameter(torch.ones(2))
    AdamW([parameter], weight_decay=0.5).step()
    assert torch.equal(parameter.detach(), torch.ones(2))


def test_a_closure_is_run_with_gradients_and_its_loss_returned():
    parameter = nn.Parameter(torch.ones(1))
    optimizer = Adam([parameter], lr=0.1)

    def closure() -> Tensor:
        optimizer.zero_grad()
        loss = (parameter**2).sum()
        loss.backward()
        return loss

    assert optimizer.step(closure).item() == 1
    assert parameter.item() == pytest.approx(0.9)


def test_a_scheduler_of_torch_sets_the_rate_of_each_group():
    optimizer = Adam(_groups([nn.Parameter(torch.zeros(1)) for _ in range(2)]), lr=1.0)
    scheduler = torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.5)
    _train(optimizer, 1)
    scheduler.step()
    assert [group["lr"] for group in optimizer.param_groups] == [0.005, 0.5]


def test_it_fits_a_line():
    x = torch.linspace(-1, 1, 50)
    weights = nn.Parameter(torch.zeros(2))
    optimizer = Adam([weights], lr=0.05)
    for _ in range(500):
        optimizer.zero_grad()
        (weights[0] * x + weights[1] - (3 * x - 1)).square().mean().backward()
        optimizer.step()
    torch.testing.assert_close(weights.detach(), torch.tensor([3.0, -1.0]), rtol=0, atol=1e-3)


@pytest.mark.parametrize(
    ("settings", "name"),
    [
        ({"lr": -1.0}, "lr"),
        ({"lr": float("nan")}, "lr"),
        ({"lr": float("inf")}, "lr"),
        ({"lr": "1e-3"}, "lr"),
        ({"eps": -1e-8}, "eps"),
        ({"weight_decay": -0.1}, "weight_decay"),
        ({"betas": (1.0, 0.999)}, "betas"),
        ({"betas": (0.9, -0.1)}, "betas"),
        ({"betas": (0.9, float("nan"))}, "betas"),
        ({"betas": (0.9,)}, "betas"),
    ],
)
def test_impossible_settings_are_refused_by_name(settings, name):
    with pytest.raises(InputError, match=f"^{name}="):
        Adam([nn.Parameter(torch.zeros(1))], **settings)


def test_impossible_settings_of_a_group_are_refused_too():
    with pytest.raises(InputError, match=r"^lr=-1"):
        Adam([{"params": [nn.Parameter(torch.zeros(1))], "lr": lr} for lr in (0.1, -1)])
