"""The room that keeps what was.

Job:   store runs, findings and requests in SQLite, and give them back.
In:    plain rows.    Out: plain rows.
Never: know a rule about them, compute, judge.
"""

from gameday.ledger.ledger import Ledger, RunRow

__all__ = ["Ledger", "RunRow"]
