"""See linear algebra on pictures: images as matrices and vectors, products, transposes, similarity, maps of the plane.

A digit as 28 x 28 numbers and as one vector of 784, a photograph as (R, G, B), matrix products that flip, blur and find
edges, the dot product as a measure of similarity good enough to read digits with, and what a matrix does to the plane.
Every operation is `foundations.linear_algebra`'s, written out as its definition, and is held against NumPy.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, ClassVar

from annotated_types import Ge

import foundations
import labs.kit as kit
from foundations.errors import require

if TYPE_CHECKING:
    from torch import Tensor

topic = "mathematics"
BATCH = 100
"""Images a product: written out, it lays down classes x pixels x images numbers."""


@dataclass(frozen=True)
class Config(kit.Config):
    """Settings of the lab."""

    data: str = "mnist"
    """Data set: mnist, digits, or a folder of 28x28 grey images in one sub-folder a class."""
    digit: kit.Count = 1
    """Which of the training images is taken apart, counted from 1."""
    compared: Annotated[int, Ge(100)] = 2_000
    """Test images, at most, that are read by their similarity to the mean images of the classes."""

    presets: ClassVar[kit.Presets] = {"smoke": {"compared": 400}, "full": {"compared": 10_000}}


def main(config: Config, run: kit.Run) -> None:
    """From one image to products of many."""
    from labs.drawings import linear_algebra as drawings

    digits = run.load_images(config.data)
    shape, count = tuple(digits.train_images.shape[1:]), len(digits.train_images)
    require(shape == (1, 28, 28), "images of data", shape, "(1, 28, 28): grey, 28 x 28 pixels")
    require(config.digit <= count, "digit", config.digit, f"at most {count:,}, the training images")
    image = digits.train_images[config.digit - 1, 0].double() / 255
    photo = photograph()
    run.figure("1_image_as_matrix", drawings.draw_image_as_matrix(image))
    run.figure("2_image_as_vector", drawings.draw_image_as_vector(image))
    run.figure("3_colour_as_tensor", drawings.draw_colour_as_tensor(photo))
    run.figure("4_one_entry_of_a_product", drawings.draw_one_entry())
    run.figure("5_products_as_pictures", drawings.draw_products(image))
    run.figure("6_maps_of_the_plane", drawings.draw_maps_of_the_plane())
    tests, labels = digits.test_images[: config.compared, 0].double() / 255, digits.test_labels[: config.compared]
    means = class_means(digits.train_images[:, 0], digits.train_labels, len(digits.class_names))
    similarity = similarities(means, tests)
    accuracy = foundations.accuracy(similarity.T, labels)
    shown = drawings.draw_similarity(means, similarity, labels, digits.class_names, accuracy)
    run.figure("7_dot_product_as_likeness", shown)
    differences = against_numpy(image, photo)
    run.table("against_numpy", [{"operation": of, "largest difference": each} for of, each in differences.items()])
    run.summary({"accuracy_by_likeness": accuracy, "largest_difference_to_numpy": max(differences.values())})


def photograph() -> "Tensor":
    """A flower, (3, 214, 320), values in [0, 1]: every second pixel of the photograph that scikit-learn carries."""
    import torch
    from sklearn.datasets import load_sample_image

    pixels = torch.from_numpy(load_sample_image("flower.jpg").copy())[::2, ::2]
    return pixels.permute(2, 0, 1).double() / 255


def class_means(images: "Tensor", labels: "Tensor", classes: int) -> "Tensor":
    """The mean image of each class, as a vector of length 1. Shapes: (n, 28, 28), (n) -> (classes, 784)."""
    import torch

    means = torch.stack([images[labels == name].double().mean(0) for name in range(classes)])
    return foundations.linear_algebra.unit_vector(foundations.linear_algebra.image_to_vector(means))


def similarities(means: "Tensor", images: "Tensor") -> "Tensor":
    """The cosine between every mean and every image. Shapes: (classes, 784), (n, 28, 28) -> (classes, n)."""
    import torch

    vectors = foundations.linear_algebra.image_to_vector(images)
    cosines = [foundations.linear_algebra.cosine_similarity(means, batch) for batch in vectors.split(BATCH)]
    return torch.cat(cosines, dim=1)


def against_numpy(image: "Tensor", photo: "Tensor") -> dict[str, float]:
    """The largest difference of each operation to NumPy's, on the lab's own pictures."""
    import numpy as np

    own, a, colour = foundations.linear_algebra, image.numpy(), photo.numpy()
    pairs = {
        "dot": (own.dot(image[7], image[14]), np.dot(a[7], a[14])),
        "matrix_product": (own.matrix_product(image, image), a @ a),
        "transpose": (own.transpose(image), a.T),
        "image_to_vector": (own.image_to_vector(image), a.reshape(-1)),
        "vector_to_image": (own.vector_to_image(own.image_to_vector(image)), a),
        "to_grey": (own.to_grey(photo), np.tensordot([0.299, 0.587, 0.114], colour, 1)),
    }
    return {name: float(np.abs(np.asarray(found) - wanted).max()) for name, (found, wanted) in pairs.items()}


if __name__ == "__main__":
    kit.launch(main)
