"""The room that keeps runs and their results.

Job:   store runs, findings, requests and what was done to them, in a database and a folder a run.
In:    what a run is played from and what it showed.    Out: a folder of files, rows, a chain of entries.
Never: know a rule about them, compute, judge.
"""

from typing import TYPE_CHECKING

from gameday.doors import opening

if TYPE_CHECKING:
    from gameday.ledger.chain import Act, Changing, Entry
    from gameday.ledger.folder import RunFolder
    from gameday.ledger.ledger import Ledger, RunRow, has_ledger

__all__ = [
    "Act",
    "Changing",
    "Entry",
    "Ledger",
    "RunFolder",
    "RunRow",
    "has_ledger",
]

if not TYPE_CHECKING:
    __getattr__ = opening(
        __name__,
        {
            "Act": "chain",
            "Changing": "chain",
            "Entry": "chain",
            "Ledger": "ledger",
            "RunFolder": "folder",
            "RunRow": "ledger",
            "has_ledger": "ledger",
        },
    )
