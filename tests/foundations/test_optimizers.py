import copy

import pytest
import torch
from states import saved_and_loaded
from torch import Tensor, nn

from foundations.errors import InputError
from foundations.optimizers import SGD, AdaGrad, Adam, AdamW, RMSProp

PAIRS = {
    "SGD": (SGD, torch.optim.SGD),
    "AdaGrad": (AdaGrad, torch.optim.Adagrad),
    "RMSProp": (RMSProp, torch.optim.RMSprop),
    "Adam": (Adam, torch.optim.Adam),
    "AdamW": (AdamW, torch.optim.AdamW),
}
ADAMS = {
    "defaults": {},
    "gan": {"lr": 2e-4, "betas": (0.5, 0.999)},
    "weight decay": {"weight_decay": 0.1},
    "amsgrad": {"amsgrad": True, "lr": 0.1},
    "maximize": {"maximize": True, "weight_decay": 0.1},
    "first beta zero": {"betas": (0.0, 0.9), "eps": 1e-5},
}
SETTINGS = {
    "SGD": {
        "plain": {},
        "weight decay": {"weight_decay": 0.1},
        "maximize": {"maximize": True, "weight_decay": 0.1},
        "momentum": {"momentum": 0.9},
        "momentum, weight decay, maximize": {"momentum": 0.9, "weight_decay": 0.1, "maximize": True},
        "dampening": {"momentum": 0.9, "dampening": 0.9},
        "nesterov": {"momentum": 0.9, "nesterov": True},
        "nesterov, weight decay": {"momentum": 0.9, "nesterov": True, "weight_decay": 0.1},
    },
    "AdaGrad": {
        "defaults": {},
        "lr decay": {"lr": 0.1, "lr_decay": 0.01},
        "initial accumulator": {"initial_accumulator_value": 0.1, "eps": 1e-3},
        "weight decay": {"weight_decay": 0.1},
        "maximize": {"maximize": True, "weight_decay": 0.1, "lr_decay": 0.1},
    },
    "RMSProp": {
        "defaults": {},
        "alpha": {"alpha": 0.9, "eps": 1e-3},
        "weight decay": {"weight_decay": 0.1},
        "momentum": {"momentum": 0.9},
        "centered": {"centered": True},
        "centered, momentum, maximize": {"centered": True, "momentum": 0.9, "maximize": True, "weight_decay": 0.1},
    },
    "Adam": ADAMS,
    "AdamW": ADAMS,
}
CASES = [(kind, name, False) for kind, cases in SETTINGS.items() for name in cases]
CASES += [(kind, name, True) for kind, cases in SETTINGS.items() for name in cases if kind != "RMSProp"]
REMEMBERING = [("SGD", {"momentum": 0.9, "dampening": 0.5}), ("SGD", {}), ("Adam", {"amsgrad": True}), ("Adam", {})]
REMEMBERING += [("RMSProp", {"centered": True, "momentum": 0.9}), ("AdaGrad", {"lr_decay": 0.1}), ("AdamW", {})]


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


def _assert_equal(found: list[Tensor], wanted: list[Tensor]) -> None:
    for left, right in zip(found, wanted, strict=True):
        assert torch.equal(left, right)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize(("kind", "name", "fused"), CASES)
def test_a_hundred_steps_of_two_groups_equal_torchs_to_the_bit(kind, name, fused, dtype, generator):
    own, reference = PAIRS[kind]
    settings = SETTINGS[kind][name]
    first = _parameters(generator, dtype)
    left = own(_groups(copy.deepcopy(first)), **settings, **({"fused": True} if fused else {}))
    right = reference(_groups(copy.deepcopy(first)), **settings, **({"fused": True} if fused else {"foreach": True}))
    if fused and settings.get("momentum"):  # torch's fused kernel cannot begin some velocities later than others
        for optimizer in (left, right):
            for group in optimizer.param_groups:
                for parameter in group["params"]:
                    parameter.grad = torch.ones_like(parameter)
            optimizer.step()
    _assert_equal(_train(left, 100), _train(right, 100))


@pytest.mark.parametrize(("kind", "name"), [(kind, name) for kind, name, fused in CASES if fused])
def test_fused_agrees_with_the_equations(kind, name, generator):
    own, settings = PAIRS[kind][0], SETTINGS[kind][name]
    first = _parameters(generator, torch.float64)
    equations, kernel = (_train(own(copy.deepcopy(first), **settings, fused=fused), 100) for fused in (False, True))
    for found, wanted in zip(kernel, equations, strict=True):
        torch.testing.assert_close(found, wanted, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("direction", ["from torch", "into torch"])
@pytest.mark.parametrize(("kind", "settings"), REMEMBERING)
def test_state_passes_between_here_and_torch_to_the_bit(kind, settings, direction, generator):
    own, reference = PAIRS[kind]
    source, target = (reference, own) if direction == "from torch" else (own, reference)
    options = {own: {}, reference: {"foreach": True}}
    parameters = _parameters(generator)
    left = source(_groups(parameters), **settings, **options[source])
    _train(left, 10)
    right = target(_groups(copy.deepcopy(parameters)), **options[target])
    right.load_state_dict(copy.deepcopy(left.state_dict()))
    _assert_equal(_train(right, 10, seed=2), _train(left, 10, seed=2))


def test_state_of_a_weight_that_never_had_a_gradient_passes_into_torch():
    for own, reference in PAIRS.values():
        parameter = nn.Parameter(torch.ones(2))
        twin = reference([parameter], foreach=True)
        twin.load_state_dict(own([parameter]).state_dict())
        parameter.grad = torch.ones(2)
        twin.step()
        assert (parameter < 1).all()


@pytest.mark.parametrize("fused", [False, True])
@pytest.mark.parametrize(("kind", "settings"), REMEMBERING)
def test_resuming_from_a_saved_state_is_exact(kind, settings, fused, generator):
    own = PAIRS[kind][0]
    options = {**settings, "fused": True} if fused and kind != "RMSProp" else settings
    parameters = _parameters(generator)
    straight = own(_groups(parameters), **options)
    _train(straight, 5)
    saved = saved_and_loaded({"weights": parameters, "optimizer": straight.state_dict()})
    resumed = own(_groups([nn.Parameter(weight) for weight in saved["weights"]]), **options)
    resumed.load_state_dict(saved["optimizer"])
    _assert_equal(_train(resumed, 5, seed=2), _train(straight, 5, seed=2))


@pytest.mark.parametrize("kind", PAIRS)
def test_one_group_may_hold_weights_of_several_types(kind, generator):
    own = PAIRS[kind][0]
    single, double = nn.Parameter(torch.ones(3)), nn.Parameter(torch.ones(3, dtype=torch.float64))
    together = own([single, double], lr=0.1)
    apart = [own([copy.deepcopy(each)], lr=0.1) for each in (single, double)]
    wanted = [_train(optimizer, 5)[0] for optimizer in apart]
    for _, parameter in enumerate((single, double)):
        alone = torch.Generator().manual_seed(1)
        for step in range(5):
            gradient = torch.randn(3, generator=alone).to(parameter.dtype)
            single.grad = double.grad = None
            parameter.grad = None if step % 7 == 3 else gradient
            together.step()
    _assert_equal([single.detach(), double.detach()], wanted)


@pytest.mark.parametrize("kind", PAIRS)
def test_half_precision_equals_torchs_to_rounding(kind, generator):
    own, reference = PAIRS[kind]
    first = _parameters(generator, torch.bfloat16)
    left, right = own(copy.deepcopy(first), lr=0.01), reference(copy.deepcopy(first), lr=0.01, foreach=True)
    for found, wanted in zip(_train(left, 20), _train(right, 20), strict=True):
        torch.testing.assert_close(found, wanted, rtol=2**-6, atol=2**-6)  # some steps of rounding, of 2**-8 each


@pytest.mark.parametrize("kind", PAIRS)
def test_a_weight_that_is_one_number_moves_as_torchs_does(kind):
    own, reference = PAIRS[kind]
    left = own([nn.Parameter(torch.tensor(1.5))], lr=0.01)
    right = reference([nn.Parameter(torch.tensor(1.5))], lr=0.01, foreach=True)
    _assert_equal(_train(left, 20), _train(right, 20))


def test_the_first_step_of_adam_is_the_learning_rate_against_the_sign_of_the_gradient():
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


def test_dampening_turns_momentum_into_a_running_mean_of_a_steady_gradient():
    moved = []
    for dampening in (0.0, 0.9):
        parameter = nn.Parameter(torch.zeros(1))
        optimizer = SGD([parameter], lr=0.1, momentum=0.9, dampening=dampening)
        for _ in range(200):
            before = parameter.item()
            parameter.grad = torch.ones(1)
            optimizer.step()
        moved.append(before - parameter.item())
    assert moved == pytest.approx([1.0, 0.1], rel=1e-4)  # lr / (1 - momentum), and lr


def test_epsilon_of_rmsprop_stands_outside_the_root():
    parameter = nn.Parameter(torch.zeros(1))
    parameter.grad = torch.ones(1)
    RMSProp([parameter], lr=1.0, alpha=0.0, eps=1.0).step()
    assert parameter.item() == pytest.approx(-1 / (1 + 1))  # inside the root it would be -1 / sqrt(2)


def test_centered_rmsprop_stays_finite_where_the_gradient_never_changes():
    for value in torch.linspace(0.01, 3, 50):
        parameter = nn.Parameter(torch.zeros(1, dtype=torch.float32))
        optimizer = RMSProp([parameter], lr=1e-9, alpha=0.5, centered=True)
        for _ in range(60):
            parameter.grad = value.view(1).clone()
            optimizer.step()
        assert parameter.isfinite().all()


@pytest.mark.parametrize("fused", [False, True])
@pytest.mark.parametrize(("kind", "settings"), [*REMEMBERING, ("SGD", {"momentum": 0.9, "nesterov": True})])
def test_gradients_are_left_as_they_are(kind, settings, fused):
    own = PAIRS[kind][0]
    parameter = nn.Parameter(torch.ones(3))
    optimizer = own([parameter], weight_decay=0.1, **settings, **({"fused": fused} if kind != "RMSProp" else {}))
    for _ in range(2):
        parameter.grad = torch.tensor([1.0, -2.0, 3.0])
        optimizer.step()
        assert parameter.grad.tolist() == [1, -2, 3]


@pytest.mark.parametrize("kind", PAIRS)
def test_a_parameter_without_gradient_stays_as_it_is(kind):
    parameter = nn.Parameter(torch.ones(2))
    PAIRS[kind][0]([parameter], weight_decay=0.5).step()
    assert torch.equal(parameter.detach(), torch.ones(2))


@pytest.mark.parametrize("kind", PAIRS)
def test_a_closure_is_run_with_gradients_and_its_loss_returned(kind):
    parameter = nn.Parameter(torch.ones(1))
    optimizer = PAIRS[kind][0]([parameter], lr=0.05)

    def closure() -> Tensor:
        optimizer.zero_grad()
        loss = (parameter**2).sum()
        loss.backward()
        return loss

    assert optimizer.step(closure).item() == 1
    assert parameter.item() < 1


def test_a_scheduler_of_torch_sets_the_rate_of_each_group():
    for own, _ in PAIRS.values():
        optimizer = own(_groups([nn.Parameter(torch.zeros(1)) for _ in range(2)]), lr=1.0)
        scheduler = torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.5)
        _train(optimizer, 1)
        scheduler.step()
        assert [group["lr"] for group in optimizer.param_groups] == [0.005, 0.5]


def test_step_hooks_are_called():
    parameter = nn.Parameter(torch.zeros(1))
    optimizer, called = SGD([parameter]), []
    optimizer.register_step_post_hook(lambda *_: called.append(True))
    optimizer.step()
    assert called == [True]


@pytest.mark.parametrize(
    "optimizer",
    [
        lambda weights: SGD(weights, lr=0.1),
        lambda weights: SGD(weights, lr=0.05, momentum=0.9),
        lambda weights: SGD(weights, lr=0.05, momentum=0.9, nesterov=True),
        lambda weights: AdaGrad(weights, lr=0.5),
        lambda weights: RMSProp(weights, lr=0.001, alpha=0.9),
        lambda weights: Adam(weights, lr=0.05),
        lambda weights: Adam(weights, lr=0.05, amsgrad=True),
        lambda weights: AdamW(weights, lr=0.05, weight_decay=0.0),
    ],
    ids=["sgd", "momentum", "nesterov", "adagrad", "rmsprop", "adam", "amsgrad", "adamw"],
)
def test_it_fits_a_line(optimizer):
    x = torch.linspace(-1, 1, 50)
    weights = nn.Parameter(torch.tensor([2.0, 0.0]))
    chosen = optimizer([weights])
    for _ in range(1500):
        chosen.zero_grad()
        (weights[0] * x + weights[1] - (3 * x - 1)).square().mean().backward()
        chosen.step()
    torch.testing.assert_close(weights.detach(), torch.tensor([3.0, -1.0]), rtol=0, atol=1e-3)


@pytest.mark.parametrize(
    ("kind", "settings", "name"),
    [
        *[(kind, {"lr": value}, "lr") for kind in PAIRS for value in (-1.0, float("nan"), float("inf"), "1e-3")],
        *[(kind, {"weight_decay": -0.1}, "weight_decay") for kind in PAIRS],
        *[(kind, {"eps": -1e-8}, "eps") for kind in PAIRS if kind != "SGD"],
        ("SGD", {"momentum": -0.1}, "momentum"),
        ("SGD", {"dampening": float("nan")}, "dampening"),
        ("SGD", {"nesterov": True}, "nesterov"),
        ("SGD", {"nesterov": True, "momentum": 0.9, "dampening": 0.1}, "nesterov"),
        ("AdaGrad", {"lr_decay": -1}, "lr_decay"),
        ("AdaGrad", {"initial_accumulator_value": -1}, "initial_accumulator_value"),
        ("RMSProp", {"alpha": 1.1}, "alpha"),
        ("RMSProp", {"alpha": -0.1}, "alpha"),
        ("RMSProp", {"momentum": -0.1}, "momentum"),
        ("Adam", {"betas": (1.0, 0.999)}, "betas"),
        ("Adam", {"betas": (0.9, -0.1)}, "betas"),
        ("Adam", {"betas": (0.9, float("nan"))}, "betas"),
        ("Adam", {"betas": (0.9,)}, "betas"),
    ],
)
def test_impossible_settings_are_refused_by_name(kind, settings, name):
    with pytest.raises(InputError, match=f"^{name}="):
        PAIRS[kind][0]([nn.Parameter(torch.zeros(1))], **settings)


@pytest.mark.parametrize("kind", PAIRS)
def test_impossible_settings_of_a_group_are_refused_too(kind):
    with pytest.raises(InputError, match=r"^lr=-1"):
        PAIRS[kind][0]([{"params": [nn.Parameter(torch.zeros(1))], "lr": lr} for lr in (0.1, -1)])


def test_complex_weights_are_refused():
    with pytest.raises(InputError, match=r"^params=torch.complex64"):
        Adam([nn.Parameter(torch.zeros(1, dtype=torch.complex64))])
