"""What a forecast learns from: the past with its gaps, robots, launches and calendar, as rows of a fit."""

from typing import TYPE_CHECKING

from gameday.doors import opening

if TYPE_CHECKING:
    from gameday.forecast.data.breaks import propose_breaks
    from gameday.forecast.data.calendars import (
        RegionCalendar,
        bare_calendars,
        check_place,
        region_calendars,
    )
    from gameday.forecast.data.coarse_rows import row_notes, tells_minutes
    from gameday.forecast.data.crowds import crowds_of
    from gameday.forecast.data.launches import LaunchLesson, learn_launches
    from gameday.forecast.data.preparation import prepare

__all__ = [
    "LaunchLesson",
    "RegionCalendar",
    "bare_calendars",
    "check_place",
    "crowds_of",
    "learn_launches",
    "prepare",
    "propose_breaks",
    "region_calendars",
    "row_notes",
    "tells_minutes",
]

if not TYPE_CHECKING:
    __getattr__ = opening(
        __name__,
        {
            "LaunchLesson": "launches",
            "RegionCalendar": "calendars",
            "bare_calendars": "calendars",
            "check_place": "calendars",
            "crowds_of": "crowds",
            "learn_launches": "launches",
            "prepare": "preparation",
            "propose_breaks": "breaks",
            "region_calendars": "calendars",
            "row_notes": "coarse_rows",
            "tells_minutes": "coarse_rows",
        },
    )
