"""How good made images are: figures from the judge's features and class probabilities, and the yardsticks beside them.

They depend on the judge: compare only figures of one judge, and never with those of the Inception-v3 network.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from foundations.errors import require
from generative.judge import Judge
from generative.neighbourhoods import precision_recall
from generative.pixels import in_unit_range

SAMPLES_PER_FEATURE = 5
"""Fewer samples than this for each feature give no covariance worth the name."""
NEIGHBOURHOODS = 10_000
"""Precision and recall look at no more images of a set than this: their cost grows with the square."""
NOISE = 0.3
"""Standard deviation of the noise in the second yardstick."""


def inception_score(probabilities: Tensor) -> float:
    """IS = exp(mean over x of KL(p(y|x) || p(y))): how clear each image is, and how even the classes are.

    From 1 (all alike, or all unclear) to the number of classes. Over all samples at once, without splits, in float64.
    Shapes: probabilities (n, classes), rows that sum to 1.
    Raises: InputError for another shape, and for fewer samples than classes, which cannot show them all.
    Source: Salimans et al. 2016, arXiv:1606.03498.
    """
    shape = tuple(probabilities.shape)
    require(len(shape) == 2 and shape[0] >= shape[1], "probabilities shape", shape, "(n, classes) with n >= classes")
    p = probabilities.double()
    each = torch.special.entr(p).sum(dim=1).mean()  # mean of H(p(y|x)); entr(p) = -p log p, 0 at p = 0
    together = torch.special.entr(p.mean(dim=0)).sum()  # H(p(y))
    return float((together - each).exp())


def gaussian_of(features: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and covariance (with n - 1) of `features`, in float64.

    Shapes: (n, features) -> (features), (features, features).
    Raises: InputError for fewer than 5 samples a feature: the distance would tell of the few samples alone.
    """
    count, width = features.shape
    least = SAMPLES_PER_FEATURE * width
    require(count >= least, "samples", count, f"at least {least}, {SAMPLES_PER_FEATURE} for each of {width} features")
    features = features.double()
    mean = features.mean(dim=0)
    centred = features - mean
    return mean, centred.T @ centred / (count - 1)


def frechet_distance(mean: Tensor, covariance: Tensor, other_mean: Tensor, other_covariance: Tensor) -> float:
    """Squared Frechet distance of two Gaussians: |m - n|^2 + tr(C) + tr(D) - 2 tr((C^1/2 D C^1/2)^1/2), in float64.

    C^1/2 D C^1/2 is symmetric and has the eigenvalues of C D, so that no root of an unsymmetric matrix, with its
    complex rounding errors, is needed. 0 for equal Gaussians; grows with every difference of centre or spread.
    Shapes: means (features), covariances (features, features). Raises: InputError for shapes that do not fit.
    Source: Dowson & Landau 1982; Heusel et al. 2017, arXiv:1706.08500.
    """
    wanted = (len(mean), len(mean))
    for matrix in (covariance, other_covariance):
        require(matrix.shape == wanted, "covariance shape", tuple(matrix.shape), f"{wanted}, for that mean")
    require(other_mean.shape == mean.shape, "mean shape", tuple(other_mean.shape), f"{tuple(mean.shape)}, the other's")
    root = _matrix_root(covariance.double())
    product = root @ other_covariance.double() @ root
    overlap = torch.linalg.eigvalsh((product + product.T) / 2).clamp(min=0).sqrt().sum()
    apart = (mean.double() - other_mean.double()).square().sum()
    distance = apart + covariance.double().trace() + other_covariance.double().trace() - 2 * overlap
    return max(float(distance), 0.0)


def _matrix_root(symmetric: Tensor) -> Tensor:
    """The symmetric root of a covariance: V diag(sqrt(w)) V^T; rounding may have put a w a little below 0."""
    values, vectors = torch.linalg.eigh(symmetric)
    root: Tensor = (vectors * values.clamp(min=0).sqrt()) @ vectors.T
    return root


def smallest_class_share(probabilities: Tensor) -> float:
    """The share of samples whose likeliest class is the rarest one: near 1/classes, and 0 after a mode collapse.

    Shapes: probabilities (n, classes).
    """
    counts = probabilities.argmax(dim=1).bincount(minlength=probabilities.shape[1])
    return float(counts.min()) / len(probabilities)


def nearest_distances(images: Tensor, references: Tensor, *, batch_size: int = 10_000) -> Tensor:
    """For each image the Euclidean distance to the nearest reference, over all pixels, each in [0, 1].

    Shapes: images (n, 1, height, width), references (m, 1, height, width), either bytes or in [0, 1]; result (n).
    """
    rows = _checked(images).flatten(start_dim=1)
    best = torch.full((len(rows),), torch.inf, device=rows.device)
    for part in references.split(batch_size):
        part_rows = _checked(part).flatten(start_dim=1)
        nearest = torch.cdist(rows, part_rows).argmin(dim=1)
        # cdist goes through a matrix product, whose rounding hides exact copies: measure the winners again.
        best = torch.minimum(best, (rows - part_rows[nearest]).norm(dim=1))
    return best


@dataclass(frozen=True)
class Assessment:
    """What the judge says of a set of images, `count` of them.

    Precision and recall (k = 3) compare them with `real_count` training images, at most as many as there are of them,
    and none of either beyond 10,000. Compare the two only where these numbers are alike.
    """

    inception_score: float
    frechet_distance: float
    precision: float
    recall: float
    smallest_class_share: float
    count: int
    real_count: int


class Assessor:
    """Assesses images against the training images, which it looks at once, when it is made.

    Images are (n, 1, 28, 28), bytes or floats in [0, 1]; they are moved to the judge's device.
    Raises: InputError for other shapes, values outside [0, 1], not-a-number, or fewer than 320 images.
    """

    def __init__(self, judge: Judge, training_images: Tensor) -> None:
        self.judge = judge
        self.training_images = training_images
        self._device = next(judge.parameters()).device
        features, _ = self._look(training_images)
        self._reference = gaussian_of(features)
        self._features = spread(features, NEIGHBOURHOODS)

    def assess(self, images: Tensor) -> Assessment:
        """All figures of `images`; their order is all one up to 10,000 of them, which take a few seconds.

        Of more, precision and recall look at 10,000 evenly spread ones, the others at all.
        """
        features, probabilities = self._look(images)
        gaussian = gaussian_of(features)
        real = spread(self._features, len(images))
        precision, recall = precision_recall(real, spread(features, NEIGHBOURHOODS))
        return Assessment(
            inception_score=inception_score(probabilities),
            frechet_distance=frechet_distance(*gaussian, *self._reference),
            precision=precision,
            recall=recall,
            smallest_class_share=smallest_class_share(probabilities),
            count=len(images),
            real_count=len(real),
        )

    def classes(self, images: Tensor) -> Tensor:
        """The digit that the judge reads in each image: (n, 1, 28, 28) -> (n), int64."""
        _, probabilities = self._look(images)
        return probabilities.argmax(dim=1)

    def nearest_training_distance(self, images: Tensor) -> float:
        """The median distance of `images` to their nearest training image (see `nearest_distances`).

        Real test images give the floor: made images well below it are copies. A thousand images do.
        """
        images, references = images.to(self._device), self.training_images.to(self._device)
        return float(nearest_distances(images, references).median())

    @torch.no_grad()
    def _look(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Features (n, 64) and class probabilities (n, 10)."""
        features = [self.judge.features(_checked(part.to(self._device))) for part in images.split(500)]
        together = torch.cat(features)
        return together, self.judge.head(together).softmax(dim=1)


def yardsticks(assessor: Assessor, test_images: Tensor, generator: torch.Generator) -> dict[str, Assessment]:
    """What the judge says of images of known quality, from real test images down to noise.

    The first is the floor that nothing made can be expected to beat. The noise is drawn from `generator`, on the CPU.
    Shapes: test_images (n, 1, 28, 28), bytes or in [0, 1].
    """
    real = _checked(test_images.cpu())
    makers: dict[str, Callable[[], Tensor]] = {
        "real test images": lambda: real,
        f"real with N(0, {NOISE}) noise": lambda: noisy(real, generator),
        "real blurred 3x3": lambda: F.avg_pool2d(real, 3, stride=1, padding=1),
        "uniform noise": lambda: torch.rand(real.shape, generator=generator),
    }
    return {name: assessor.assess(make()) for name, make in makers.items()}


def spread(rows: Tensor, most: int) -> Tensor:
    """At most `most` of `rows`, evenly spread over them: data sets may be in the order of their classes."""
    return rows if len(rows) <= most else rows[torch.arange(most, device=rows.device) * len(rows) // most]


def noisy(images: Tensor, generator: torch.Generator) -> Tensor:
    """Images in [0, 1] with N(0, 0.3^2) added to every pixel, clipped to [0, 1]."""
    noise = torch.randn(images.shape, generator=generator, device=images.device)
    return (images + NOISE * noise).clamp(0, 1)


def _checked(images: Tensor) -> Tensor:
    """Images in [0, 1]. Raises: InputError for floats outside, as of a generator that ends in a tanh."""
    if images.is_floating_point():
        low, high = (bound.item() for bound in images.aminmax())
        # Not-a-number fails every comparison, and so this one.
        require(low >= 0 and high <= 1, "image values", (low, high), "in [0, 1] if floats, or else bytes")
    return in_unit_range(images)
