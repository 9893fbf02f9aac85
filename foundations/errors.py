"""The one error for bad input: what was given, what is allowed, how to mend it."""

from collections.abc import Iterable
from difflib import get_close_matches


class InputError(ValueError):
    """Bad input from a user. Its message is one line that a newcomer can act on.

    Labs print it and exit with status 2; library users catch it as a `ValueError`.
    """


def require(condition: bool, name: str, value: object, allowed: str) -> None:
    """Raise `InputError("name=value: must be allowed")` unless `condition` holds."""
    if not condition:
        raise InputError(f"{name}={value!r}: must be {allowed}")


def require_choice(name: str, value: str, choices: Iterable[str]) -> None:
    """Raise `InputError` with the nearest allowed name unless `value` is one of `choices`."""
    allowed = sorted(choices)
    if value not in allowed:
        near = get_close_matches(value, allowed, n=1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        raise InputError(f"{name}={value!r}: must be one of {', '.join(allowed)}{hint}")
