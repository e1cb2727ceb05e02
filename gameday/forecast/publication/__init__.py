"""What is told of a forecast: published tables, outlooks, explanations, tracking against what comes."""

from typing import TYPE_CHECKING

from gameday.doors import opening

if TYPE_CHECKING:
    from gameday.forecast.publication.explain_minute import Question, answer, calendar_hash
    from gameday.forecast.publication.outlook import Outlook, look_ahead
    from gameday.forecast.publication.published import (
        Published,
        change_of,
        demand_of_state,
        peaks_of,
        published_table,
        team_region,
    )
    from gameday.forecast.publication.track import Alert, Plan, Tracker

__all__ = [
    "Alert",
    "Outlook",
    "Plan",
    "Published",
    "Question",
    "Tracker",
    "answer",
    "calendar_hash",
    "change_of",
    "demand_of_state",
    "look_ahead",
    "peaks_of",
    "published_table",
    "team_region",
]

__getattr__ = opening(
    __name__,
    {
        "Alert": "track",
        "Outlook": "outlook",
        "Plan": "track",
        "Published": "published",
        "Question": "explain_minute",
        "Tracker": "track",
        "answer": "explain_minute",
        "calendar_hash": "explain_minute",
        "change_of": "published",
        "demand_of_state": "published",
        "look_ahead": "outlook",
        "peaks_of": "published",
        "published_table": "published",
        "team_region": "published",
    },
)
