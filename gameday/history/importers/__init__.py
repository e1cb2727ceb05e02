"""From a shop's own logs and clickstreams to sessions, steps and counts."""

from typing import TYPE_CHECKING

from gameday.doors import opening

if TYPE_CHECKING:
    from gameday.history.importers.access_log import LogReading, minute_table, read_access_logs
    from gameday.history.importers.clickstream import Clickstream, read_clickstream
    from gameday.history.importers.log_summary import LogSummary
    from gameday.history.importers.log_text import describe_log, log_doubts, shared_addresses
    from gameday.history.importers.log_times import StepTimes
    from gameday.history.importers.minutes import MinuteCounts, SeriesGrains, assess_grains
    from gameday.history.importers.robots import RobotRules
    from gameday.history.importers.sessions import Sessions

__all__ = [
    "Clickstream",
    "LogReading",
    "LogSummary",
    "MinuteCounts",
    "RobotRules",
    "SeriesGrains",
    "Sessions",
    "StepTimes",
    "assess_grains",
    "describe_log",
    "log_doubts",
    "minute_table",
    "shared_addresses",
    "read_access_logs",
    "read_clickstream",
]

if not TYPE_CHECKING:
    __getattr__ = opening(
        __name__,
        {
            "Clickstream": "clickstream",
            "LogReading": "access_log",
            "LogSummary": "log_summary",
            "MinuteCounts": "minutes",
            "RobotRules": "robots",
            "SeriesGrains": "minutes",
            "Sessions": "sessions",
            "StepTimes": "log_times",
            "assess_grains": "minutes",
            "describe_log": "log_text",
            "log_doubts": "log_text",
            "minute_table": "access_log",
            "shared_addresses": "log_text",
            "read_access_logs": "access_log",
            "read_clickstream": "clickstream",
        },
    )
