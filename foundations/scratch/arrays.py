"""The types of the package, arrays of floating-point numbers, and the checks of their shapes."""

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from foundations.errors import require

Array: TypeAlias = NDArray[np.floating[Any]]
"""Numbers that gradients exist for: float32 or float64."""

Labels: TypeAlias = NDArray[np.integer[Any]]
"""Class numbers from 0."""

Gradients: TypeAlias = dict[str, Array]
"""dE/dw of each weight w, by its name."""


def require_floats(name: str, array: Array, axes: int | None = None) -> None:
    """Raises: InputError unless `array` holds floating-point numbers, along `axes` axes where that is given."""
    require(np.issubdtype(array.dtype, np.floating), f"{name} dtype", str(array.dtype), "float32 or float64")
    if axes is not None:
        require(array.ndim == axes, f"{name} shape", array.shape, f"of {axes} axes")


def require_last_axis(name: str, array: Array, size: int) -> None:
    """Raises: InputError unless `array` is (..., size) of floating-point numbers."""
    require_floats(name, array)
    require(array.shape[-1:] == (size,), f"{name} shape", array.shape, f"(..., {size})")
