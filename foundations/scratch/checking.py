"""The check of every backward pass: the gradient by central differences."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from foundations.errors import require
from foundations.scratch.arrays import Array


def numerical_gradient(
    error: Callable[[], float], weights: Array, places: NDArray[np.integer] | None = None, *, step: float = 1e-5
) -> Array:
    """dE/dw_i = (E(w_i + step) - E(w_i - step)) / (2 step), one weight at a time, the others held.

    `error` computes E anew from `weights`, which are moved in place and put back. `places` are the flat indices of the
    weights to check, all where None. In float64 and with steps of about 1e-5 some nine digits are right.
    Shapes: as weights without `places`, else as places.
    Raises: InputError for float32 weights, in which differences drown in rounding, and for a step that is not above 0.
    """
    require(weights.dtype == np.float64, "weights dtype", str(weights.dtype), "float64")
    require(step > 0, "step", step, "above 0")
    shape = weights.shape if places is None else places.shape
    chosen = range(weights.size) if places is None else places.ravel()
    return np.array([_slope(error, weights, int(place), step) for place in chosen]).reshape(shape)


def _slope(error: Callable[[], float], weights: Array, place: int, step: float) -> float:
    kept = weights.flat[place]
    try:
        weights.flat[place] = kept + step
        above = error()
        weights.flat[place] = kept - step
        below = error()
    finally:
        weights.flat[place] = kept
    return (above - below) / (2 * step)


def relative_error(found: Array, wanted: Array) -> float:
    """||found - wanted|| / (||found|| + ||wanted||), from 0 (equal) to 1; 0 where both vanish."""
    size = float(np.linalg.norm(found) + np.linalg.norm(wanted))
    return float(np.linalg.norm(found - wanted)) / size if size else 0.0
