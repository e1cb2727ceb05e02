"""Clickstream: one row an event, with its time, its type and whose it is; any table file, part by part."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from gameday.errors import HistoryError
from gameday.history.importers.catalogue import Catalogue
from gameday.history.importers.event_rows import MOST_EVENTS, EventRows, Names
from gameday.history.importers.minutes import MinuteCounts
from gameday.history.importers.order_rows import OrderRows
from gameday.history.importers.sessionization import Events, split_into_sessions, with_inferred
from gameday.history.importers.sessions import Sessions
from gameday.history.instants import parsed_times, require_years
from gameday.history.readers import reader_of
from gameday.vocabulary import Array

__all__ = ["Clickstream", "read_clickstream"]

_ORDER = "checkout"
_USUAL = {
    "view": "product",
    "purchase": "checkout",
    "order": "checkout",
    "addtocart": "cart",
    "add_to_cart": "cart",
    "transaction": "checkout",
    "remove_from_cart": "cart",
}
"""Names of event types in published logs (REES46, Retailrocket) -> our steps."""


@dataclass(frozen=True, slots=True)
class Clickstream:
    """Which columns of a log hold what, and what its names mean."""

    time: str = "event_time"
    event: str | None = "event_type"
    """None: every row is of the type `*`."""
    session: str | None = "user_session"
    """None: an inactivity timeout ends sessions."""
    user: str | None = "user_id"
    category: str | None = "category_code"
    """Product type: what stands before its first dot."""
    region: str | None = None
    regions: dict[str, str] = field(default_factory=dict)
    """What the log calls a region -> ours; with any, rows of others are left out."""
    product: str | None = "product_id"
    """Which article; left out where a log does not have it, as `price` is."""
    price: str | None = "price"
    steps: dict[str, str] = field(default_factory=dict)
    """Event type -> step; types not named are called as in published logs, or keep their name."""
    silence_s: float = 1800.0
    """Inactivity timeout. Source: the usual half hour of web analytics."""
    needs: dict[str, str] = field(default_factory=lambda: {"checkout": "cart"})
    """Step -> what must have come before it since the last one; where the log lacks it, it is inferred."""


def read_clickstream(file: Path, how: Clickstream, minutes: MinuteCounts | None = None) -> Sessions:
    """Return the sessions of a log; HistoryError says what it lacks.

    Events are counted in `minutes`, an order of several articles once. Rows without a time, a type or a customer
    cannot be used: they are counted, and the first one is quoted in the notes.
    """
    notes, log = list[str](), _Log(file, how, minutes)
    for part in _in_regions(_parts(file, how), how, notes):
        log.add(part)
    log.require_events()
    sessions = split_into_sessions(
        log.events(),
        log.catalogue,
        [*notes, *log.notes()],
        are_named=how.session is not None,
        silence_s=how.silence_s,
    )
    for after, before in how.needs.items():
        sessions = with_inferred(sessions, after, before)
    return sessions


@dataclass(frozen=True, slots=True)
class _PartEvents:
    """The usable rows of a part of a log, in its order; all columns of one length."""

    customer: Array
    """Hash of the session or the user that a row names, uint64."""
    at_s: Array
    """Seconds since 1970, UTC."""
    step: Array
    """Names of steps."""
    product_type: pd.Series
    """What stands before the first dot of the category; `none` where a row has none."""
    region: Array | None
    """Names; None where the log has no such column."""
    article: pd.Series | None
    price: pd.Series | None

    @property
    def is_order(self) -> Array:
        """Whether each row orders."""
        return np.asarray(self.step == _ORDER)


class _Log:
    """What is read of a log, part by part."""

    def __init__(self, file: Path, how: Clickstream, minutes: MinuteCounts | None) -> None:
        self._file, self._how, self._minutes = str(file), how, minutes
        self._rows, self.catalogue = EventRows(MOST_EVENTS), Catalogue()
        self._types, self._steps, self._regions = Names(), Names(), Names()
        self._orders = OrderRows()
        self._unusable, self._first_unusable = 0, ""
        """Rows that cannot be used, and the first of them."""

    def add(self, part: pd.DataFrame) -> None:
        """Take in a part; HistoryError where a time is of a year that cannot be."""
        events = self._usable(part)
        self.catalogue.add(events.product_type, events.article, events.price, events.is_order)
        kept = self._orders.are_new(events.customer, events.at_s, events.is_order)
        at_s, step = events.at_s[kept], events.step[kept]
        region = None if events.region is None else events.region[kept]
        if self._minutes is not None:
            self._minutes.add(at_s, "all" if region is None else region, step)
        self._rows.add(
            events.customer[kept],
            at_s,
            self._steps.codes(step),
            self._types.codes(events.product_type.to_numpy(object)[kept]),
            np.zeros(len(at_s), np.int32) if region is None else self._regions.codes(region),
        )

    def _usable(self, part: pd.DataFrame) -> _PartEvents:
        """Return the rows that have a time, a type and a customer; the others are counted."""
        how = self._how
        keys = pd.DataFrame(
            {
                "time": _instants(part[how.time], self._file),
                "type": part[how.event].astype("string") if how.event else "*",
                "customer": _customers(part, how),
            },
            index=part.index,
        )
        is_usable = keys.notna().all(axis=1).to_numpy()
        if not is_usable.all():
            first = part[~is_usable].iloc[0].tolist()
            self._first_unusable = self._first_unusable or " | ".join(map(str, first))
            self._unusable += int((~is_usable).sum())
        return _events_of(part[is_usable], keys[is_usable], how)

    def require_events(self) -> None:
        """Raise HistoryError where no row of the whole log can be used."""
        if self._rows.parts:
            return
        regions = self._how.regions
        where = f" in a region of {', '.join(regions)}" if regions else ""
        example = (
            f"; all {self._unusable} rows lack one, as: {self._first_unusable}"
            if self._unusable
            else ""
        )
        raise HistoryError(
            f"{self._file}: no event with a time, a type and whose it is{where}{example}. Times are read as "
            "2026-11-02T08:00:00Z, or as seconds, ms, us or ns since 1970"
        )

    def events(self) -> Events:
        """Return all that was read, in the order of the log."""
        customer, at_s, step, type_of, region = self._rows.joined()
        return Events(
            customer,
            at_s,
            step,
            type_of,
            region,
            steps=tuple(self._steps.names),
            types=tuple(self._types.names),
            regions=tuple(self._regions.names),
        )

    def notes(self) -> list[str]:
        """Return what was left out, or counted once."""
        notes = []
        if self._unusable:
            notes.append(
                f"{self._unusable} rows without a time, a type or whose they are were left out, as: "
                f"{self._first_unusable}"
            )
        if self._orders.more:
            notes.append(
                f"{self._orders.more} rows of {_ORDER} are further articles of an order, of the same customer at "
                "the same instant: one order each was counted"
            )
        if self._rows.kept < 1:
            notes.append(
                f"sessions are those of {self._rows.kept:.3g} of who came, by a hash of their names: more than "
                f"{MOST_EVENTS:,} events are not held at once"
            )
        return notes


def _events_of(part: pd.DataFrame, keys: pd.DataFrame, how: Clickstream) -> _PartEvents:
    """Return usable rows by our names; `keys` holds their time, type and customer."""
    region = part[how.region].astype("string").fillna("unknown") if how.region else None
    since_1970_ns = keys["time"].dt.tz_convert(None).to_numpy("datetime64[ns]").astype(np.int64)
    return _PartEvents(
        customer=pd.util.hash_array(keys["customer"].astype(str).to_numpy(object)),
        at_s=since_1970_ns / 1e9,
        step=keys["type"].map(lambda t: how.steps.get(t, _USUAL.get(t, t))).to_numpy(object),
        product_type=_product_types(part, how.category),
        region=None if region is None else region.to_numpy(object),
        article=part.get(how.product) if how.product else None,
        price=part.get(how.price) if how.price else None,
    )


def _product_types(part: pd.DataFrame, category: str | None) -> pd.Series:
    """Return what stands before the first dot of each row's category; `none` where it has none."""
    if category is None:
        return pd.Series("none", part.index)
    return part[category].astype("string").fillna("none").str.split(".").str[0]


def _instants(column: pd.Series, file: str) -> pd.Series:
    """Return UTC instants, NaT for what is no time; times without an offset are taken as UTC."""
    times = parsed_times(column)
    require_years(times, column, file)
    return times.dt.tz_localize("UTC") if times.dt.tz is None else times.dt.tz_convert("UTC")


def _customers(part: pd.DataFrame, how: Clickstream) -> pd.Series:
    """Return what tells customers apart: the session where the log names it, else the user."""
    column = how.session or how.user
    if column is None:
        raise HistoryError(
            "--columns: give a session or a user: nothing says whose events these are"
        )
    return part[column]


def _in_regions(
    parts: Iterator[pd.DataFrame], how: Clickstream, notes: list[str]
) -> Iterator[pd.DataFrame]:
    """Yield the rows of the regions that are asked for, by our names; rows are numbered through all parts."""
    left_out, first = 0, 0
    for part in parts:
        part.index = pd.RangeIndex(first, first + len(part))
        first += len(part)
        if how.region and how.regions:
            part = part.assign(**{how.region: part[how.region].map(how.regions)})
            left_out += int(part[how.region].isna().sum())
            part = part[part[how.region].notna()]
        yield part
    if left_out:
        notes.append(
            f"{left_out} rows of regions that are not asked for were left out, {left_out / first:.1%} of all"
        )


def _parts(file: Path, how: Clickstream) -> Iterator[pd.DataFrame]:
    """Yield the log part by part; HistoryError where the file or one of its columns is missing."""
    customer = how.session or how.user
    required = [c for c in (how.time, how.event, customer, how.category, how.region) if c]
    optional = [c for c in (how.product, how.price) if c]
    if not file.is_file():
        raise HistoryError(f"{file}: no such file; check --clickstream")
    table = reader_of(file).read_parts(file, [*required, *optional])
    _require_columns(file, required, table.columns)
    yield from table.parts


def _require_columns(file: Path, required: list[str], present: Sequence[str]) -> None:
    if missing := [c for c in required if c not in present]:
        raise HistoryError(
            f"{file}: no column {', '.join(missing)}; map it, as in --columns time=NAME,event=NAME,session=NAME "
            f"(has: {', '.join(present)}; `none` where there is none)"
        )
