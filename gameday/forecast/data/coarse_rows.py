"""Minutes of longer rows: a row's total is drawn over its minutes in the shape of finer weeks, with chance in it.

Monitoring thins out what is old: hours or days of last year, minutes of last month. Where no row is finer than an
hour, hours go straight from one to the next; how a day goes nobody can tell from totals of days.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np

from gameday.errors import HistoryError
from gameday.forecast.data.calendars import RegionCalendar
from gameday.history import CoarseRows, History
from gameday.vocabulary import Array, Seed

__all__ = ["minutes_of_rows", "row_notes", "tells_minutes", "tells_weekdays"]

_FINE_MIN, _HOUR_MIN = 15, 60
"""Rows up to the first tell how minutes lie; rows up to the second how a day goes."""
_SHAPE_DAYS, _LEAST_DAYS = 56, 7
"""Days of fine rows that a shape is borrowed from, the last ones, and how many it takes. Ours."""
_EVEN = 0.02
"""Share of a borrowed shape that is even: fine weeks of few counts have minutes in which nothing came. Ours."""
_QUARTER_MIN, _PER_DAY = 15, 96
_MOST_NAMES = 4
_LONGEST_DAY_MIN = 1500
"""A local day, on which clocks may be set back."""


@dataclass(frozen=True, slots=True)
class _Shape:
    """How minutes of a local week lie, learned from fine rows."""

    level: Array
    """Counts a minute by weekday and quarter hour, shape (7, 96)."""
    first: datetime
    last: datetime
    is_own: bool
    """Whether they are of the series itself, and not of all series of the region."""


@dataclass(frozen=True, slots=True)
class _Region:
    """One region of a history, and where its rows are long."""

    known: History
    number: int
    calendar: RegionCalendar

    @property
    def coarse(self) -> list[CoarseRows]:
        """Its runs of rows of more than a minute."""
        return [rows for rows in self.known.coarse if rows.region == self.number]

    def is_longer(self, step: int, minutes: int) -> Array:
        """Return which slots of a step are of rows of more than so many minutes, shape (slots,)."""
        out = np.zeros(self.known.grid.slots, bool)
        for rows in self.coarse:
            if rows.step == step:
                length = np.diff(rows.edges)
                out[rows.edges[0] : rows.edges[-1]] = np.repeat(length > minutes, length)
        return out

    def known_minutes(self, step: int, minutes: int) -> Array:
        """Return the slots of a step that are known by rows of at most so many minutes."""
        counts = self.known.counts[self.number, step]
        return np.flatnonzero(~np.isnan(counts) & ~self.is_longer(step, minutes))

    def shape(self, step: int) -> _Shape | None:
        """Return how the fine minutes of a step lie; those of all steps where it has too few; None of too few."""
        own = self._shape_of([step])
        return own or self._shape_of(range(len(self.known.steps)))

    def _shape_of(self, steps: Sequence[int]) -> _Shape | None:
        level, days = np.zeros((7, _PER_DAY)), list[datetime]()
        for step in steps:
            slot = self._last_fine(step)
            if len(slot):
                level += self._by_quarter(slot, self.known.counts[self.number, step, slot])
                days += [self.known.grid.instant(int(s)) for s in (slot[0], slot[-1])]
        return _Shape(level, min(days), max(days), len(steps) == 1) if level.any() else None

    def _last_fine(self, step: int) -> Array:
        """Return the last days' slots of a step that fine rows tell; none of too few."""
        slot = self.known_minutes(step, _FINE_MIN)
        slot = slot[slot > (slot[-1] if len(slot) else 0) - _SHAPE_DAYS * 1440]
        return slot if len(slot) >= _LEAST_DAYS * 1440 else slot[:0]

    def _by_quarter(self, slot: Array, counts: Array) -> Array:
        """Return mean counts by weekday and quarter hour, (7, 96); of other weekdays where one was not seen."""
        place = self._place(slot)
        seen, total = (
            np.bincount(place, weight, minlength=7 * _PER_DAY).reshape(7, _PER_DAY)
            for weight in (np.ones(len(slot)), counts)
        )
        quarter = total.sum(axis=0) / np.maximum(seen.sum(axis=0), 1)
        return np.where(seen > 0, total / np.maximum(seen, 1), quarter)

    def _place(self, slot: Array) -> Array:
        minute = self.known.grid.epoch_min + slot
        quarter = self.calendar.slot_of_day(minute)[0] // _QUARTER_MIN
        return np.asarray(self.calendar.weekday(minute) * _PER_DAY + quarter)

    def curve(self, rows: CoarseRows, shape: _Shape | None) -> Array:
        """Return how the minutes of rows lie, up to a factor of each row: of a shape, or from row to row."""
        slot = np.arange(rows.edges[0], rows.edges[-1])
        if shape is not None:
            level = shape.level.ravel()[self._place(slot)]
            return np.asarray(level + _EVEN * shape.level.mean())
        mean = np.nan_to_num(self.known.counts[self.number, rows.step, rows.edges[:-1]])
        return np.asarray(np.interp(slot + 0.5, (rows.edges[1:] + rows.edges[:-1]) / 2, mean))


def minutes_of_rows(known: History, calendars: Sequence[RegionCalendar]) -> list[Array]:
    """Return each region's counts by the minute, (steps, slots), those of long rows drawn about how minutes lie.

    A row keeps its total. Where nothing tells how a day goes, totals stay spread evenly.
    """
    return [_counts(_Region(known, number, calendar)) for number, calendar in enumerate(calendars)]


def _counts(region: _Region) -> Array:
    counts = region.known.counts[region.number]
    if not region.coarse:
        return np.asarray(counts)
    counts = counts.copy()
    for rows in region.coarse:
        part = slice(rows.edges[0], rows.edges[-1])
        counts[rows.step, part] = _of_rows(region, rows, counts[rows.step, part])
    return np.asarray(counts)


def _of_rows(region: _Region, rows: CoarseRows, counts: Array) -> Array:
    """Return the counts by the minute of long rows, now spread evenly, (minutes,)."""
    shape = region.shape(rows.step)
    if shape is None and np.diff(rows.edges).max() > _HOUR_MIN:
        return counts
    rng = Seed(0).stream("minutes of rows", region.calendar.region, str(rows.step))
    return _drawn(counts, region.curve(rows, shape), rows.edges, rng)


def _drawn(counts: Array, curve: Array, edges: Array, rng: np.random.Generator) -> Array:
    """Return counts of rows drawn over their minutes: each row's total by the multinomial law of its curve.

    A minute's count is then as far off as chance has it (Poisson), which an even spread would hide.
    """
    length, first, out = np.diff(edges), edges[:-1] - edges[0], counts.copy()
    for minutes in np.unique(length):
        slot = first[length == minutes][:, None] + np.arange(minutes)
        slot = slot[~np.isnan(counts[slot]).any(axis=1)]
        share = curve[slot] + 1e-12
        out[slot] = _allotted(counts[slot].sum(axis=1, dtype=float), share, rng)
    return np.asarray(out)


def _allotted(total: Array, share: Array, rng: np.random.Generator) -> Array:
    """Return rows' totals, (rows,), drawn over their minutes in proportion to `share`, (rows, minutes)."""
    share = share / share.sum(axis=1, keepdims=True)
    whole = np.round(total).astype(np.int64)
    drawn = rng.multinomial(whole, share) * (total / np.maximum(whole, 1))[:, None]
    return np.where(whole[:, None] > 0, drawn, total[:, None] * share)


def tells_minutes(known: History) -> bool:
    """Return whether every region has a series that says how a day goes: rows of an hour or less."""
    return _tells(known, _HOUR_MIN)


def tells_weekdays(known: History) -> bool:
    """Return whether every region has a series that tells days of a week apart: rows of a day or less."""
    return _tells(known, _LONGEST_DAY_MIN)


def _tells(known: History, minutes: int) -> bool:
    regions = [
        _Region(known, number, RegionCalendar(name, "UTC"))
        for number, name in enumerate(known.regions)
    ]
    return all(
        any(len(region.known_minutes(step, minutes)) for step in range(len(known.steps)))
        for region in regions
    )


def row_notes(known: History, calendars: Sequence[RegionCalendar]) -> list[str]:
    """Return what is said of long rows: where their minutes are from. HistoryError where nobody can tell."""
    return [
        note
        for number, calendar in enumerate(calendars)
        for note in _notes(_Region(known, number, calendar))
    ]


def _notes(region: _Region) -> Iterator[str]:
    """Yield a note on each way in which minutes are borrowed, and one on events that rows are longer than."""
    names = dict[str, list[str]]()
    for step, name in enumerate(region.known.steps):
        longer = region.is_longer(step, _FINE_MIN)
        if longer.any():
            shape = region.shape(step)
            if shape is None and region.is_longer(step, _HOUR_MIN).any():
                raise _cannot_tell(region, name)
            last = region.known.grid.instant(int(np.flatnonzero(longer)[-1]))
            names.setdefault(_words(shape, last), []).append(name)
    for words, steps in names.items():
        yield f"{region.calendar.region} {_listed(steps)}: {words}"
    if cut := _events_in_long_rows(region):
        yield (
            f"{region.calendar.region}: {_listed(cut)} lie in rows of more than an hour: what they did is spread "
            "over whole rows, and events to come are forecast too low for it"
        )


def _listed(names: list[str]) -> str:
    """Return a few names, and how many more there are."""
    rest = f" and {len(names) - _MOST_NAMES} more" if len(names) > _MOST_NAMES else ""
    return ", ".join(names[:_MOST_NAMES]) + rest


def _events_in_long_rows(region: _Region) -> list[str]:
    """Return the past events of which some step's minutes come from rows of more than an hour."""
    long_rows = np.any(
        [region.is_longer(step, _HOUR_MIN) for step in range(len(region.known.steps))], axis=0
    )
    begin = region.known.grid.epoch_min
    return [
        event.name
        for event in region.calendar.occurrences
        if long_rows[
            max(0, int(event.start_min - begin)) : max(0, int(event.end_min - begin))
        ].any()
    ]


def _cannot_tell(region: _Region, name: str) -> HistoryError:
    return HistoryError(
        f"{region.known.source}: {region.calendar.region} {name}: its rows are of more than an hour, and "
        f"no finer ones tell how a day goes; give at least {_LEAST_DAYS} days by the minute, or every row "
        "by the hour; `gameday forecast outlook` looks weeks ahead by days alone"
    )


def _words(shape: _Shape | None, last: datetime) -> str:
    """Return from where the minutes of rows up to `last` are."""
    until = f"rows of more than {_FINE_MIN} minutes until {last:%Y-%m-%d}"
    if shape is None:
        return f"{until}: their minutes are drawn at random about straight lines from row to row"
    own = "its own minutes" if shape.is_own else "the minutes of all series"
    days = f"{shape.first:%Y-%m-%d} to {shape.last + timedelta(minutes=1):%Y-%m-%d}"
    return f"{until}: their minutes are drawn at random in the shape of {own} of {days}, each row with its total"
