"""Which column names a series, which name is whose, and what tells rows apart though nothing reads it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from gameday.errors import HistoryError
from gameday.scenario.blocks import Columns
from gameday.vocabulary import Array

__all__ = ["NamedRows", "columns_of", "named_rows", "require_one_count", "usual_columns"]

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


def usual_columns(table: pd.DataFrame, name: str) -> Columns:
    """Return which columns hold what, told by their names; HistoryError where time or count is not among them."""
    by_name = {_folded(column): str(column) for column in reversed(list(table.columns))}
    named = {
        what: next((by_name[usual] for usual in names if usual in by_name), None)
        for what, names in _USUAL_NAMES.items()
    }
    for what in ("time", "count"):
        if named[what] is None:
            raise HistoryError(
                f"{name}: no column called {' or '.join(_USUAL_NAMES[what])} (has: "
                f"{', '.join(map(str, table.columns))}); rename it, or describe the file in a scenario"
                + _if_wide(table)
            )
    return Columns.model_validate(named)


def columns_of(table: pd.DataFrame, columns: Columns, name: str) -> Columns:
    """Return `columns` with region and step, where they name none, from columns of the file called so.

    HistoryError where one that is named is not there.
    """
    wanted = set(columns.model_dump().values()) - {None}
    if missing := sorted(str(column) for column in wanted - set(table.columns)):
        have = ", ".join(map(str, table.columns))
        raise HistoryError(
            f"{name}: no column {', '.join(missing)}; map it under history.columns (has: {have})"
            + (_if_wide(table) if columns.count in missing else "")
        )
    found = {
        what: next((c for c in table.columns if _folded(c) == what and c not in wanted), None)
        for what in ("region", "step")
        if getattr(columns, what) is None
    }
    return columns.model_copy(update={what: c for what, c in found.items() if c is not None})


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
class NamedRows:
    """Rows by the name of a region, or of a step."""

    names: tuple[str, ...]
    number: Array
    """Of each row, which of `names` it is, int32."""
    written: pd.Series | None
    """As the file writes it; None where it has no such column."""


def named_rows(
    table: pd.DataFrame,
    column: str | None,
    known: tuple[str, ...] | None,
    what: str,
    *,
    of: str,
    counts: pd.Series,
    alone: str,
    notes: list[str],
) -> NamedRows:
    """Return each row's region or step; case and blanks are no matter, and said.

    `known` are the scenario's; None: those of the file. HistoryError names unknown ones with their share of the
    counts, and a column that lacks though the scenario has several.
    """
    if column is None:
        if known is not None and len(known) != 1:
            raise HistoryError(
                f"{of}: the scenario has {len(known)} {what}s; name the file's column under "
                f"history.columns.{what}"
            )
        return NamedRows(known or (alone,), np.zeros(len(table), np.int32), None)
    written = table[column].astype("string").fillna("")
    folded = written.str.strip().str.casefold()
    spelt = (
        _spellings(written, folded) if known is None else {_folded(word): word for word in known}
    )
    is_unknown = ~folded.isin(list(spelt)) | (folded == "")
    if is_unknown.any():
        _refuse_unknown(written, is_unknown, column, known, what, of, counts)
    names = tuple(sorted(spelt.values())) if known is None else known
    number = folded.map({key: names.index(word) for key, word in spelt.items()})
    other = written != folded.map(spelt)
    if other.any():
        examples = ", ".join(
            f"'{w}' as {spelt[_folded(w)]}" for w in written[other].unique()[:_MOST_SHOWN]
        )
        notes.append(
            f"{column}: {int(other.sum())} rows are written in other ways and read as one: {examples}"
        )
    return NamedRows(names, number.to_numpy(np.int32), written)


def _spellings(written: pd.Series, folded: pd.Series) -> dict[str, str]:
    """Return folded word -> how it is mostly written, without blanks around it."""
    rows = pd.DataFrame({"folded": folded, "written": written.str.strip()})
    counts = rows.value_counts(["folded", "written"])  # the most frequent first
    return {key: word for key, word in reversed(list(counts.index)) if key}


def _refuse_unknown(
    written: pd.Series,
    is_unknown: pd.Series,
    column: str,
    known: tuple[str, ...] | None,
    what: str,
    of: str,
    counts: pd.Series,
) -> None:
    row = int(np.flatnonzero(is_unknown.to_numpy())[0])
    total = float(counts.sum()) or 1.0
    shares = counts[is_unknown].groupby(written[is_unknown]).sum().sort_values(ascending=False)
    shown = ", ".join(
        f"'{word}' {count / total:.1%}" for word, count in shares[:_MOST_SHOWN].items()
    )
    more = f" and {len(shares) - _MOST_SHOWN} more" if len(shares) > _MOST_SHOWN else ""
    first = written.iloc[row].strip()
    said = f"unknown {what} '{written.iloc[row]}'" if first else f"no {what} is given"
    has = f"; the scenario has {', '.join(known)}" if known else ""
    raise HistoryError(
        f"{of}: row {row + 1}: {column}: {said}{has}. Of all counts: {shown}{more}, in {int(is_unknown.sum())} "
        f"of {len(written)} rows. Rename them, add them to the scenario, or leave the rows out of the file; where "
        f"the column names no {what}s, rename it, or name another under history.columns.{what}"
    )


def require_one_count(table: pd.DataFrame, keys: pd.DataFrame, used: Columns, of: str) -> None:
    """Raise HistoryError where rows of one series and instant are told apart by a column that nothing reads.

    `keys` holds each row's series and instant, and its region and step as written. Where nothing tells them apart,
    but a tenth of all minutes has two counts, they are two series all the same.
    """
    is_twice = keys.duplicated(["series", "instant"], keep=False)
    if not is_twice.any():
        return
    read = set(used.model_dump().values())
    names = [c for c in table.columns if c not in read and not _numbers_rows(table[c])]
    others = table[names][is_twice]
    others = others.assign(
        **{f"{what} as written": keys.loc[is_twice, what] for what in ("region", "step")}
    )
    groups = keys.loc[is_twice, ["series", "instant"]]
    telling = [str(c) for c in others.columns if _tells_apart(others[c], groups)]
    if telling:
        best = min(telling, key=lambda c: (_rank(c), others[c].nunique()))
        values = ", ".join(
            map(str, others[best].astype("string").fillna("").unique()[:_MOST_SHOWN])
        )
        raise HistoryError(
            f"{of}: {int(is_twice.sum())} of {len(table)} rows share their minute and series with another row: "
            f"column '{best}' tells them apart ({values}) and nothing reads it. Name it under "
            "history.columns.region or history.columns.step, or sum over it, a row a minute and series; where it "
            "names no series, leave it out of the file, and the last row counts"
        )
    rows = pd.DataFrame({"count": table[used.count][is_twice].astype("string")}).join(groups)
    others_than_first = rows.drop_duplicates().duplicated(["series", "instant"]).sum()
    if others_than_first >= _LEAST_ROWS and others_than_first > _MOST_TWICE * len(
        keys.drop_duplicates()
    ):
        raise HistoryError(
            f"{of}: {others_than_first} minutes have two counts or more and no column tells why: several series "
            "in one file? Add a column that names them, or write a row a minute and series"
        )


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
