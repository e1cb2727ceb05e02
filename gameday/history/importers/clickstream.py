"""Clickstream: one row an event, with its time, its type and whose it is; any table file, part by part."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, tzinfo
from itertools import chain
from pathlib import Path

import numpy as np
import pandas as pd

from gameday.errors import HistoryError
from gameday.history.exports import named_step_of
from gameday.history.importers.catalogue import Catalogue
from gameday.history.importers.event_rows import MOST_EVENTS, EventRows, Names
from gameday.history.importers.minutes import MinuteCounts
from gameday.history.importers.order_rows import OrderRows
from gameday.history.importers.sessionization import Events, split_into_sessions, with_inferred
from gameday.history.importers.sessions import Sessions
from gameday.history.instants import instants_of, share_without_offset
from gameday.history.readers import reader_of
from gameday.vocabulary import Array

__all__ = ["Clickstream", "read_clickstream"]

_ORDER = "checkout"
_MANY_UNUSABLE = 0.02
"""Share of rows that cannot be used from which on the columns are doubted. Ours."""
_SHARED = 0.02
"""Share of sessions' names that several users have, from which on a name is one of its user's alone. Ours."""
_SHOWN = 5
"""So many types of events are listed by name."""


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
    order: str | None = None
    """Which order a row is of: its rows are its articles. None: rows of one customer within two seconds are."""
    is_row_an_order: bool = False
    """Each row of an order is one of its own, as the requests of an access log are."""
    is_session_of_user: bool = False
    """Whether two users may have sessions of one name."""
    steps: dict[str, str | None] = field(default_factory=dict)
    """Event type -> step, None: it is none. Others are told by their usual names, or written as steps are."""
    known_steps: frozenset[str] | None = None
    """The steps there are; types that are none of them are left out. None: any."""
    zone: tzinfo = UTC
    """Of times without an offset."""
    silence_s: float = 1800.0
    """Inactivity timeout. Source: the usual half hour of web analytics."""
    needs: dict[str, str] = field(default_factory=lambda: {"checkout": "cart"})
    """Step -> what must have come before it since the last one; where the log lacks it, it is inferred."""


def read_clickstream(file: Path, how: Clickstream, minutes: MinuteCounts | None = None) -> Sessions:
    """Return the sessions of a log; HistoryError says what it lacks.

    Events are counted in `minutes`, an order of several articles once. Rows without a time, a type or a customer
    cannot be used: they are counted, and the first one is quoted in the notes.
    """
    parts = _parts(file, how)
    first = next(parts, None)
    how, notes = (how, []) if first is None else _told_of_first(first, how)
    log = _Log(file, how, minutes)
    for part in _in_regions(chain([] if first is None else [first], parts), how, notes):
        log.add(part)
    log.require_events()
    sessions = split_into_sessions(
        log.events(),
        log.catalogue,
        [*notes, *log.notes()],
        are_named=how.session is not None,
        silence_s=how.silence_s,
    )
    sessions = replace(sessions, doubts=tuple(log.doubts()))
    for after, before in how.needs.items():
        sessions = with_inferred(sessions, after, before)
    return sessions


def _told_of_first(first: pd.DataFrame, how: Clickstream) -> tuple[Clickstream, list[str]]:
    """Return how a log is read by what its first part tells, and what is to be said of that."""
    notes = []
    if not how.is_session_of_user and (share := _shared_names(first, how)):
        how = replace(how, is_session_of_user=True)
        notes.append(
            f"{share:.0%} of the first sessions' names are those of several users: a session is told by both"
        )
    if lacking := share_without_offset(first[how.time]):
        some = "" if lacking == 1 else f"{lacking:.1%} of the first "
        notes.append(
            f"{some}times have no offset: they are read as {how.zone}; --time-zone says otherwise"
        )
    return how, notes


def _shared_names(part: pd.DataFrame, how: Clickstream) -> float:
    """Return the share of sessions' names that several users have; 0 where it is that of chance (a sign-in)."""
    if not (how.session and how.user and how.user in part):
        return 0.0
    users = part.groupby(how.session)[how.user].nunique()
    share = float((users > 1).mean()) if len(users) else 0.0
    return share if share > _SHARED else 0.0


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
    order: pd.Series | None
    """Names of orders; None where the log has no such column."""

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
        self._used, self._no_step = 0, Counter[str]()
        """Rows that were used, and event type -> rows that are no step."""
        self._renamed = dict[str, str]()
        """Event type -> its step, where nobody said which it is."""

    def add(self, part: pd.DataFrame) -> None:
        """Take in a part; HistoryError where a time is of a year that cannot be."""
        events = self._usable(part)
        self._used += len(events.at_s)
        self.catalogue.add(events.product_type, events.article, events.price, events.is_order)
        kept = np.ones(len(events.at_s), bool)
        if not self._how.is_row_an_order:
            kept = self._orders.are_new(events.customer, events.at_s, events.is_order, events.order)
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
                "time": instants_of(part[how.time], self._file, how.zone),
                "type": part[how.event].astype("string").str.strip() if how.event else "*",
                "customer": _customers(part, how),
            },
            index=part.index,
        )
        is_usable = keys.notna().all(axis=1).to_numpy()
        if not is_usable.all():
            first = part[~is_usable].iloc[0].tolist()
            self._first_unusable = self._first_unusable or " | ".join(map(str, first))
            self._unusable += int((~is_usable).sum())
        is_step = self._are_steps(keys["type"]) & is_usable
        return _events_of(part[is_step], keys[is_step], how)

    def _are_steps(self, types: pd.Series) -> Array:
        """Return which rows are steps; the others are counted by their type."""
        how = self._how
        steps = {t: _step_of(t, how) for t in types.dropna().unique()}
        self._renamed |= {t: s for t, s in steps.items() if s is not None and t not in how.steps}
        is_step = (
            types.map({t: step is not None for t, step in steps.items()})
            .fillna(value=False)
            .to_numpy(bool)
        )
        self._no_step.update(types[~is_step].dropna().tolist())
        return np.asarray(is_step)

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

    @property
    def _all(self) -> int:
        """Rows that were read."""
        return self._used + self._unusable + self._no_step.total()

    def doubts(self) -> Iterator[str]:
        """Yield why what was read may be wrong, each with what to write to change it."""
        if self._unusable > _MANY_UNUSABLE * self._all:
            share = self._unusable / self._all
            yield (
                f"{self._unusable} of {self._all} rows ({share:.1%}) lack a time, a type or a customer, "
                f"as: {self._first_unusable}; write times one way, or map other columns (--columns)"
            )
        known = self._how.known_steps
        if len(self._steps.names) == 1 and (known is None or len(known) > 1):
            yield (
                f"all events are {self._steps.names[0]}: what customers do besides is not in the log, so its "
                "counts can be used (--counts), its journeys cannot"
            )

    def notes(self) -> list[str]:
        """Return what was left out, or counted once."""
        notes, rows = [], self._all
        if renamed := {t: s for t, s in self._renamed.items() if s != t}:
            shown = ", ".join(f"{t} is {s}" for t, s in list(renamed.items())[:_SHOWN])
            notes.append(
                f"event types were read as steps by their names: {shown}; --steps TYPE=STEP says another"
            )
        if self._unusable:
            notes.append(
                f"{self._unusable} of {rows} rows ({self._unusable / rows:.1%}) without a time, a type or whose "
                f"they are were left out, as: {self._first_unusable}"
            )
        if self._no_step:
            shown = ", ".join(f"{t} {n}" for t, n in self._no_step.most_common(_SHOWN))
            total, first = self._no_step.total(), self._no_step.most_common(1)[0][0]
            notes.append(
                f"{total} of {rows} rows ({total / rows:.1%}) are no step and were left out: {shown}; keep "
                f"one with --steps '{first}=STEP'"
            )
        if self._orders.more:
            notes.append(
                f"{self._orders.more} rows of {_ORDER} are further articles of an order, {self._orders.why}: one "
                "order each was counted"
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
        step=keys["type"].map(lambda t: _step_of(t, how)).to_numpy(object),
        product_type=_product_types(part, how.category),
        region=None if region is None else region.to_numpy(object),
        article=part.get(how.product) if how.product else None,
        price=part.get(how.price) if how.price else None,
        order=None if how.order is None else part[how.order].astype("string"),
    )


def _step_of(event: str, how: Clickstream) -> str | None:
    """Return the step that an event type is; None: it is none."""
    if event in how.steps:
        step = how.steps[event]
    elif how.known_steps is not None and event in how.known_steps:
        step = event
    else:
        step = named_step_of(event)
    return step if how.known_steps is None or step in how.known_steps else None


def _product_types(part: pd.DataFrame, category: str | None) -> pd.Series:
    """Return what stands before the first dot of each row's category; `none` where it has none."""
    if category is None:
        return pd.Series("none", part.index)
    return part[category].astype("string").fillna("none").str.split(".").str[0]


def _customers(part: pd.DataFrame, how: Clickstream) -> pd.Series:
    """Return what tells customers apart: the session where the log names it, else the user."""
    column = how.session or how.user
    if column is None:
        raise HistoryError(
            "--columns: give a session or a user: nothing says whose events these are"
        )
    if how.session and how.user and how.is_session_of_user:
        user, session = (part[name].astype("string") for name in (how.user, how.session))
        return user.str.cat(session, sep="|")
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
    required = [
        c for c in (how.time, how.event, customer, how.category, how.region, how.order) if c
    ]
    if how.is_session_of_user and how.user:
        required.append(how.user)
    optional = [c for c in (how.product, how.price, how.user) if c]
    if not file.is_file():
        raise HistoryError(f"{file}: no such file; check --clickstream")
    table = reader_of(file).read_parts(file, list(dict.fromkeys([*required, *optional])))
    _require_columns(file, required, table.columns)
    yield from table.parts


def _require_columns(file: Path, required: list[str], present: Sequence[str]) -> None:
    if missing := [c for c in required if c not in present]:
        raise HistoryError(
            f"{file}: no column {', '.join(missing)}; map it, as in --columns time=NAME,event=NAME,session=NAME "
            f"(has: {', '.join(present)}; `none` where there is none)"
        )
