"""Images explained both ways, by LIME and by integrated gradients, and what trials of those explanations need."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from explain.blackbox import BlackBox
from explain.explanation import Explanation
from explain.gradients import Agreement, agreement, integrated_gradients, segment_sums
from explain.hiding import hide_segments
from explain.images import explain_images
from explain.quality import Hide, random_orders
from explain.segments import Layout, Segments
from explain.trials import Mended, hide_misleading
from foundations.errors import require

Array = NDArray[np.float64]
LIME, GRADIENTS, CHANCE = "LIME", "integrated gradients", "random order"


@dataclass(frozen=True, eq=False)
class ExplainedImages:
    """Images (n, *image) that a classifier was asked about, what they truly are (n,), and why it says what it says.

    Hidden segments become the number `fill`. `reasons`: LIME's explanation of each image. `gradients` (n, segments):
    integrated gradients of the likeliest class, summed over each segment.
    """

    black_box: BlackBox
    images: Tensor
    truth: Tensor
    layout: Layout
    segments: Segments
    fill: float
    reasons: Sequence[Explanation]
    gradients: Array

    @property
    def said(self) -> list[int]:
        """What the classifier takes each image for."""
        return [reason.labels[0] for reason in self.reasons]

    @property
    def mistaken(self) -> bool:
        """Whether all of its answers are wrong."""
        return all(said != truth for said, truth in zip(self.said, self.truth.tolist(), strict=True))

    @property
    def rivals(self) -> list[int]:
        """What each answer is held against: the truth where it is wrong, else the next best answer."""
        pairs = zip(self.reasons, self.truth.tolist(), strict=True)
        return [reason.labels[1] if reason.labels[0] == truth else truth for reason, truth in pairs]

    def again(self, place: int, samples: int, seed: int) -> Explanation:
        """LIME's explanation of one of the images, by another seed."""
        settings: dict[str, Any] = {"samples": samples, "seed": seed}
        return _reasons(self.black_box, self.images[place][None], self.layout, self.segments, self.fill, **settings)[0]

    def hides(self) -> list[Hide]:
        """For each image the function that hides segments of it, for the trials by hiding."""
        settings: dict[str, Any] = {"layout": self.layout, "segments": self.segments, "fill": self.fill}
        return [hide_segments(image, **settings) for image in self.images]

    def inked(self, place: int) -> NDArray[np.int64]:
        """The numbers of the segments of an image in which hiding changes something."""
        changes = (self.images[place] != self.fill).numpy().astype(np.float64)
        return np.flatnonzero(segment_sums(changes, self.segments, layout=self.layout))

    def orders(self, chance: int, seed: int) -> dict[str, list[Array]]:
        """By way, the order of each image's segments, what speaks most for the answer first: by LIME and by gradients.

        At random there are `chance` orders of each image. Shapes: (segments,), at random (chance, segments).
        """
        lime = [np.argsort(-reason.weights_of(), kind="stable") for reason in self.reasons]
        gradients = list(np.argsort(-self.gradients, axis=1, kind="stable"))
        count = self.gradients.shape[1]
        random = [random_orders(count, chance, seed + place) for place in range(len(lime))]
        return {LIME: lime, GRADIENTS: gradients, CHANCE: random}

    def agreements(self, top: int) -> list[Agreement]:
        """How far both ways agree on each image, over the segments that hiding changes: of others neither says much."""
        found = []
        for place, (reason, gradients) in enumerate(zip(self.reasons, self.gradients, strict=True)):
            inked = self.inked(place)
            found.append(agreement(reason.weights_of()[inked], gradients[inked], min(top, len(inked))))
        return found

    def mend(self, count: int, draws: int, seed: int) -> list[Mended]:
        """Each image without the `count` segments that speak most for what is said and against its rival.

        Beside them, `draws` times as many at random; see `hide_misleading`.
        """
        found = []
        for place, (hide, reason, rival) in enumerate(zip(self.hides(), self.reasons, self.rivals, strict=True)):
            settings: dict[str, Any] = {"among": self.inked(place), "draws": draws}
            random = np.random.default_rng(seed + place)
            found.append(
                hide_misleading(self.black_box, hide, reason.contrast(rival), count, random=random, **settings)
            )
        return found


def explain_both_ways(
    black_box: BlackBox,
    images: Tensor,
    truth: Tensor,
    *,
    layout: Layout,
    segments: Segments,
    fill: float = 0,
    samples: int = 1000,
    seed: int,
) -> ExplainedImages:
    """Images of floats (n, *image) explained by `explain_images`, and by `integrated_gradients` from `fill`.

    `black_box`: a classifier, around a torch module. Raises: InputError as those two, and for another black box.
    """
    module = black_box.model
    require(isinstance(module, nn.Module), "black_box", type(module).__name__, "a BlackBox around a torch module")
    reasons = _reasons(black_box, images, layout, segments, fill, samples=samples, seed=seed)
    device = next((each.device for each in module.parameters()), images.device)
    attributions = integrated_gradients(module, images.to(device), baseline=fill)
    gradients = np.stack([segment_sums(each, segments, layout=layout) for each in attributions])
    return ExplainedImages(black_box, images, truth, layout, segments, fill, reasons, gradients)


def _reasons(
    black_box: BlackBox, images: Tensor, layout: Layout, segments: Segments, fill: float, **settings: Any
) -> list[Explanation]:
    return explain_images(black_box, list(images), layout=layout, segments=segments, fill=fill, **settings)
