"""The space of a sweep: which settings are searched, between which bounds, read from the command line.

learning_rate=log(1e-5,1e-2)  dropout=uniform(0,0.5)  batch_size=[64,128]  hidden=int(32,256,32)  units=intlog(8,512)
"""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from foundations.errors import InputError, require, require_choice
from labs.kit.config import Config, check

if TYPE_CHECKING:
    import optuna

Kind = Literal["uniform", "log", "int", "intlog", "choice"]
HOW = "a range such as log(1e-5,1e-2), uniform(0,0.5), int(1,8), intlog(16,512), or a list such as [64,128]"
RANGE = re.compile(r"([a-z]*)\s*\(\s*([^(),]+?)\s*,\s*([^(),]+?)\s*(?:,\s*([^(),]+?)\s*)?\)")
WORDS = {"true": True, "false": False, "none": None, "null": None}
BETWEEN = 0.381966
"""A share of a range at which a value is a whole number by chance only: does the setting take fractions?"""


@dataclass(frozen=True)
class Dimension:
    """One setting that is searched: a range `low` to `high`, both included, or `choices`."""

    name: str
    kind: Kind
    low: float = 0.0
    high: float = 0.0
    step: int = 1
    choices: tuple[Any, ...] = ()

    @property
    def log(self) -> bool:
        """Whether equal ratios, not equal differences, are equally likely."""
        return self.kind in ("log", "intlog")

    @property
    def whole(self) -> bool:
        """Whether its values are whole numbers."""
        return self.kind in ("int", "intlog")

    def __str__(self) -> str:
        """As the command line takes it."""
        if self.kind == "choice":
            return f"{self.name}=[{','.join(map(_text, self.choices))}]"
        last = f",{self.step}" if self.step != 1 else ""
        low, high = (int(end) if self.whole or end.is_integer() else end for end in (self.low, self.high))
        return f"{self.name}={self.kind}({low!r},{high!r}{last})"

    def suggest(self, trial: optuna.Trial) -> Any:
        """The value that the study's sampler wants to see tried."""
        if self.kind == "choice":
            return self.value(trial.suggest_categorical(self.name, [category(each) for each in self.choices]))
        if self.whole:
            return trial.suggest_int(self.name, int(self.low), int(self.high), step=self.step, log=self.log)
        return trial.suggest_float(self.name, self.low, self.high, log=self.log)

    def value(self, kept: Any) -> Any:
        """The setting's value for what a trial's `params` hold: the same, but for lists, kept as their text."""
        return next((each for each in self.choices if isinstance(each, list) and _text(each) == kept), kept)

    def grid(self, points: int) -> list[Any]:
        """Its choices, or `points` values at equal distances (of the logarithm where it is `log`), both ends included.

        Fewer where there are not so many whole numbers.
        """
        if self.kind == "choice":
            return list(self.choices)
        shares = [place / (points - 1) for place in range(points)] if points > 1 else [0.5]
        if self.log:
            values = [self.low * (self.high / self.low) ** share for share in shares]
        else:
            values = [self.low + (self.high - self.low) * share for share in shares]
        if not self.whole:
            return [min(max(value, self.low), self.high) for value in values]
        steps = [round((value - self.low) / self.step) for value in values]
        return sorted({int(self.low) + self.step * each for each in steps if self.low + self.step * each <= self.high})


class Space(Mapping[str, Dimension]):
    """The settings that are searched, in the order in which they were given."""

    def __init__(self, dimensions: Sequence[Dimension]) -> None:
        self._dimensions = {each.name: each for each in dimensions}

    def __getitem__(self, name: str) -> Dimension:
        return self._dimensions[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._dimensions)

    def __len__(self) -> int:
        return len(self._dimensions)

    @property
    def texts(self) -> tuple[str, ...]:
        """As the command line takes it, each range written in one way."""
        return tuple(map(str, self.values()))

    def suggest(self, trial: optuna.Trial) -> dict[str, Any]:
        """A value of each setting, from the study's sampler."""
        return {name: each.suggest(trial) for name, each in self.items()}

    def values_of(self, params: Mapping[str, Any]) -> dict[str, Any]:
        """The settings of a trial that had these `params`, in the order of the space."""
        return {name: each.value(params[name]) for name, each in self.items() if name in params}

    def grid(self, points: int) -> dict[str, list[Any]]:
        """What a grid tries of each setting, with `points` values of each range."""
        return {name: each.grid(points) for name, each in self.items()}

    def size(self, points: int) -> int:
        """Trials of that grid."""
        return math.prod(map(len, self.grid(points).values()))

    def largest_grid(self, most: int) -> int:
        """Points of each range in the largest grid of at most `most` trials. Raises: InputError if there is none."""
        points = 1 if all(each.kind == "choice" for each in self.values()) else 2
        least = self.size(points)
        require(least <= most, "trials", most, f"at least {least}, the smallest grid of this space")
        while points < most and self.size(points + 1) <= most:
            points += 1
        return points


def parse(texts: Sequence[str], config_type: type[Config]) -> Space:
    """The space that words like `learning_rate=log(1e-5,1e-2)` name; each bound and choice fits its setting.

    Raises: InputError naming the first word that cannot be read, or a setting or a value that the lab does not take.
    """
    require(bool(texts), "space", list(texts), "at least one setting with its range, as learning_rate=log(1e-5,1e-2)")
    dimensions = [_dimension(text) for text in texts]
    common = {field.name for field in dataclasses.fields(Config)}
    own = [field.name for field in dataclasses.fields(config_type) if field.name not in common]
    seen: set[str] = set()
    for each in dimensions:
        if each.name in common:
            raise InputError(f"space {each.name}: is no setting to search; search the lab's own: {', '.join(own)}")
        require_choice("space setting", each.name, own)
        require(each.name not in seen, "space", each.name, "given once")
        seen.add(each.name)
        _fit(each, config_type)
    return Space(dimensions)


def _dimension(text: str) -> Dimension:
    name, separator, rest = text.partition("=")
    name, rest = name.strip().replace("-", "_"), rest.strip()
    require(bool(separator and name and rest), "space", text, f"NAME={HOW}; mind the quotes in a shell")
    if rest.startswith("[") and rest.endswith("]"):
        choices = tuple(map(_value, _split(rest[1:-1])))
        distinct = len({_text(each) for each in choices}) == len(choices)
        require(len(choices) >= 2 and distinct, "space", text, "a list of at least two values that differ")
        return Dimension(name, "choice", choices=choices)
    match = RANGE.fullmatch(rest)
    if match is None:
        raise InputError(f"space {text!r}: must be NAME={HOW}")
    kind, low, high, step = match[1] or "uniform", *(_value(part or "1") for part in match.groups()[1:])
    require_choice("space kind", kind, ("uniform", "log", "int", "intlog"))
    return _range(text, name, kind, low, high, step, stepped=match[4] is not None)


def _range(text: str, name: str, kind: Any, low: Any, high: Any, step: Any, *, stepped: bool) -> Dimension:
    """A range whose ends are in order and suit its kind."""
    numbers = all(type(each) in (int, float) and math.isfinite(each) for each in (low, high, step))
    require(numbers, "space", text, "a range between two numbers")
    require(low < high, "space", text, "a range whose first end is below the second")
    require(low > 0 or "log" not in kind, "space", text, "a range above 0, as a logarithm is taken")
    require(not stepped or kind == "int", "space", text, "int(low,high,step) where there is a step")
    if "int" in kind:
        whole = all(float(each).is_integer() for each in (low, high, step))
        require(whole and step >= 1, "space", text, "a range of whole numbers")
    return Dimension(name, kind, float(low), float(high), int(step))


def _fit(dimension: Dimension, config_type: type[Config]) -> None:
    """Raise InputError unless the lab takes the range's ends, or each choice."""
    values = list(dimension.choices) or [dimension.low, dimension.high]
    if dimension.whole:
        values = [int(value) for value in values]
    elif not dimension.choices:
        values.append(dimension.low + BETWEEN * (dimension.high - dimension.low))
    for value in values:
        try:
            check(config_type, {dimension.name: value})
        except InputError as error:
            hint = "; for whole numbers write int(low,high) or intlog(low,high)" if "integer" in str(error) else ""
            raise InputError(f"space {dimension}: does not fit the setting: {error}{hint}") from None


def _split(text: str) -> list[str]:
    """The parts of `text` between the commas that are in no brackets."""
    parts, depth = [""], 0
    for letter in text:
        depth += {"[": 1, "]": -1}.get(letter, 0)
        if letter == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += letter
    return [part.strip() for part in parts if part.strip()]


def _value(text: str) -> Any:
    """A number, true, false, none, a list in brackets, or the word as it is."""
    if text.startswith("[") and text.endswith("]"):
        return [_value(part) for part in _split(text[1:-1])]
    if text.lower() in WORDS:
        return WORDS[text.lower()]
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            pass
    return text.strip("'\"")


def _text(value: Any) -> str:
    """A choice as the command line takes it."""
    if isinstance(value, list):
        return f"[{','.join(map(_text, value))}]"
    return next((word for word, each in WORDS.items() if each is value), str(value))


def category(value: Any) -> Any:
    """A choice as the study keeps it: a list as its text."""
    return _text(value) if isinstance(value, list) else value
