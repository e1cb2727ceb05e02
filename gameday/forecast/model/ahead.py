"""What a forecast minute is, as far as its band asks: its local hour, how far ahead, in an event or not."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gameday.forecast.data.calendars import RegionCalendar
from gameday.forecast.data.fit_rows import in_event
from gameday.vocabulary import Array

__all__ = ["Ahead", "ahead"]


@dataclass(frozen=True, slots=True)
class Ahead:
    """Minutes, or days, that are forecast; each field has shape (n,)."""

    hour: Array
    """Local hour; 0 of days."""
    lead_days: Array
    """How far after the last known minute."""
    in_event: Array
    """Whether in a declared event or its margin."""


def ahead(calendar: RegionCalendar, minute: Array, end_min: float) -> Ahead:
    """Return what minutes since 1970 UTC are to a forecast whose past ends at `end_min`."""
    hour = calendar.slot_of_day(minute)[0] // 60
    return Ahead(hour, (minute - end_min) / 1440, np.asarray(in_event(minute, calendar)))
