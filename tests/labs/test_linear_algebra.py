"""What the lab of linear algebra computes."""

import torch

from labs.linear_algebra import BATCH, against_numpy, class_means, photograph, similarities


def _images(count: int) -> torch.Tensor:
    return torch.rand(count, 28, 28, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def test_every_operation_agrees_with_numpy():
    differences = against_numpy(_images(1)[0], photograph())
    assert len(differences) == 6
    assert max(differences.values()) < 1e-12


def test_images_are_most_similar_to_themselves():
    images = _images(BATCH + 5)  # more than one batch
    similarity = similarities(class_means(images[:4], torch.arange(4), 4), images)
    assert similarity.shape == (4, BATCH + 5)
    torch.testing.assert_close(similarity[:, :4].diag(), torch.ones(4, dtype=torch.float64))
    assert similarity[:, :4].argmax(0).tolist() == [0, 1, 2, 3]


def test_a_black_image_is_similar_to_nothing():
    images = torch.zeros(1, 28, 28, dtype=torch.float64)
    assert similarities(class_means(_images(2), torch.arange(2), 2), images).tolist() == [[0], [0]]
