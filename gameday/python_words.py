"""The verbs for Python: what they are given is checked, and errors name arguments, not flags."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from functools import cache, wraps
from pathlib import Path
from typing import ParamSpec, TypeVar

from gameday.errors import GamedayError, ScenarioError, UsageError
from gameday.vocabulary import Seed

__all__ = ["check_number", "check_targets", "in_python_words", "path_of", "seed_of", "texts_of"]

P = ParamSpec("P")
T = TypeVar("T")
_FLAG = re.compile(r"(`[^`]*`)|(?<![\w-])--([a-z][a-z0-9-]*[a-z0-9])")
"""A quoted command, which stays as it is, or a flag."""
_ARGUMENTS = {
    "target": "targets",
    "duration": "speed",
    "budget": "budget_s",
    "allow-conversion-drift": "drift",
}
"""Flags whose argument in Python is not called as they are."""


@cache  # one a verb: it is the same whenever it is asked for
def in_python_words(verb: Callable[P, T]) -> Callable[P, T]:
    """Return a verb whose errors speak of its arguments where the command's speak of flags."""

    @wraps(verb)
    def call(*args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return verb(*args, **kwargs)
        except GamedayError as error:
            error.args = tuple(_FLAG.sub(_argument, str(part)) for part in error.args)
            if isinstance(error, ScenarioError):
                error.faults = [_FLAG.sub(_argument, fault) for fault in error.faults]
            raise

    call.__module__, call.__qualname__ = "gameday", verb.__name__
    return call


def _argument(found: re.Match[str]) -> str:
    quoted, flag = found.groups()
    return str(quoted or _ARGUMENTS.get(flag, flag.replace("-", "_")))


def check_number(
    flag: str,
    value: object,
    *,
    least: float,
    most: float = math.inf,
    is_open: bool = False,
    is_whole: bool = False,
) -> None:
    """Raise UsageError unless a value is None, or a number from `least` to `most`.

    `is_open`: the bounds themselves are not allowed; `is_whole`: it must be an int.
    """
    if value is None:
        return
    if isinstance(value, int if is_whole else (int, float)) and not isinstance(value, bool):
        number = float(str(value))
        if (least < number < most) if is_open else (least <= number <= most):
            return
    what = "a whole number" if is_whole else "a number"
    bounds = f"above {least:g}" if is_open else f"of at least {least:g}"
    upto = "" if math.isinf(most) else f" and {'below' if is_open else 'at most'} {most:g}"
    raise UsageError(f"{flag}: must be {what} {bounds}{upto} (got {value!r})")


def seed_of(number: object) -> Seed:
    """Return the seed of a whole number from 0 on."""
    check_number("--seed", number, least=0, is_whole=True)
    assert isinstance(number, int)
    return Seed(number)


def texts_of(flag: str, given: object) -> tuple[str, ...]:
    """Return texts given one by one or as several."""
    if isinstance(given, str):
        return (given,)
    if isinstance(given, Sequence) and all(isinstance(text, str) for text in given):
        return tuple(given)
    raise UsageError(f"{flag}: must be a text, or several (got {given!r})")


def path_of(flag: str, given: object) -> Path:
    """Return a path given as text or as one."""
    if isinstance(given, str | Path):
        return Path(given)
    raise UsageError(f"{flag}: must be a path (got {given!r})")


def check_targets(targets: object) -> None:
    """Raise UsageError unless targets are None or stack -> URL."""
    if targets is not None and not isinstance(targets, Mapping):
        raise UsageError(f"--target: must be stack -> URL, such as {{'us': URL}} (got {targets!r})")
