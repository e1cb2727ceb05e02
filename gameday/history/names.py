"""Columns of a history: which holds what, which names it may hold, and which tells rows apart though unread."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

from gameday.errors import HistoryError
from gameday.scenario.blocks import Columns
from gameday.vocabulary import Array

__all__ = [
    "Label",
    "NamedRows",
    "columns_of",
    "named_rows",
    "require_one_count",
    "usual_columns",
]

_USUAL_NAMES = {
    "time": ("time", "ds", "timestamp", "slot_utc"),
    "count": ("count", "y", "value"),
    "region": ("region",),
    "step": ("step", "team", "service", "series"),
}
"""What the columns of a history are mostly called."""
_LOOK_ALIKES = (
    "region",
    "step",
    "country",
    "market",
    "stack",
    "site",
    "store",
    "service",
    "team",
    "page",
    "event",
    "channel",
    "device",
    "product",
)
"""What columns that tell series apart are mostly called: they are named first."""
_LEAST_ROWS = 24
_UNIQUE = 0.5
"""A column with more values than this share of its rows numbers rows, it does not name series. Ours."""
_MOST_TWICE = 0.1
"""Share of minutes with a second, other count from which on that is no correction but a second series. Ours."""
_MOST_SHOWN = 5


def _folded(word: object) -> str:
    return str(word).strip().casefold()


def usual_columns(table: pd.DataFrame, source: str) -> Columns:
    """Return which columns hold what, told by their names; HistoryError where time or count is not among them."""
    by_name = {_folded(column): str(column) for column in reversed(list(table.columns))}
    found = {
        role: next((by_name[usual] for usual in names if usual in by_name), None)
        for role, names in _USUAL_NAMES.items()
    }
    for role in ("time", "count"):
        if found[role] is None:
            raise HistoryError(
                f"{source}: no column called {' or '.join(_USUAL_NAMES[role])} (has: "
                f"{', '.join(map(str, table.columns))}); rename it, or describe the file in a scenario"
                + _if_wide(table)
            )
    return Columns.model_validate(found)


def columns_of(table: pd.DataFrame, columns: Columns, source: str) -> Columns:
    """Return `columns` with region and step, where they name none, from columns of the file called so.

    HistoryError where one that is named is not there.
    """
    wanted = set(columns.model_dump().values()) - {None}
    if missing := sorted(str(column) for column in wanted - set(table.columns)):
        have = ", ".join(map(str, table.columns))
        raise HistoryError(
            f"{source}: no column {', '.join(missing)}; map it under history.columns (has: {have})"
            + (_if_wide(table) if columns.count in missing else "")
        )
    unused = [column for column in table.columns if column not in wanted]
    found = {
        label: next((column for column in unused if _folded(column) == label), None)
        for label in ("region", "step")
        if getattr(columns, label) is None
    }
    return columns.model_copy(update={label: c for label, c in found.items() if c is not None})


def _if_wide(table: pd.DataFrame) -> str:
    """Return what to do where a table seems to have a column a series; nothing where it does not."""
    numeric = [
        str(column)
        for column in table.columns
        if not pd.api.types.is_datetime64_any_dtype(table[column])
        and pd.to_numeric(table[column], errors="coerce").notna().mean() > 0.5
    ]
    if len(numeric) < 2:
        return ""
    return (
        f"; where {', '.join(numeric[:_MOST_SHOWN])} are series, a column each, write them long: a row a minute "
        "and series, with columns time, region, step, count"
    )


@dataclass(frozen=True, slots=True)
class Label:
    """One of the two labels of a series, its region or its step: where a file has it, and what it may be."""

    kind: Literal["region", "step"]
    column: str | None
    """None: the file has no such column."""
    known: tuple[str, ...] | None
    """The scenario's; None: whatever the file names."""
    default: str
    """The label where neither file nor scenario has one."""

    @property
    def is_only_region(self) -> bool:
        """Whether the scenario has one region alone."""
        return self.kind == "region" and self.known is not None and len(self.known) == 1


@dataclass(frozen=True, slots=True)
class NamedRows:
    """Rows by the name of a region, or of a step."""

    names: tuple[str, ...]
    number: Array
    """Of each row, which of `names` it is, int32."""
    written: pd.Series | None
    """As the file writes it; None where it has no such column."""


def named_rows(
    table: pd.DataFrame, label: Label, counts: pd.Series, *, source: str, notes: list[str]
) -> NamedRows:
    """Return each row's region or step; case and blanks are no matter, and noted.

    HistoryError names unknown ones with their share of `counts`, and a missing column though the scenario has
    several.
    """
    if label.column is None:
        return _unnamed_rows(label, len(table), source)
    written = table[label.column].astype("string").fillna("")
    folded = written.str.strip().str.casefold()
    if label.is_only_region and set(folded) == {"all"}:
        notes.append(f"{label.column}: all rows say 'all': the scenario's only region")
        return _unnamed_rows(label, len(table), source)
    spelling = _spelling(label, written, folded)
    is_unknown = ~folded.isin(list(spelling)) | (folded == "")
    if is_unknown.any():
        raise HistoryError(f"{source}: {_unknown(label, written, is_unknown, counts)}")
    notes.extend(_other_spellings(label, written, folded, spelling))
    names = tuple(sorted(spelling.values())) if label.known is None else label.known
    number = folded.map({key: names.index(name) for key, name in spelling.items()})
    return NamedRows(names, number.to_numpy(np.int32), written)


def _other_spellings(
    label: Label, written: pd.Series, folded: pd.Series, spelling: dict[str, str]
) -> Iterator[str]:
    """Yield how many rows are written otherwise than the name they are read as."""
    is_other = written != folded.map(spelling)
    if is_other.any():
        words = written[is_other].unique()[:_MOST_SHOWN]
        examples = ", ".join(f"'{word}' as {spelling[_folded(word)]}" for word in words)
        yield (
            f"{label.column}: {int(is_other.sum())} rows are written in other ways and read as one: {examples}"
        )


def _unnamed_rows(label: Label, count: int, source: str) -> NamedRows:
    """Return `count` rows of the only region, or step, there is; HistoryError where there are several."""
    if label.known is not None and len(label.known) != 1:
        raise HistoryError(
            f"{source}: the scenario has {len(label.known)} {label.kind}s; name the file's column under "
            f"history.columns.{label.kind}"
        )
    return NamedRows(label.known or (label.default,), np.zeros(count, np.int32), None)


def _spelling(label: Label, written: pd.Series, folded: pd.Series) -> dict[str, str]:
    """Return folded word -> the scenario's name; without a scenario, how it is mostly written, blanks cut."""
    if label.known is not None:
        return {_folded(name): name for name in label.known}
    rows = pd.DataFrame({"folded": folded, "written": written.str.strip()})
    counts = rows.value_counts(["folded", "written"])  # the most frequent first
    return {key: word for key, word in reversed(list(counts.index)) if key}


def _largest(shares: pd.Series) -> str:
    """Return the first of some labels with their shares, and how many more there are."""
    shown = ", ".join(f"'{word}' {share:.1%}" for word, share in shares[:_MOST_SHOWN].items())
    return shown + (f" and {len(shares) - _MOST_SHOWN} more" if len(shares) > _MOST_SHOWN else "")


def _unknown(label: Label, written: pd.Series, is_unknown: pd.Series, counts: pd.Series) -> str:
    """Return what to say of rows with an unknown label: the first one, and their shares of all counts."""
    row, kind = int(np.flatnonzero(is_unknown.to_numpy())[0]), label.kind
    sums = counts[is_unknown].groupby(written[is_unknown]).sum().sort_values(ascending=False)
    shares = sums / (float(counts.sum()) or 1.0)
    is_given = bool(written.iloc[row].strip())
    fault = f"unknown {kind} '{written.iloc[row]}'" if is_given else f"no {kind} is given"
    has = f"; the scenario has {', '.join(label.known)}" if label.known else ""
    return (
        f"row {row + 1}: {label.column}: {fault}{has}. Of all counts: {_largest(shares)}, in "
        f"{int(is_unknown.sum())} of {len(written)} rows. Rename them, add them to the scenario, or leave the "
        f"rows out of the file; where the column names no {kind}s, rename it, or name another under "
        f"history.columns.{kind}"
    )


def require_one_count(table: pd.DataFrame, keys: pd.DataFrame, used: Columns, source: str) -> None:
    """Raise HistoryError where rows of one series and instant are told apart by a column that nothing reads.

    `keys` holds each row's series and instant, and its region and step as written. Where nothing tells them apart,
    but a tenth of all minutes has two counts, they are two series all the same.
    """
    is_twice = keys.duplicated(["series", "instant"], keep=False)
    if not is_twice.any():
        return
    groups = keys.loc[is_twice, ["series", "instant"]]
    unread = _unread(table, keys, used)[is_twice]
    telling = [str(c) for c in unread.columns if _tells_apart(unread[c], groups)]
    if telling:
        column = min(telling, key=lambda c: (_rank(c), unread[c].nunique()))
        values = unread[column].astype("string").fillna("").unique()[:_MOST_SHOWN]
        raise HistoryError(
            f"{source}: {int(is_twice.sum())} of {len(table)} rows share their minute and series with another "
            f"row: column '{column}' tells them apart ({', '.join(map(str, values))}) and nothing reads it. Name "
            "it under history.columns.region or history.columns.step, or sum over it, a row a minute and series; "
            "where it names no series, leave it out of the file, and the last row counts"
        )
    rows = pd.DataFrame({"count": table[used.count][is_twice].astype("string")}).join(groups)
    again = rows.drop_duplicates().duplicated(["series", "instant"]).sum()
    if again >= _LEAST_ROWS and again > _MOST_TWICE * len(keys.drop_duplicates()):
        raise HistoryError(
            f"{source}: {again} minutes have two counts or more and no column tells why: several series "
            "in one file? Add a column that names them, or write a row a minute and series"
        )


def _unread(table: pd.DataFrame, keys: pd.DataFrame, used: Columns) -> pd.DataFrame:
    """Return the columns that nothing reads and that may name series, and the labels as they are written."""
    read = set(used.model_dump().values())
    names = [c for c in table.columns if c not in read and not _numbers_rows(table[c])]
    written = {f"{label} as written": keys[label] for label in ("region", "step")}
    return table[names].assign(**written)


def _rank(column: str) -> int:
    word = column.split(" ")[0].casefold()
    return _LOOK_ALIKES.index(word) if word in _LOOK_ALIKES else len(_LOOK_ALIKES)


def _numbers_rows(column: pd.Series) -> bool:
    """Return whether nearly every row has a value of its own: a key, or a time at which it was written."""
    return len(column) >= _LEAST_ROWS and column.nunique() > _UNIQUE * len(column)


def _tells_apart(column: pd.Series, groups: pd.DataFrame) -> bool:
    """Return whether a column names something that differs between rows of one series and instant."""
    numbers = pd.to_numeric(column, errors="coerce")
    if numbers.notna().any() and (numbers.dropna() % 1 != 0).any():
        return False  # a measure
    words = column.astype("string").fillna("")
    rows = groups.assign(word=words.to_numpy()).drop_duplicates()
    return bool(rows.duplicated(["series", "instant"]).any())
