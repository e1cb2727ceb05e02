"""Rows whose values are objects or lists, as columns of plain values with dotted names."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["flat_table", "leaves"]


def leaves(row: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the plain values of a row by name: `a.b` of objects in it, `a.KEY` of lists of keys and values.

    Of any other list the first entry counts: an order of several articles tells its first.
    """
    for name, value in row.items():
        if isinstance(value, Mapping):
            yield from leaves(value, f"{prefix}{name}.")
        elif _is_list(value):
            yield from _of_list(list(value), f"{prefix}{name}")
        else:
            yield f"{prefix}{name}", value


def _is_list(value: Any) -> bool:
    return isinstance(value, Iterable) and not isinstance(value, str | bytes | Mapping)


def _of_list(entries: list[Any], name: str) -> Iterator[tuple[str, Any]]:
    if not entries:
        return
    if all(isinstance(entry, Mapping) and "key" in entry for entry in entries):
        for entry in entries:
            yield f"{name}.{entry['key']}", _told(entry.get("value"))
    elif isinstance(entries[0], Mapping):
        yield from leaves(entries[0], f"{name}.")
    else:
        yield name, entries[0]


def _told(value: Any) -> Any:
    """Return the value of a key: the one of its typed fields that is filled, as BigQuery writes them."""
    if isinstance(value, Mapping):
        return next((told for told in value.values() if told is not None), None)
    return value


def flat_table(table: pd.DataFrame) -> pd.DataFrame:
    """Return a table without objects and lists; one that has none is returned as it is."""
    import pandas as pd  # heavy: help texts name the formats without it

    objects = [name for name in table.columns if table[name].dtype == object]
    nested = [name for name in objects if _has_nested(table[name])]
    if not nested:
        return table
    rows = [dict(leaves(row)) for row in table[nested].to_dict("records")]
    flat = pd.DataFrame(rows, index=table.index)
    return pd.concat([table.drop(columns=nested), flat], axis=1)


def _has_nested(column: pd.Series) -> bool:
    first = next((value for value in column if value is not None), None)
    return isinstance(first, Mapping) or (first is not None and _is_list(first))
