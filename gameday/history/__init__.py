"""The room where the past comes in.

Job:   read counts per minute and sessions from files and logs, or make up a past that has all a real one has.
In:    Scenario, CSV, Parquet, clickstream or access logs, or a Seed.    Out: History, Sessions.
Never: forecast, repair in silence (every mend is a note), know an event's future.
"""

from gameday.history.history import History
from gameday.history.read import read_any_history, read_history

__all__ = ["History", "read_any_history", "read_history"]
