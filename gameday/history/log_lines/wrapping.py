"""What container engines and syslog put around a line of a log."""

from __future__ import annotations

import json
import re
from collections.abc import Callable

__all__ = ["Unwrap", "unwrapping"]

Unwrap = Callable[[str], str]
"""Line -> the line inside it; the line itself where there is none."""
_PREFIXES = (
    re.compile(r"\d{4}-\d\d-\d\dT\S+ (?:stdout|stderr) [FP] "),  # CRI
    re.compile(r"<\d{1,3}>1 \S+ \S+ \S+ \S+ \S+ (?:-|\[.*?\]) "),  # syslog, RFC 5424
    re.compile(
        r"(?:<\d{1,3}>)?[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d \S+ [\w./-]+(?:\[\d+\])?: "
    ),  # RFC 3164
    re.compile(r"[\w.-]+\s+\| "),  # docker compose
)
_MOST = 0.8
"""Share of the first lines that are wrapped alike."""


def unwrapping(lines: list[str]) -> Unwrap:
    """Return what takes lines out of what is around them; `str` where nothing is."""
    for prefix in _PREFIXES:
        if sum(prefix.match(line) is not None for line in lines) >= _MOST * max(1, len(lines)):
            return lambda text, prefix=prefix: prefix.sub("", text, count=1)  # type: ignore[misc]
    if sum(_docker(line) is not None for line in lines) >= _MOST * max(1, len(lines)):
        return lambda text: _docker(text) or text
    return str


def _docker(text: str) -> str | None:
    """Return the line in an object of Docker's json-file driver; None where it is none."""
    if '"log"' not in text:
        return None
    try:
        data = json.loads(text)
    except ValueError:
        return None
    inner = data.get("log") if isinstance(data, dict) and "stream" in data else None
    return inner.rstrip("\n") if isinstance(inner, str) else None
