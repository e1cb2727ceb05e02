"""The room that keeps runs and their results.

Job:   store runs, findings and requests in SQLite and a folder a run, and give them back.
In:    what a run is played from and what it showed.    Out: a folder of files, rows.
Never: know a rule about them, compute, judge.
"""

from typing import TYPE_CHECKING

from gameday.doors import opening

if TYPE_CHECKING:
    from gameday.ledger.folder import RunFolder
    from gameday.ledger.ledger import Ledger, RunRow

__all__ = [
    "Ledger",
    "RunFolder",
    "RunRow",
]

if not TYPE_CHECKING:
    __getattr__ = opening(
        __name__,
        {
            "Ledger": "ledger",
            "RunFolder": "folder",
            "RunRow": "ledger",
        },
    )
