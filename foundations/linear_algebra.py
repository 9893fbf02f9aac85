"""Vectors and matrices, each operation as it is defined; and images as what they are to a network: numbers in a shape.

`a @ b` and `a.mT` are the fast way to the same numbers. Here the definition is the code: broadcasting lays out every
product of the sum, which costs memory, so these are for reading, showing and checking.
"""

import torch
from torch import Tensor

from foundations.errors import require

LUMINANCE = (0.299, 0.587, 0.114)
"""How bright red, green and blue look beside each other (ITU-R BT.601, section 2.5.1); they sum to 1."""


def dot(a: Tensor, b: Tensor) -> Tensor:
    """Dot product: a . b = sum_i a_i b_i.

    Shapes: a and b (..., n), result (...); leading sizes broadcast. Raises: InputError for lengths that differ.
    """
    require(a.dim() >= 1, "a shape", tuple(a.shape), "(..., n), a vector or several")
    require(b.shape[-1:] == a.shape[-1:], "b shape", tuple(b.shape), f"(..., {a.shape[-1]}), as long as a")
    return (a * b).sum(-1)


def unit_vector(a: Tensor) -> Tensor:
    """The vector of length 1 in the direction of a: a / |a|, |a| = sqrt(a . a); the zero vector stays as it is.

    Shapes: (..., n), kept.
    """
    length = dot(a, a).sqrt().unsqueeze(-1)
    return a / torch.where(length > 0, length, 1)


def cosine_similarity(a: Tensor, b: Tensor) -> Tensor:
    """Cosine of the angle between each row of a and each row of b: S[i, j] = a_i . b_j / (|a_i| |b_j|).

    It is 1 for the same direction, 0 for perpendicular vectors and -1 for opposite ones; a zero vector has 0 with all.
    Shapes: a (rows, n), b (columns, n), result (rows, columns). Memory: as `matrix_product`.
    Raises: InputError for anything but matrices, and for lengths n that differ.
    """
    for name, rows in (("a", a), ("b", b)):
        require(rows.dim() == 2, f"{name} shape", tuple(rows.shape), "(rows, n), one vector a row")
    require(b.shape[1] == a.shape[1], "b shape", tuple(b.shape), f"(columns, {a.shape[1]}), as long as a's rows")
    return matrix_product(unit_vector(a), transpose(unit_vector(b)))


def matrix_product(a: Tensor, b: Tensor) -> Tensor:
    """Matrix product: C[i, j] = sum_k A[i, k] B[k, j], the dot product of A's row i and B's column j.

    Shapes: a (..., rows, inner), b (..., inner, columns), result (..., rows, columns); leading sizes broadcast.
    Memory: rows * inner * columns numbers. Raises: InputError where A's columns are not as many as B's rows.
    """
    require(a.dim() >= 2, "a shape", tuple(a.shape), "(..., rows, inner), a matrix or several")
    inner = a.shape[-1]
    fits = b.dim() >= 2 and b.shape[-2] == inner
    require(fits, "b shape", tuple(b.shape), f"(..., {inner}, columns): as many rows as a has columns")
    products = a.unsqueeze(-1) * b.unsqueeze(-3)  # (..., rows, inner, columns)
    return products.sum(-2)


def transpose(a: Tensor) -> Tensor:
    """Transpose: T[i, j] = A[j, i], rows become columns.

    Shapes: (..., rows, columns) -> (..., columns, rows). Raises: InputError for anything below a matrix.
    """
    require(a.dim() >= 2, "a shape", tuple(a.shape), "(..., rows, columns), a matrix or several")
    rows, columns = (torch.arange(size, device=a.device) for size in a.shape[-2:])
    i, j = columns.unsqueeze(1), rows.unsqueeze(0)
    return a[..., j, i]


def image_to_vector(image: Tensor) -> Tensor:
    """Rows of pixels, one behind the other: v[row * width + column] = image[row, column].

    Shapes: (..., height, width) -> (..., height * width), as 28 x 28 -> 784.
    Raises: InputError for anything below a matrix.
    """
    require(image.dim() >= 2, "image shape", tuple(image.shape), "(..., height, width)")
    return image.flatten(start_dim=-2)


def vector_to_image(vector: Tensor, height: int = 28, width: int = 28) -> Tensor:
    """The way back: image[row, column] = v[row * width + column].

    Shapes: (..., height * width) -> (..., height, width), as 784 -> 28 x 28.
    Raises: InputError for another number of pixels.
    """
    for name, size in (("height", height), ("width", width)):
        require(size >= 1, name, size, "at least 1")
    pixels = f"(..., {height * width}), {height} rows of {width} pixels"
    require(vector.shape[-1:] == (height * width,), "vector shape", tuple(vector.shape), pixels)
    return vector.reshape(*vector.shape[:-1], height, width)


def to_grey(image: Tensor) -> Tensor:
    """Luminance: Y = 0.299 R + 0.587 G + 0.114 B, a colour image as one matrix.

    Shapes: (..., 3, height, width) -> (..., height, width); what is in [0, 1] stays there.
    Raises: InputError for another number of channels, and for bytes, which would wrap around.
    Source: ITU-R BT.601-7 (2011), section 2.5.1.
    """
    fits = image.dim() >= 3 and image.shape[-3] == 3
    require(fits, "image shape", tuple(image.shape), "(..., 3, height, width): red, green, blue")
    require(image.is_floating_point(), "image dtype", image.dtype, "floating-point; divide bytes by 255")
    weights = torch.tensor(LUMINANCE, dtype=image.dtype, device=image.device)
    return (image * weights.view(3, 1, 1)).sum(-3)
