"""Journeys: fitted to sessions, their expected visits and lengths, and the walks through them."""

from typing import TYPE_CHECKING

from gameday.doors import opening

if TYPE_CHECKING:
    from gameday.traffic.journeys.calibration import calibrate
    from gameday.traffic.journeys.fitted import (
        Calibration,
        ChainLosses,
        Conversion,
        FittedJourney,
        GoodnessByType,
        JourneyBlock,
    )
    from gameday.traffic.journeys.pauses import FittedPause
    from gameday.traffic.journeys.proposed_yaml import PATIENCE, Proposal, propose
    from gameday.traffic.journeys.walked_sessions import WalkedBlock, session_table, walked

__all__ = [
    "PATIENCE",
    "Calibration",
    "ChainLosses",
    "WalkedBlock",
    "session_table",
    "walked",
    "Conversion",
    "FittedJourney",
    "FittedPause",
    "GoodnessByType",
    "JourneyBlock",
    "Proposal",
    "calibrate",
    "propose",
]

if not TYPE_CHECKING:
    __getattr__ = opening(
        __name__,
        {
            "PATIENCE": "proposed_yaml",
            "Calibration": "fitted",
            "ChainLosses": "fitted",
            "WalkedBlock": "walked_sessions",
            "session_table": "walked_sessions",
            "walked": "walked_sessions",
            "Conversion": "fitted",
            "FittedJourney": "fitted",
            "FittedPause": "pauses",
            "GoodnessByType": "fitted",
            "JourneyBlock": "fitted",
            "Proposal": "proposed_yaml",
            "calibrate": "calibration",
            "propose": "proposed_yaml",
        },
    )
