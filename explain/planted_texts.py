"""Sentences whose verdicts hang on known words: made by a small grammar, on every machine the same."""

import random

EACH = 300
"""Sentences of each class."""
OPINIONS = {
    "negative": ("dull", "clumsy", "tired", "weak", "lifeless", "awful", "stale", "boring"),
    "positive": ("moving", "bright", "clever", "warm", "gripping", "lovely", "fresh", "superb"),
}
"""The words that decide, by class; all others are in both classes alike."""
THINGS = ("film", "story", "comedy", "drama", "sequel")
PARTS = ("plot", "cast", "music", "ending", "dialogue")
FILLERS = ("long", "new", "french", "small", "second", "quiet", "late")
FRAMES = (
    "the {thing} has a {word} {part} and a {filler} look at people who live by the sea",
    "a {filler} {thing} about two brothers , with {word} {part} and {other} {second}",
    "what we get is {word} {part} in this {filler} {thing} from the director of many others",
    "for all its {filler} {part} the {thing} is {word} and its {second} is {other} from start to end",
)


def plant_reviews() -> dict[str, list[str]]:
    """Sentences on films by class, 300 each, in each one or two words of praise or blame."""
    drawn = random.Random(0)
    return {name: [_sentence(drawn, words) for _ in range(EACH)] for name, words in OPINIONS.items()}


def _sentence(drawn: random.Random, opinions: tuple[str, ...]) -> str:
    (part, second), (word, other) = drawn.sample(PARTS, 2), drawn.sample(opinions, 2)
    choices = {"part": part, "second": second, "word": word, "other": other}
    choices |= {"thing": drawn.choice(THINGS), "filler": drawn.choice(FILLERS)}
    return drawn.choice(FRAMES).format(**choices)
