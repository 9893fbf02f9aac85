"""The embedded digits: 1,797 real handwritten digits that scikit-learn ships, enlarged to MNIST's 28x28.

Source: E. Alpaydin, C. Kaynak: Optical Recognition of Handwritten Digits, UCI (1998).
"""

import numpy as np
from numpy.typing import NDArray

from labs.kit.data.splits import Split, split_by_class

STROKE_STARTS, STROKE_FULL = 104, 200
"""Grey levels that become black and white: the enlarged strokes then have MNIST's weight (mean grey 33 of 255)."""


def load_digits() -> Split:
    """The digits as MNIST shows its own: white on black, in a box of 20x20, within 28x28; a fifth for testing."""
    from sklearn.datasets import load_digits as load_small_digits

    small, labels = load_small_digits(return_X_y=True)
    images = np.stack([_enlarge(digit) for digit in small.reshape(-1, 8, 8).astype(np.int64)])
    return split_by_class(images[:, None], labels.astype(np.int64), tuple("0123456789"))


def _enlarge(digit: NDArray[np.int64]) -> NDArray[np.uint8]:
    """8x8 of 0..16 to 28x28 of 0..255: bicubic, then more contrast, since enlarging blurs the strokes.

    In whole numbers throughout (Pillow resizes in fixed point), so that every machine makes the same images.
    """
    from PIL import Image

    # Two more pixels on each side: 12x12 becomes 30x30, in which the digit itself fills 20x20.
    framed = np.pad(np.minimum(16 * digit, 255), 2).astype(np.uint8)
    enlarged = Image.fromarray(framed).resize((30, 30), Image.Resampling.BICUBIC).crop((1, 1, 29, 29))
    grey = (np.asarray(enlarged, dtype=np.int64) - STROKE_STARTS) * 255 // (STROKE_FULL - STROKE_STARTS)
    return grey.clip(0, 255).astype(np.uint8)
