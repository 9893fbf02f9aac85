"""Why an image raises an alarm: which of its segments are to blame for its anomaly score, by three ways, on trial."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from explain.blackbox import BlackBox
from explain.defects import Localisation, localisation
from explain.explanation import Explanation
from explain.generative import explain_score
from explain.gradients import segment_sums
from explain.hiding import Fill, hide_segments
from explain.quality import random_orders
from explain.segments import Segments
from explain.trials import fall_by_hiding

Array = NDArray[np.float64]
WAYS = ("away", "mended", "errors")
"""LIME with hidden segments black; LIME with hidden segments as the autoencoder has them; the squared errors alone."""
ORDERS = 5
"""Orders at random for each image."""


@dataclass(frozen=True, eq=False)
class Blamed:
    """An image, what the autoencoder makes of it, and how much each way blames each segment, by way: (segments,).

    `image`, `mended`: (channels, height, width) in [0, 1]. `truth` (height, width): where a defect was planted, if one
    was. `reasons`: LIME's explanations, by way.
    """

    image: Tensor
    mended: Tensor
    truth: NDArray[np.bool_]
    reasons: Mapping[str, Explanation]
    blame: Mapping[str, Array]

    @property
    def score(self) -> float:
        """The anomaly score."""
        return self.reasons["away"].predictions[0]


@dataclass(frozen=True, eq=False)
class Alarm:
    """An autoencoder that cries defect: the score of images (n, channels, height, width) -> (n,), and its alarm.

    `mend`: what it makes of images, of the same shape. `threshold`: the score above which the alarm is raised.
    `segments` (height, width): the parts of an image that can be blamed.
    """

    score: Callable[[Tensor], Tensor]
    mend: Callable[[Tensor], Tensor]
    threshold: float
    segments: Segments

    def explain(self, image: Tensor, fill: Fill, samples: int, seed: int) -> Explanation:
        """The weights of the image's segments for its score; hidden segments become `fill`."""
        settings: dict[str, Any] = {"layout": "CHW", "segments": self.segments, "names": ["anomaly score"]}
        return explain_score(self.score, image, fill=fill, samples=samples, seed=seed, **settings)

    def blame(self, image: Tensor, truth: NDArray[np.bool_] | None = None, *, samples: int = 1000, seed: int) -> Blamed:
        """Which segments of the image are to blame for its score, by each of the three ways."""
        mended = self.mend(image[None])[0]
        fills: dict[str, Any] = {"away": 0, "mended": mended.numpy()}
        reasons = {way: self.explain(image, fill, samples, seed) for way, fill in fills.items()}
        blame = {way: reason.weights_of() for way, reason in reasons.items()}
        blame["errors"] = segment_sums((image - mended).square().numpy(), self.segments, layout="CHW")
        return Blamed(
            image, mended, np.zeros(self.segments.shape, np.bool_) if truth is None else truth, reasons, blame
        )

    def localise(self, cases: Sequence[Blamed]) -> dict[str, list[Localisation]]:
        """How well each way finds what was planted, by case; as "chance" what is expected of blame at random."""
        found = {way: [localisation(case.blame[way], case.truth, self.segments) for case in cases] for way in WAYS}
        return {**found, "chance": [each.by_chance for each in found["away"]]}

    def falls(self, cases: Sequence[Blamed]) -> dict[str, Array]:
        """Each score over the threshold as segments are mended, the most blamed first, by way: (cases, segments + 1).

        Of "chance": the mean of five orders at random.
        """
        box, labels = BlackBox(self.score, outputs="values"), [0] * len(cases)
        hides = [
            hide_segments(case.image, layout="CHW", segments=self.segments, fill=case.mended.numpy()) for case in cases
        ]
        orders: dict[str, list[Any]] = {way: [np.argsort(-case.blame[way]) for case in cases] for way in WAYS}
        count = int(self.segments.max()) + 1
        orders["chance"] = [random_orders(count, ORDERS, place) for place in range(len(cases))]
        return {way: fall_by_hiding(box, hides, own, labels) / self.threshold for way, own in orders.items()}


def segments_to_calm(falls: Array) -> float:
    """The median count of mended segments that ends the alarm; all and one more where it goes on to the last.

    Shapes: falls (cases, segments + 1), the scores over the threshold.
    """
    quiet = falls < 1
    return float(np.median(np.where(quiet.any(axis=1), quiet.argmax(axis=1), falls.shape[1])))
