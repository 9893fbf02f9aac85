import numpy as np
import pytest
import sklearn.metrics.pairwise
import torch
from hypothesis import given
from hypothesis import strategies as st

from foundations import linear_algebra
from foundations.errors import InputError

DTYPES = pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 1e-5), (torch.float64, 1e-10)])
sizes = st.integers(1, 6)


def _random(*shape: int, dtype: torch.dtype = torch.float64) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(sum(shape)), dtype=dtype)


@DTYPES
def test_dot_agrees_with_numpy(dtype, tolerance):
    a, b = _random(784, dtype=dtype), _random(784, dtype=dtype).flip(0)
    np.testing.assert_allclose(linear_algebra.dot(a, b), np.dot(a.numpy(), b.numpy()), rtol=tolerance)


def test_dot_of_perpendicular_vectors_is_zero():
    assert linear_algebra.dot(torch.tensor([3.0, 4.0]), torch.tensor([-4.0, 3.0])) == 0


def test_dot_takes_batches():
    a, b = _random(5, 3), _random(3)
    np.testing.assert_allclose(linear_algebra.dot(a, b), a.numpy() @ b.numpy(), rtol=1e-10, atol=1e-12)


def test_a_unit_vector_has_length_one_and_the_direction_of_its_vector():
    a = _random(5, 3)
    unit = linear_algebra.unit_vector(a)
    np.testing.assert_allclose(np.linalg.norm(unit, axis=-1), np.ones(5), rtol=1e-12)
    np.testing.assert_allclose(unit, a / a.norm(dim=-1, keepdim=True), rtol=1e-12)


def test_a_short_vector_has_a_unit_vector_and_zero_stays_zero():
    assert linear_algebra.unit_vector(torch.tensor([0.0, 1e-15])).tolist() == [0, 1]
    assert linear_algebra.unit_vector(torch.zeros(2)).tolist() == [0, 0]


@given(sizes, sizes, sizes)
def test_cosine_similarity_agrees_with_scikit_learn(rows, columns, size):
    a, b = _random(rows, size), _random(columns, size).flip(0)
    wanted = sklearn.metrics.pairwise.cosine_similarity(a.numpy(), b.numpy())
    np.testing.assert_allclose(linear_algebra.cosine_similarity(a, b), wanted, rtol=1e-10, atol=1e-12)


def test_a_zero_vector_is_similar_to_nothing():
    assert linear_algebra.cosine_similarity(torch.zeros(1, 3), torch.ones(2, 3)).tolist() == [[0, 0]]


@given(sizes, sizes, sizes)
def test_matrix_product_agrees_with_numpy(rows, inner, columns):
    a, b = _random(rows, inner), _random(inner, columns)
    np.testing.assert_allclose(linear_algebra.matrix_product(a, b), a.numpy() @ b.numpy(), rtol=1e-10, atol=1e-12)


def test_matrix_product_takes_batches():
    a, b = _random(7, 2, 3), _random(3, 4)
    np.testing.assert_allclose(linear_algebra.matrix_product(a, b), a.numpy() @ b.numpy(), rtol=1e-10, atol=1e-12)


def test_matrix_product_of_a_hand_worked_case():
    a, b = torch.tensor([[1, 2], [3, 4]]), torch.tensor([[0, 1], [1, 1]])
    assert linear_algebra.matrix_product(a, b).tolist() == [[2, 3], [4, 7]]


def test_gradients_of_dot_and_matrix_product_are_right():
    a, b = _random(3, 2).requires_grad_(), _random(2, 4).requires_grad_()
    assert torch.autograd.gradcheck(linear_algebra.matrix_product, (a, b))
    assert torch.autograd.gradcheck(linear_algebra.dot, (a, _random(2).requires_grad_()))


@given(st.lists(sizes, min_size=2, max_size=4))
def test_transpose_agrees_with_numpy(shape):
    a = _random(*shape)
    np.testing.assert_array_equal(linear_algebra.transpose(a), np.swapaxes(a.numpy(), -1, -2))


def test_the_transpose_of_a_product_is_the_product_of_the_transposes_in_reverse():
    a, b = _random(3, 2), _random(2, 4)
    product, flip = linear_algebra.matrix_product, linear_algebra.transpose
    torch.testing.assert_close(flip(product(a, b)), product(flip(b), flip(a)))


@given(st.lists(sizes, max_size=2), sizes, sizes)
def test_an_image_comes_back_from_its_vector(batch, height, width):
    images = _random(*batch, height, width)
    vectors = linear_algebra.image_to_vector(images)
    np.testing.assert_array_equal(vectors, images.numpy().reshape(*batch, height * width))
    assert torch.equal(linear_algebra.vector_to_image(vectors, height, width), images)


def test_a_digit_becomes_784_numbers_row_by_row():
    image = torch.arange(784).view(28, 28)
    vector = linear_algebra.image_to_vector(image)
    assert vector.shape == (784,)
    assert vector[28 * 3 + 5] == image[3, 5]
    assert torch.equal(linear_algebra.vector_to_image(vector), image)


def test_grey_agrees_with_numpy():
    image = torch.rand(2, 3, 4, 5, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    wanted = np.einsum("c,bchw->bhw", np.array([0.299, 0.587, 0.114]), image.numpy())
    np.testing.assert_allclose(linear_algebra.to_grey(image), wanted, rtol=1e-12)


def test_grey_of_white_is_white():
    torch.testing.assert_close(linear_algebra.to_grey(torch.ones(3, 2, 2)), torch.ones(2, 2))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: linear_algebra.dot(torch.ones(3), torch.ones(4)), r"b shape=\(4,\): must be \(..., 3\)"),
        (lambda: linear_algebra.dot(torch.tensor(1.0), torch.ones(4)), r"a shape=\(\)"),
        (lambda: linear_algebra.matrix_product(torch.ones(2, 3), torch.ones(2, 3)), r"b shape=\(2, 3\)"),
        (lambda: linear_algebra.matrix_product(torch.ones(3), torch.ones(3, 1)), r"a shape=\(3,\)"),
        (lambda: linear_algebra.matrix_product(torch.ones(1, 3), torch.ones(3)), r"b shape=\(3,\)"),
        (lambda: linear_algebra.cosine_similarity(torch.ones(3), torch.ones(1, 3)), r"a shape=\(3,\)"),
        (lambda: linear_algebra.cosine_similarity(torch.ones(1, 3), torch.ones(1, 1)), r"b shape=\(1, 1\)"),
        (lambda: linear_algebra.transpose(torch.ones(3)), r"a shape=\(3,\)"),
        (lambda: linear_algebra.image_to_vector(torch.ones(3)), r"image shape=\(3,\)"),
        (lambda: linear_algebra.vector_to_image(torch.ones(783)), r"vector shape=\(783,\): must be \(..., 784\)"),
        (lambda: linear_algebra.vector_to_image(torch.ones(1), height=0), "height=0"),
        (lambda: linear_algebra.to_grey(torch.ones(1, 28, 28)), r"image shape=\(1, 28, 28\)"),
        (lambda: linear_algebra.to_grey(torch.ones(3, 2, 2, dtype=torch.uint8)), "image dtype=torch.uint8"),
    ],
)
def test_operands_that_do_not_fit_are_refused_by_name(call, message):
    with pytest.raises(InputError, match=message):
        call()
