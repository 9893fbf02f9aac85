import math

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from foundations import losses
from foundations.activations import softmax
from foundations.errors import InputError

LIKE_SHAPED = {
    "squared": (losses.mean_squared_error, F.mse_loss, {}),
    "absolute": (losses.mean_absolute_error, F.l1_loss, {}),
    "huber": (losses.huber, F.huber_loss, {"delta": 0.7}),
    "binary cross-entropy": (losses.binary_cross_entropy_from_logits, F.binary_cross_entropy_with_logits, {}),
}
ALIKE = [own for own, _, _ in LIKE_SHAPED.values()]
WITH_BODIES = [*(own for own in ALIKE if own is not losses.mean_absolute_error), losses.cross_entropy_from_logits]


def _assert_same(own, reference, x: Tensor) -> None:
    for dtype, tolerance in {torch.float32: 1e-5, torch.float64: 1e-10}.items():
        found, wanted = (x.to(dtype).clone().requires_grad_() for _ in range(2))
        left, right = own(found), reference(wanted)
        torch.testing.assert_close(left, right, rtol=tolerance, atol=tolerance)
        left.sum().backward()
        right.sum().backward()
        torch.testing.assert_close(found.grad, wanted.grad, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("body", ["kernel", "equations"])
@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize("case", LIKE_SHAPED)
def test_loss_agrees_with_torch(case, reduction, body, generator):
    own, reference, settings = LIKE_SHAPED[case]
    chosen = {"body": body} if own in WITH_BODIES else {}
    target = torch.rand(6, 4, generator=generator, dtype=torch.float64)
    _assert_same(
        lambda x: own(x, target.to(x.dtype), reduction=reduction, **settings, **chosen),
        lambda x: reference(x, target.to(x.dtype), reduction=reduction, **settings),
        2 * torch.randn(6, 4, generator=generator, dtype=torch.float64),
    )


@pytest.mark.parametrize("body", ["kernel", "equations"])
@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("shape", [(6, 5), (2, 5, 3), (2, 5, 3, 4)])
def test_cross_entropy_agrees_with_torch(shape, smoothing, reduction, body, generator):
    target = torch.randint(0, 5, (shape[0], *shape[2:]), generator=generator)
    settings = {"label_smoothing": smoothing, "reduction": reduction}
    _assert_same(
        lambda x: losses.cross_entropy_from_logits(x, target, **settings, body=body),
        lambda x: F.cross_entropy(x, target, **settings),
        2 * torch.randn(shape, generator=generator, dtype=torch.float64),
    )


@pytest.mark.parametrize("body", ["kernel", "equations"])
def test_binary_smoothing_moves_targets_towards_a_half(body):
    logits = torch.tensor([-1.0, 2.0])
    smoothed = losses.binary_cross_entropy_from_logits(logits, torch.tensor([0.0, 1.0]), label_smoothing=0.2, body=body)
    torch.testing.assert_close(smoothed, F.binary_cross_entropy_with_logits(logits, torch.tensor([0.1, 0.9])))


@pytest.mark.parametrize("body", ["kernel", "equations"])
@pytest.mark.parametrize("loss", ALIKE)
def test_loss_passes_gradcheck(loss, body, generator):
    chosen = {"body": body} if loss in WITH_BODIES else {}
    x = 3 * torch.randn(4, 3, generator=generator, dtype=torch.float64)
    target = torch.rand(4, 3, generator=generator, dtype=torch.float64)
    assert torch.autograd.gradcheck(lambda x: loss(x, target, **chosen), x.requires_grad_())


@pytest.mark.parametrize("body", ["kernel", "equations"])
def test_gradient_of_cross_entropy_is_softmax_minus_one_hot(body, generator):
    logits = torch.randn(4, 3, generator=generator, requires_grad=True)
    target = torch.tensor([0, 2, 1, 1])
    losses.cross_entropy_from_logits(logits, target, reduction="sum", body=body).backward()
    torch.testing.assert_close(logits.grad, softmax(logits.detach()) - F.one_hot(target, 3))


@pytest.mark.parametrize("body", ["kernel", "equations"])
def test_cross_entropy_of_even_logits_is_the_logarithm_of_the_classes(body):
    even = losses.cross_entropy_from_logits(torch.zeros(2, 10), torch.tensor([3, 9]), body=body)
    assert even.item() == pytest.approx(math.log(10))


@pytest.mark.parametrize("body", ["kernel", "equations"])
def test_cross_entropies_of_huge_logits_are_exact_and_their_gradients_finite(body):
    logits = torch.tensor([[1e4, -1e4], [-1e4, 1e4]], requires_grad=True)
    binary = losses.binary_cross_entropy_from_logits(logits, torch.zeros(2, 2), reduction="none", body=body)
    many = losses.cross_entropy_from_logits(logits, torch.tensor([0, 0]), reduction="none", body=body)
    (binary.sum() + many.sum()).backward()
    assert binary.tolist() == [[1e4, 0], [0, 1e4]]
    assert many.tolist() == [0, 2e4]
    assert logits.grad.isfinite().all()


@pytest.mark.parametrize("body", ["kernel", "equations"])
@pytest.mark.parametrize(("target", "slope"), [(0.0, 0.5), (1.0, -0.5)])
def test_binary_cross_entropy_still_pushes_at_a_logit_of_zero(target, slope, body):
    logit = torch.zeros(1, requires_grad=True)
    losses.binary_cross_entropy_from_logits(logit, torch.tensor([target]), body=body).backward()
    assert logit.grad.item() == slope


@given(st.floats(0.1, 5), st.floats(-100, 100))
def test_huber_is_the_square_inside_and_a_line_of_slope_delta_outside(delta, error):
    found = losses.huber(torch.tensor([error], dtype=torch.float64), torch.zeros(1, dtype=torch.float64), delta)
    wanted = error**2 / 2 if abs(error) <= delta else delta * (abs(error) - delta / 2)
    assert found.item() == pytest.approx(wanted)


def test_log_sum_exp_agrees_with_torch(generator):
    z = torch.randn(3, 4, generator=generator) * 1000
    torch.testing.assert_close(losses.log_sum_exp(z, 1), torch.logsumexp(z, 1))


@pytest.mark.parametrize("loss", ALIKE)
def test_a_column_against_a_row_is_refused(loss):
    with pytest.raises(InputError, match=r"target shape=\(4,\): must be of the \w+'s shape \(4, 1\)"):
        loss(torch.zeros(4, 1), torch.zeros(4))


@pytest.mark.parametrize("loss", ALIKE)
@pytest.mark.parametrize("dtype", [torch.int64, torch.float64, torch.bool])
def test_a_target_of_another_type_is_refused(loss, dtype):
    with pytest.raises(InputError, match=f"target dtype={dtype}"):
        loss(torch.zeros(4), torch.zeros(4).to(dtype))


@pytest.mark.parametrize("loss", ALIKE)
def test_losses_of_half_precision_under_autocast_take_float32_targets(loss):
    x = torch.zeros(4, dtype=torch.bfloat16, requires_grad=True)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        loss(x, torch.ones(4)).backward()
    assert x.grad.isfinite().all()


@pytest.mark.parametrize(
    ("logits", "target", "name"),
    [
        (torch.zeros(4, 3), torch.zeros(4, 1, dtype=torch.int64), "target shape"),
        (torch.zeros(4, 3), torch.zeros(4), "target dtype"),
        (torch.zeros(4), torch.zeros(4, dtype=torch.int64), "logits shape"),
        (torch.zeros(4, 3, 2), torch.zeros(4, dtype=torch.int64), "target shape"),
    ],
)
def test_cross_entropy_refuses_wrong_operands_by_name(logits, target, name):
    with pytest.raises(InputError, match=f"^{name}="):
        losses.cross_entropy_from_logits(logits, target)


@pytest.mark.parametrize("body", ["kernel", "equations"])
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("unknown", [-100, -1, 3])
def test_unknown_class_is_refused_by_number(unknown, smoothing, body):
    target = torch.tensor([0, unknown, 2])
    with pytest.raises(InputError, match=f"^target={unknown}: must be a class number from 0 to 2"):
        losses.cross_entropy_from_logits(torch.zeros(3, 3), target, label_smoothing=smoothing, body=body)


@pytest.mark.parametrize("body", ["kernel", "equations"])
def test_unknown_class_of_a_pixel_is_refused_by_number(body):
    target = torch.tensor([[0, 7]])
    with pytest.raises(InputError, match="target=7: must be"):
        losses.cross_entropy_from_logits(torch.zeros(1, 3, 2), target, body=body)


@pytest.mark.parametrize("loss", WITH_BODIES)
@pytest.mark.parametrize("option", ["reduction", "body"])
def test_unknown_options_are_refused_by_name(loss, option):
    with pytest.raises(InputError, match=f"^{option}='average': must be one of"):
        loss(torch.zeros(2, 2), torch.zeros(2, 2), **{option: "average"})


@pytest.mark.parametrize("smoothing", [-0.1, 1.0])
def test_smoothing_outside_its_range_is_refused(smoothing):
    with pytest.raises(InputError, match="label_smoothing="):
        losses.cross_entropy_from_logits(
            torch.zeros(1, 2), torch.zeros(1, dtype=torch.int64), label_smoothing=smoothing
        )


def test_huber_refuses_a_delta_of_zero():
    with pytest.raises(InputError, match="delta=0"):
        losses.huber(torch.zeros(1), torch.zeros(1), 0)
