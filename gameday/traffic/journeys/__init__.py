"""Journeys: fitted to sessions, their expected visits and lengths, and the walks through them."""

from typing import TYPE_CHECKING

from gameday.doors import opening

if TYPE_CHECKING:
    from gameday.traffic.journeys.calibration import calibrate
    from gameday.traffic.journeys.fitted import Calibration
    from gameday.traffic.journeys.proposed_yaml import Proposal, propose

__all__ = [
    "Calibration",
    "Proposal",
    "calibrate",
    "propose",
]

if not TYPE_CHECKING:
    __getattr__ = opening(
        __name__,
        {
            "Calibration": "fitted",
            "Proposal": "proposed_yaml",
            "calibrate": "calibration",
            "propose": "proposed_yaml",
        },
    )
