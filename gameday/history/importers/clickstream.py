"""Clickstream: one row an event, with its time, its type and whose it is; CSV or Parquet, part by part."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet

from gameday.errors import HistoryError
from gameday.history.importers.catalogue import Catalogue
from gameday.history.importers.event_rows import MOST_EVENTS, EventRows, Names
from gameday.history.importers.minutes import MinuteCounts
from gameday.history.importers.order_rows import OrderRows
from gameday.history.importers.sessions import Sessions
from gameday.history.instants import parsed_times, require_years
from gameday.vocabulary import Array

__all__ = ["Clickstream", "read_clickstream"]

_PART_ROWS = 250_000
_ORDER = "checkout"
_MOST_TYPES = 20
"""Product types that stand for themselves; the rest is `other`."""
_USUAL_PAUSE = 0.95
"""Of the pauses within sessions: who was silent for longer when the log ended had gone. Ours."""
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
    """How a log is written."""

    time: str = "event_time"
    event: str | None = "event_type"
    """None: every row is of the type `*`."""
    session: str | None = "user_session"
    """None: sessions are cut by silence."""
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
    """A pause longer than this ends a session. Source: the usual half hour of web analytics."""
    needs: dict[str, str] = field(default_factory=lambda: {"checkout": "cart"})
    """Step -> what must have come before it since the last one; where the log lacks it, it is inferred."""


def read_clickstream(file: Path, how: Clickstream, minutes: MinuteCounts | None = None) -> Sessions:
    """Return the sessions of a log; HistoryError says what it lacks. Events are counted in `minutes`, an
    order of several articles once.

    Rows without time, type or whose they are cannot be used: they are counted, and one is quoted.
    """
    notes, log = list[str](), _Log(file, how, minutes)
    for part in _in_regions(_parts(file, how), how, notes):
        log.add(part)
    if not log.rows.parts:
        of = f" in a region of {', '.join(how.regions)}" if how.regions else ""
        as_in = f"; all {log.bad} rows lack one, as: {log.quoted}" if log.bad else ""
        raise HistoryError(
            f"{file}: no event with a time, a type and whose it is{of}{as_in}. Times are read as "
            "2026-11-02T08:00:00Z, or as seconds, ms, us or ns since 1970"
        )
    names = log.steps.names, log.types.names, log.regions.names
    return _sessions(how, log.rows, names, [*notes, *log.notes()], log.catalogue)


class _Log:
    """What is read of a log, part by part."""

    def __init__(self, file: Path, how: Clickstream, minutes: MinuteCounts | None) -> None:
        self._file, self._how, self._minutes = str(file), how, minutes
        self.rows, self.catalogue = EventRows(MOST_EVENTS), Catalogue()
        self.types, self.steps, self.regions, self._orders = Names(), Names(), Names(), OrderRows()
        self.bad, self.quoted = 0, ""
        """Rows that cannot be used, and the first of them."""

    def add(self, part: pd.DataFrame) -> None:
        """Take in a part; HistoryError where a time is of a year that cannot be."""
        how = self._how
        time, who = _instants(part[how.time], self._file), _who(part, how)
        event = part[how.event].astype("string") if how.event else pd.Series("*", part.index)
        sound = (time.notna() & event.notna() & who.notna()).to_numpy()
        if not sound.all():
            self.quoted = self.quoted or " | ".join(map(str, part[~sound].iloc[0].tolist()))
            self.bad += int((~sound).sum())
        part, time, event, who = part[sound], time[sound], event[sound], who[sound]
        category = part[how.category].astype("string").fillna("none") if how.category else None
        top = pd.Series("none", part.index) if category is None else category.str.split(".").str[0]
        named = event.map(lambda e: how.steps.get(e, _USUAL.get(e, e))).to_numpy(object)
        articles, prices = (part.get(c) if c else None for c in (how.product, how.price))
        self.catalogue.add(top, articles, prices, named == _ORDER)
        at_s = time.dt.tz_convert(None).to_numpy("datetime64[ns]").astype(np.int64) / 1e9
        whose = pd.util.hash_array(who.astype(str).to_numpy(object))
        new = self._orders.are_new(whose, at_s, named == _ORDER)
        place = None
        if how.region:
            place = part[how.region].astype("string").fillna("unknown").to_numpy(object)[new]
        if self._minutes is not None:
            self._minutes.add(at_s[new], "all" if place is None else place, named[new])
        self.rows.add(
            whose[new],
            at_s[new],
            self.steps.codes(named[new]),
            self.types.codes(top.to_numpy(object)[new]),
            np.zeros(int(new.sum()), np.int32) if place is None else self.regions.codes(place),
        )

    def notes(self) -> list[str]:
        """Return what was left out, or counted once."""
        notes = []
        if self.bad:
            notes.append(
                f"{self.bad} rows without a time, a type or whose they are were left out, as: {self.quoted}"
            )
        if self._orders.more:
            notes.append(
                f"{self._orders.more} rows of {_ORDER} are further articles of an order, of the same customer at "
                "the same instant: one order each was counted"
            )
        if self.rows.kept < 1:
            notes.append(
                f"sessions are those of {self.rows.kept:.3g} of who came, by a hash of their names: more than "
                f"{MOST_EVENTS:,} events are not held at once"
            )
        return notes


def _instants(column: pd.Series, file: str) -> pd.Series:
    """Return UTC instants, NaT for what is no time; times without an offset are taken as UTC."""
    times = parsed_times(column)
    require_years(times, column, file)
    return times.dt.tz_localize("UTC") if times.dt.tz is None else times.dt.tz_convert("UTC")


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
    wanted = [
        c for c in (how.time, how.event, how.session or how.user, how.category, how.region) if c
    ]
    more = {how.product, how.price} - {None}
    if not file.is_file():
        raise HistoryError(f"{file}: no such file; check --clickstream")
    try:
        if file.suffix.lower() == ".parquet":
            parquet = pa.parquet.ParquetFile(file)
            _check(file, wanted, parquet.schema_arrow.names)
            there = [c for c in parquet.schema_arrow.names if c in {*wanted, *more}]
            for batch in parquet.iter_batches(_PART_ROWS, columns=there):
                yield batch.to_pandas()
        elif file.suffix.lower() == ".csv":
            options = _as_text([*wanted, *filter(None, more)])
            with pa.csv.open_csv(file, convert_options=options) as reader:
                _check(file, wanted, reader.schema.names)
                for batch in reader:
                    yield batch.to_pandas()
        else:
            raise HistoryError(f"{file}: must end in .csv or .parquet (got '{file.suffix}')")
    except (pa.ArrowInvalid, pa.ArrowKeyError, OSError) as error:
        raise HistoryError(f"{file}: cannot be read ({error})") from None


def _as_text(wanted: list[str]) -> pa.csv.ConvertOptions:
    return pa.csv.ConvertOptions(
        column_types=dict.fromkeys(wanted, pa.string()), strings_can_be_null=True
    )


def _check(file: Path, wanted: list[str], there: list[str]) -> None:
    if missing := [c for c in wanted if c not in there]:
        raise HistoryError(
            f"{file}: no column {', '.join(missing)}; map it, as in --columns time=NAME,event=NAME,session=NAME "
            f"(has: {', '.join(there)}; `none` where there is none)"
        )


def _who(part: pd.DataFrame, how: Clickstream) -> pd.Series:
    column = how.session or how.user
    if column is None:
        raise HistoryError(
            "--columns: give a session or a user: nothing says whose events these are"
        )
    return part[column]


def _sessions(
    how: Clickstream,
    rows: EventRows,
    named: tuple[list[str], list[str], list[str]],
    notes: list[str],
    catalogue: Catalogue,
) -> Sessions:
    who, at_s, step, type_of, region = rows.joined()
    steps, types, regions = named
    place = np.argsort(np.argsort(steps))  # by name: the order of rows is no matter
    steps, step = sorted(steps), place[step].astype(np.int32)
    names, type_of = _largest(types, type_of)
    regions, region = (
        sorted(regions),
        np.argsort(np.argsort(regions))[region] if regions else region,
    )
    order = np.lexsort((type_of, step, at_s, who))
    who, at_s, step, type_of = who[order], at_s[order], step[order], type_of[order]
    region = region[order]
    begins = np.diff(who, prepend=who[:1] + np.uint64(1)) != 0
    if how.session is None:
        begins |= np.diff(at_s, prepend=-np.inf) > how.silence_s
    session = np.cumsum(begins) - 1
    last = np.append(np.flatnonzero(begins)[1:], len(session)) - 1
    pauses = np.diff(at_s)[~begins[1:]]
    usual_s = float(np.quantile(pauses, _USUAL_PAUSE)) if len(pauses) else how.silence_s
    is_cut = at_s[last] > at_s.max() - min(usual_s, how.silence_s)
    if is_cut.any():
        notes.append(
            f"{int(is_cut.sum())} of {len(is_cut)} sessions had an event in the last {usual_s:.0f} s, within "
            f"which {_USUAL_PAUSE:.0%} of pauses end: where they end is not known"
        )
    found = Sessions(
        tuple(steps),
        names,
        session,
        at_s,
        step,
        type_of,
        np.zeros(len(step), bool),
        is_cut,
        tuple(regions),
        region[np.flatnonzero(begins)],
        catalogue,
        tuple(notes),
    )
    for after, before in how.needs.items():
        found = _with_inferred(found, after, before)
    return found


def _largest(types: list[str], type_of: Array) -> tuple[tuple[str, ...], Array]:
    """Return names and numbers with `none` first, the largest types behind it, and `other` for the rest."""
    counts = np.bincount(type_of, minlength=len(types))
    order = sorted(
        (n for n, t in enumerate(types) if t not in ("none", "other")),
        key=lambda n: (-counts[n], types[n]),
    )
    kept = order[:_MOST_TYPES]
    has_rest = len(order) > len(kept) or "other" in types
    names = ("none", *(types[n] for n in kept), *(("other",) if has_rest else ()))
    number = np.full(len(types), len(names) - 1, np.int32)
    number[kept] = np.arange(1, len(kept) + 1)
    if "none" in types:
        number[types.index("none")] = 0
    return names, number[type_of]


def _with_inferred(seen: Sessions, after: str, before: str) -> Sessions:
    """Return the sessions with a `before` half way to each `after` that has none since the last one."""
    if after not in seen.steps:
        return seen
    steps = seen.steps if before in seen.steps else (*seen.steps, before)
    wants, has = steps.index(after), steps.index(before)
    at = np.flatnonzero(seen.step == wants)
    known = np.cumsum(seen.step == has)
    start = seen.firsts[seen.session[at]]
    previous = np.maximum(start, np.append(-1, at[:-1]) + 1)
    lacks = at[known[at] == np.where(previous > 0, known[previous - 1], 0)]
    if not len(lacks):
        return seen
    is_first = np.isin(lacks, seen.firsts)
    earlier = np.where(is_first, seen.at_s[lacks], seen.at_s[np.maximum(lacks - 1, 0)])
    middle = (earlier + seen.at_s[lacks]) / 2
    note = f"{len(lacks)} of {len(at)} {after} had no {before} in the log: one was inferred half way before"
    return replace(
        seen,
        steps=steps,
        session=np.insert(seen.session, lacks, seen.session[lacks]),
        at_s=np.insert(seen.at_s, lacks, middle),
        step=np.insert(seen.step, lacks, has),
        type_of=np.insert(seen.type_of, lacks, seen.type_of[lacks]),
        is_inferred=np.insert(seen.is_inferred, lacks, True),
        notes=(*seen.notes, note),
    )
