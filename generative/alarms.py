"""What is wrong with made images, in words: unlike the real ones, collapsed, narrow, copied."""

from generative.metrics import Assessment

UNLIKE = 1 / 4
"""Where a smaller share of the real test images' precision is reached, the images are hardly digits."""
RAREST = 0.02
"""Where the rarest of ten classes has a smaller share, the samples have collapsed."""
NARROW = 1 / 2
"""Where a smaller share of the real test images' recall is reached, much of the variety is missing."""
COPIED = 1 / 2
"""Where images lie nearer to training images than this share of what real test images do, they are copies."""


def alarms(made: Assessment, real: Assessment, *, copying: float, real_copying: float) -> list[str]:
    """A line for each fault of `made` images beside that of as many `real` test images; none for good ones.

    `copying` is their `Assessor.nearest_training_distance`, `real_copying` the real ones'. Of images that are hardly
    digits, classes and variety say nothing: the first fault is then the only one of the three.
    """
    copies = f"copying: samples lie {copying:.2f} from a training image, real test digits {real_copying:.2f}"
    found = [_of_quality(made, real), copies if copying < COPIED * real_copying else ""]
    return [line for line in found if line]


def _of_quality(made: Assessment, real: Assessment) -> str:
    if made.precision < UNLIKE * real.precision:
        return (
            f"hardly a digit: {made.precision:.0%} of the samples look real, of real test digits {real.precision:.0%}"
        )
    if made.smallest_class_share < RAREST:
        return f"mode collapse or blur: the rarest digit makes up {made.smallest_class_share:.1%}, not 10 %"
    if made.recall < NARROW * real.recall:
        return (
            f"narrow: samples cover {made.recall:.0%} of the real digits' variety, real test digits {real.recall:.0%}"
        )
    return ""
