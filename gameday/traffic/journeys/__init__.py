"""Journeys: learned from sessions, what they come to, walked."""

from typing import TYPE_CHECKING

from gameday.doors import opening

if TYPE_CHECKING:
    from gameday.traffic.journeys.calibration import calibrate
    from gameday.traffic.journeys.fitted import Calibration
    from gameday.traffic.journeys.proposed_yaml import proposal

__all__ = [
    "Calibration",
    "calibrate",
    "proposal",
]

__getattr__ = opening(
    __name__,
    {
        "Calibration": "fitted",
        "calibrate": "calibration",
        "proposal": "proposed_yaml",
    },
)
