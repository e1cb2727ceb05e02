"""The verbs for Python: as the command's, but an error names the argument where the command names a flag."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

from gameday.errors import GamedayError

__all__ = ["in_python_words"]

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


def in_python_words(verb: Callable[P, T]) -> Callable[P, T]:
    """Return a verb whose errors speak of its arguments where the command's speak of flags."""

    @wraps(verb)
    def call(*args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return verb(*args, **kwargs)
        except GamedayError as error:
            error.args = tuple(_FLAG.sub(_argument, str(part)) for part in error.args)
            raise

    return call


def _argument(found: re.Match[str]) -> str:
    quoted, flag = found.groups()
    return str(quoted or _ARGUMENTS.get(flag, flag.replace("-", "_")))
