"""The room where the past comes in.

Job:   read counts per minute from files, or make up a past that has everything a real one has.
In:    Scenario, a CSV or Parquet file, or a Seed.    Out: History.
Never: forecast, repair in silence (every mend is a note), know an event's future.
"""

from gameday.history.history import History
from gameday.history.read import read_history

__all__ = ["History", "read_history"]
