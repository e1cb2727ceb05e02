"""Lines of text: the pieces of a layout as one regular expression, and what it finds as a request."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from urllib.parse import unquote

from gameday.history.log_lines.columns import Column, Hints
from gameday.history.log_lines.format_strings import Pieces
from gameday.history.log_lines.request_lines import RequestLine, line_maker

__all__ = ["line_pattern", "text_parser"]

_QUOTED = r'[^"\\]*+(?:\\.[^"\\]*+)*+'
_LIST = r"[^\s,\"|]*+(?:(?:, ?| : )[^\s,\"|]++)*+"
_SKIPPED = frozenset(("other", "host", "unitless"))


def line_pattern(pieces: Pieces, *, open_end: bool) -> tuple[re.Pattern[str], list[Column]]:
    """Return the pattern of a line, and the columns of its groups; `open_end`: more may follow what is known."""
    parts, columns = [], list[Column]()
    last = max(n for n, piece in enumerate(pieces) if isinstance(piece, Column))
    for number, piece in enumerate(pieces):
        if isinstance(piece, str):
            parts.append(_literal(piece))
            continue
        before = pieces[number - 1] if number else ""
        after = pieces[number + 1] if number + 1 < len(pieces) else ""
        inner = _inner(piece, before, after, is_last=number == last)
        if piece.role in _SKIPPED:
            parts.append(f"(?:{inner})")
        else:
            parts.append(f"({inner})")
            columns.append(piece)
    return re.compile("".join(parts) + (r".*" if open_end else r"\s*$")), columns


def _literal(text: str) -> str:
    """Return the pattern of literal text: as many blanks as there are."""
    return re.sub(r"(?:\\ |\\\t)+", r"[ \\t]+", re.escape(text))


def _inner(column: Column, before: str | Column, after: str | Column, *, is_last: bool) -> str:
    """Return the pattern of a column between these pieces."""
    ahead = after if isinstance(after, str) else ""
    if ahead.startswith('"') and isinstance(before, str) and before.endswith('"'):
        return _QUOTED
    if ahead.startswith(("]", "}")):
        return rf"[^\{ahead[0]}]*+"
    if column.role == "time" and not ahead.startswith(("|", ",", ";")):
        return r"\d{4}-\d\d-\d\d[ T]\S++|\d\d/\w{3}/\d{4}:\S++(?: [+-]\d{4})?|[\d.]++"
    if column.role in ("addresses", "upstream_time"):
        return _LIST
    if not ahead:
        return r".*?" if column.role == "agent" and is_last else r"\S*+"
    if ahead[0] in " \t":
        return r".*?" if column.name in ("remote_user", "%u") else r"\S*+"
    return f"[^{re.escape(ahead[0])}]*+"


def text_parser(
    pieces: Pieces, samples: list[str], hints: Hints, *, open_end: bool, escaped: str = ""
) -> Callable[[str], RequestLine | None] | None:
    """Return what reads lines of these pieces; None where their time cannot be read in the samples.

    `escaped`: how text is written without blanks, `+` (IIS) or `%` (CloudFront).
    """
    pieces = [piece if isinstance(piece, str) else hints.applied(piece) for piece in pieces]
    pattern, columns = line_pattern(pieces, open_end=open_end)
    found = [match for match in map(pattern.match, samples) if match is not None]
    plain = _unescaped(escaped)
    make = line_maker(
        columns, [[plain(text) for text in match.groups()] for match in found], hints.zone
    )
    if make is None:
        return None
    match = pattern.match
    if escaped:
        return lambda text: (
            None if (m := match(text)) is None else make([plain(g) for g in m.groups()])
        )
    return lambda text: None if (m := match(text)) is None else make(m.groups())


def _unescaped(escaped: str) -> Callable[[str], str]:
    """Return what reads text in which blanks are escaped."""
    if escaped == "+":
        return lambda text: (
            text.replace("+", " ") if "/" in text and not text.startswith("/") else text
        )

    @lru_cache(maxsize=100_000)
    def unquoted(text: str) -> str:
        """Blanks are written `%20`, and that is escaped again in CloudFront's older logs."""
        return text if text.startswith("/") else unquote(text.replace("%25", "%"))

    return unquoted if escaped == "%" else lambda text: text
