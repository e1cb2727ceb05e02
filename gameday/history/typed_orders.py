"""Orders by product type: lines of orders, or typed clicks of which the purchases count, as counts a minute."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from gameday.errors import HistoryError
from gameday.history.history import History
from gameday.history.instants import parsed_times, require_times
from gameday.history.readers import reader_of
from gameday.history.repair import Wanted, counts_from_table
from gameday.scenario import did_you_mean
from gameday.scenario.blocks import Columns

if TYPE_CHECKING:
    from gameday.scenario import Scenario

__all__ = ["read_typed_orders"]

_TIMES = ("time", "timestamp", "ds", "event_time", "ordered_at", "created_at", "datetime", "date")
_TYPES = ("type", "product_type", "category", "category_code", "product_category", "product")
_REGIONS = ("region", "country", "market")
_UNITS = ("quantity", "units", "qty", "items", "count")
_EVENTS = ("event", "event_type", "event_name")
_BOUGHT = ("purchase", "order", "checkout", "buy", "transaction", "sale", "bought", "ordered")
"""What columns are mostly called, and events in which something is bought."""
_MOST_SHOWN = 5


def read_typed_orders(file: Path, scenario: Scenario, type_column: str | None = None) -> History:
    """Return units ordered a minute by region and product type; its axis `step` is the types.

    `type_column`: which column tells types; None: told by its name. Types of a scenario with products are those;
    rows of others are left out, and said. HistoryError where columns are not told, or no row is left.
    """
    if not file.is_file():
        raise HistoryError(f"{file}: no such file; check --orders")
    table, notes = reader_of(file).read_table(file), list[str]()
    if table.empty:
        raise HistoryError(f"{file}: has no rows; give it a row an order line")
    rows = _bought(_rows(table, file, scenario, type_column), table, file, notes)
    summed = _by_the_minute(_of_products(rows, scenario, file, notes))
    found = counts_from_table(summed, _wanted(scenario), str(file))
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    kept = tuple(notes) + found.notes
    return History(found.grid, found.regions, found.steps, found.counts, file.name, digest, kept)


def _wanted(scenario: Scenario) -> Wanted:
    columns = Columns(time="time", count="count", region="region", step="type")
    return Wanted(columns, scenario.history.time_zone, scenario.region_names, absent="zero")


def _rows(
    table: pd.DataFrame, file: Path, scenario: Scenario, type_column: str | None
) -> pd.DataFrame:
    """Return time (UTC), type, region and units of every row."""
    of_type = table[_column(table, _TYPES, file, "type", type_column)]
    return pd.DataFrame(
        {
            "time": _times(table, file, scenario),
            "type": of_type.astype(str).str.strip(),
            "region": _regions(table, file, scenario),
            "count": _units(table),
        }
    )


def _by_the_minute(rows: pd.DataFrame) -> pd.DataFrame:
    """Return the units of each minute, region and type."""
    keys = ["time", "region", "type"]
    rows = rows.assign(time=rows["time"].dt.floor("min"))
    return rows.groupby(keys, as_index=False, observed=True)["count"].sum()


def _column(
    table: pd.DataFrame, usual: Iterable[str], file: Path, role: str, named: str | None = None
) -> str:
    """Return the column of a role; HistoryError where there is none."""
    have = {str(column).strip().casefold(): str(column) for column in table.columns}
    for name in [named] if named is not None else usual:
        if name is not None and name.casefold() in have:
            return have[name.casefold()]
    wanted = f"'{named}'" if named is not None else f"called {' or '.join(usual)}"
    raise HistoryError(
        f"{file}: no column {wanted} for the {role} (has: {', '.join(map(str, table.columns))})"
        + ("; name it with --type-column" if role == "type" else "; rename it")
    )


def _optional(table: pd.DataFrame, usual: Iterable[str]) -> str | None:
    have = {str(column).strip().casefold(): str(column) for column in table.columns}
    return next((have[name] for name in usual if name in have), None)


def _times(table: pd.DataFrame, file: Path, scenario: Scenario) -> pd.Series:
    """Return UTC instants; times without an offset are of `history.time_zone`."""
    column = table[_column(table, _TIMES, file, "time")]
    times = parsed_times(column)
    require_times(times, column, str(file))
    if times.dt.tz is None:
        zone = scenario.history.time_zone
        times = times.dt.tz_localize(zone, ambiguous="NaT", nonexistent="NaT")
    return times.dt.tz_convert("UTC")


def _regions(table: pd.DataFrame, file: Path, scenario: Scenario) -> pd.Series | str:
    """Return each row's region; of a shop of one region that one."""
    if len(scenario.regions) == 1:
        return scenario.region_names[0]
    regions = table[_column(table, _REGIONS, file, "region")].astype(str).str.strip()
    strange = ~regions.isin(scenario.region_names)
    if strange.any():
        row = int(strange.to_numpy().argmax())
        raise HistoryError(
            f"{file}: row {row + 1}: region: unknown '{regions.iloc[row]}'"
            f"{did_you_mean(regions.iloc[row], scenario.region_names)} ({int(strange.sum())} such rows)"
        )
    return regions


def _units(table: pd.DataFrame) -> pd.Series | float:
    """Return each row's units, NaN where that is no number; 1 where no column tells."""
    column = _optional(table, _UNITS)
    return 1.0 if column is None else pd.to_numeric(table[column], errors="coerce")


def _bought(rows: pd.DataFrame, table: pd.DataFrame, file: Path, notes: list[str]) -> pd.DataFrame:
    """Return the rows in which something was bought: of clicks the purchases, and no cancellations."""
    event = _optional(table, _EVENTS)
    if event is not None:
        is_bought = table[event].astype(str).str.strip().str.casefold().isin(_BOUGHT).to_numpy()
        if not is_bought.any():
            some = ", ".join(map(str, table[event].dropna().unique()[:_MOST_SHOWN]))
            raise HistoryError(
                f"{file}: column {event} names no purchase (has: {some}); an order is one of {', '.join(_BOUGHT)}"
            )
        notes.append(f"{int((~is_bought).sum())} of {len(rows)} rows are no purchases; left out")
        rows = rows[is_bought]
    is_order = rows["time"].notna() & (rows["count"] > 0)
    if left := int((~is_order).sum()):
        notes.append(
            f"{left} rows without a time, or of no units or fewer, are no orders; left out"
        )
    if not is_order.any():
        raise HistoryError(
            f"{file}: no row has a time and units above 0; check the columns of time and quantity"
        )
    return rows[is_order].copy()


def _of_products(
    rows: pd.DataFrame, scenario: Scenario, file: Path, notes: list[str]
) -> pd.DataFrame:
    """Return the rows of the scenario's product types; all where it has none."""
    if not scenario.products:
        return rows
    known = rows["type"].isin(list(scenario.products))
    strange = rows["type"][~known].value_counts()
    if not known.any():
        first = str(strange.index[0]) if len(strange) else ""
        raise HistoryError(
            f"{file}: no row is of a product type of the scenario ({', '.join(scenario.products)}); the most rows "
            f"are of '{first}'{did_you_mean(first, scenario.products)}; --type-column names another column"
        )
    if len(strange):
        named = ", ".join(map(str, strange.index[:_MOST_SHOWN]))
        notes.append(
            f"{int(strange.sum())} rows of {len(strange)} types that the scenario does not have are left out, "
            f"first of all {named}"
        )
    return rows[known].copy()
