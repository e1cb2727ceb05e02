"""Headers of requests, and the secrets of them that stand in a file or in the environment.

`Bearer ${env:NAME}` takes an environment variable, `Bearer ${file:PATH}` the text of a file, without line ends, as
in a collector of OpenTelemetry.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

from pydantic import Field

__all__ = ["HeaderName", "HeaderValue", "filled_headers", "parse_header"]

_HOLE = re.compile(r"\$\{(env|file):([^}]+)\}")
_NAME = r"^[!#$%&'*+.^_`|~0-9A-Za-z-]+$"
_ONE_LINE = r"^[^\x00-\x08\x0a-\x1f\x7f]*$"

HeaderName = Annotated[str, Field(pattern=_NAME)]
HeaderValue = Annotated[str, Field(pattern=_ONE_LINE)]
"""One line."""


def parse_header(text: str) -> tuple[str, str]:
    """Return name and value of `NAME: VALUE`; ValueError where it is none."""
    name, colon, value = text.partition(":")
    if not colon or re.match(_NAME, name.strip()) is None or re.match(_ONE_LINE, value) is None:
        raise ValueError("must read 'NAME: VALUE', as in 'Authorization: Bearer ${env:TOKEN}'")
    return name.strip(), value.strip()


def filled_headers(headers: Mapping[str, str], folder: Path = Path()) -> dict[str, str]:
    """Return headers with what stands in files and in the environment filled in.

    Paths are taken from `folder`. ValueError names the variable that is not set, or the file that cannot be read.
    """
    return {name: _HOLE.sub(lambda hole: _text(hole, folder), v) for name, v in headers.items()}


def _text(hole: re.Match[str], folder: Path) -> str:
    kind, name = hole.groups()
    if kind == "env":
        if name not in os.environ:
            raise ValueError(f"the environment variable {name} is not set")
        return os.environ[name].strip()
    try:
        return (folder / Path(name).expanduser()).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "is not UTF-8 text"
        raise ValueError(f"{name} cannot be read ({reason})") from None
