"""Real digits without any file or network: scikit-learn's 1,797 of 8x8, enlarged to 28x28."""

import pytest
import torch
import torch.nn.functional as F
from sklearn.datasets import load_digits
from torch import Tensor


@pytest.fixture(scope="session")
def digits() -> tuple[Tensor, Tensor]:
    small, labels = load_digits(return_X_y=True)
    images = torch.from_numpy(small).float().view(-1, 1, 8, 8) / 16
    large = F.interpolate(images, size=20, mode="bicubic", align_corners=False).clamp(0, 1)
    large = ((large - 0.3) / 0.4).clamp(0, 1)  # enlarging blurs the strokes
    return (F.pad(large, (4, 4, 4, 4)) * 255).round().to(torch.uint8), torch.from_numpy(labels).long()


@pytest.fixture(scope="session")
def digit_images(digits: tuple[Tensor, Tensor]) -> Tensor:
    return digits[0]
