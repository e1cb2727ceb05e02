"""A finding's life over runs: who answers for it, until when, what each later run said of it, who waived it."""

from typing import TYPE_CHECKING

from gameday.doors import opening

if TYPE_CHECKING:
    from gameday.findings.living.known import KnownFinding, Waiver
    from gameday.findings.living.retest import Retest, Tested, retest
    from gameday.findings.living.waive import waived, waived_now

__all__ = ["KnownFinding", "Retest", "Tested", "Waiver", "retest", "waived", "waived_now"]

if not TYPE_CHECKING:
    __getattr__ = opening(
        __name__,
        {
            "KnownFinding": "known",
            "Retest": "retest",
            "Tested": "retest",
            "Waiver": "known",
            "retest": "retest",
            "waived": "waive",
            "waived_now": "waive",
        },
    )
