"""A finding's life over runs: who answers for it, until when, what each later run said of it, who waived it."""

from typing import TYPE_CHECKING

from gameday.doors import opening

if TYPE_CHECKING:
    from gameday.findings.living.known_finding import KnownFinding, Waiver
    from gameday.findings.living.run_says import Retest, RetestOf, Tested, retest
    from gameday.findings.living.waivers import waived, waived_now

__all__ = [
    "KnownFinding",
    "Retest",
    "RetestOf",
    "Tested",
    "Waiver",
    "retest",
    "waived",
    "waived_now",
]

if not TYPE_CHECKING:
    __getattr__ = opening(
        __name__,
        {
            "KnownFinding": "known_finding",
            "Retest": "run_says",
            "RetestOf": "run_says",
            "Tested": "run_says",
            "Waiver": "known_finding",
            "retest": "run_says",
            "waived": "waivers",
            "waived_now": "waivers",
        },
    )
