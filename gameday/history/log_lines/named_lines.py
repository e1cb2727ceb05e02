"""Lines that name their fields: JSON objects, however deep, and `key=value` (logfmt)."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from typing import Any

from gameday.history.log_lines.columns import Column, Hints, role_of_name
from gameday.history.log_lines.content import role_of_content, with_unit
from gameday.history.log_lines.request_lines import RequestLine, line_maker

__all__ = ["Fields", "fields_of_json", "fields_of_logfmt", "named_parser"]

Fields = Callable[[str], dict[str, str] | None]
"""Line -> texts of its fields by (dotted) name; None: it is not of this kind."""
_LOGFMT = re.compile(r'([\w.\-@]+)=(?:"((?:[^"\\]|\\.)*)"|(\S*))')
_FEWEST_FIELDS = 4


def fields_of_json(text: str) -> dict[str, str] | None:
    """Return the fields of a line that is a JSON object, alone or in a list; of a list in it the first entry."""
    plain = text.strip().lstrip("[, ").rstrip(",] ")
    if not plain.startswith("{"):
        return None
    try:
        data = json.loads(plain)
    except ValueError:
        return None
    return dict(_leaves(data)) if isinstance(data, dict) else None


def _leaves(data: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    for key, value in data.items():
        name = f"{prefix}{key}"
        first = value[0] if isinstance(value, list) and value else value
        if isinstance(first, dict):
            yield from _leaves(first, f"{name}.")
        elif first is not None and not isinstance(first, list):
            yield name, first if isinstance(first, str) else json.dumps(first)


def fields_of_logfmt(text: str) -> dict[str, str] | None:
    """Return the fields of a line that holds `key=value` at least four times."""
    found = {key: quoted or plain for key, quoted, plain in _LOGFMT.findall(text)}
    return found if len(found) >= _FEWEST_FIELDS else None


def named_parser(
    fields: Fields,
    samples: list[str],
    hints: Hints,
    *,
    named: dict[str, Column] | None = None,
) -> tuple[Callable[[str], RequestLine | None], list[Column]] | None:
    """Return what reads such lines, and their columns; None where they tell no time or no request.

    `named`: key -> column where a format string says so; else names tell, and content where they do not.
    """
    rows = [row for row in map(fields, samples) if row]
    found = list(named.values()) if named else _columns(rows)
    keys = list(named) if named else [column.name for column in found]
    columns = [hints.applied(column) for column in found]
    make = line_maker(columns, [[row.get(key, "") for key in keys] for row in rows], hints.zone)
    if make is None:
        return None

    def parse(text: str) -> RequestLine | None:
        row = fields(text)
        return None if row is None else make([row.get(key, "") for key in keys])

    return parse, columns


def _columns(rows: list[dict[str, str]]) -> list[Column]:
    """Return the columns of fields that most rows have, the first of each role by name before content."""
    texts: dict[str, list[str]] = {}
    for row in rows:
        for name, text in row.items():
            texts.setdefault(name, []).append(text)
    columns = []
    for name, values in texts.items():
        role, unit_s = role_of_name(name) or ("other", 1.0)
        columns.append(with_unit(Column(name, role, unit_s), values))
    known = {column.role for column in columns}
    for number, column in enumerate(columns):
        found = role_of_content(texts[column.name]) if column.role == "other" else None
        if found is not None and found not in known:
            columns[number] = Column(column.name, found)
            known.add(found)
    return columns
