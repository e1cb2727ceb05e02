"""What is told of a forecast: published tables, outlooks, explanations, tracking against what comes."""

from typing import TYPE_CHECKING

from gameday.doors import opening

if TYPE_CHECKING:
    from gameday.forecast.publication.explain_minute import (
        Explanation,
        Question,
        calendar_hash,
        explain_forecast,
    )
    from gameday.forecast.publication.outlook import Outlook, RegionOutlook, look_ahead
    from gameday.forecast.publication.published import (
        EarlierPeak,
        PeakMove,
        Published,
        TeamPeak,
        demand_of_state,
        peak_moves,
        published_table,
        team_peaks,
        team_region,
    )
    from gameday.forecast.publication.track import Alert, Plan, Tracker, TrackSummary

__all__ = [
    "Alert",
    "EarlierPeak",
    "Explanation",
    "Outlook",
    "PeakMove",
    "Plan",
    "Published",
    "Question",
    "RegionOutlook",
    "TeamPeak",
    "TrackSummary",
    "Tracker",
    "calendar_hash",
    "demand_of_state",
    "explain_forecast",
    "look_ahead",
    "peak_moves",
    "published_table",
    "team_peaks",
    "team_region",
]

if not TYPE_CHECKING:
    __getattr__ = opening(
        __name__,
        {
            "Alert": "track",
            "EarlierPeak": "published",
            "Explanation": "explain_minute",
            "Outlook": "outlook",
            "PeakMove": "published",
            "Plan": "track",
            "Published": "published",
            "Question": "explain_minute",
            "RegionOutlook": "outlook",
            "TeamPeak": "published",
            "TrackSummary": "track",
            "Tracker": "track",
            "calendar_hash": "explain_minute",
            "demand_of_state": "published",
            "explain_forecast": "explain_minute",
            "look_ahead": "outlook",
            "peak_moves": "published",
            "published_table": "published",
            "team_peaks": "published",
            "team_region": "published",
        },
    )
