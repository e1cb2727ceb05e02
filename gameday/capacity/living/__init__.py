"""A request's life over runs: its moves, what a new run does to it, what it predicts and how that came out."""

from typing import TYPE_CHECKING

from gameday.doors import opening

if TYPE_CHECKING:
    from gameday.capacity.living.life import (
        BAND,
        MOVES,
        Change,
        content_sha256,
        edited,
        expire,
        is_expired,
        is_open,
        is_placed,
        met,
        moved,
        outdated,
        requesters,
        verified,
    )
    from gameday.capacity.living.placed import (
        EMBEDDED,
        Placed,
        PlacedFleet,
        fallen,
        placed_of,
        read_placed,
        write_placed,
    )
    from gameday.capacity.living.prediction import Prediction, Score, predicted_by, scored

__all__ = [
    "BAND",
    "MOVES",
    "Change",
    "EMBEDDED",
    "Placed",
    "PlacedFleet",
    "Prediction",
    "Score",
    "content_sha256",
    "edited",
    "expire",
    "fallen",
    "is_expired",
    "is_open",
    "is_placed",
    "met",
    "moved",
    "outdated",
    "placed_of",
    "predicted_by",
    "read_placed",
    "requesters",
    "scored",
    "verified",
    "write_placed",
]

if not TYPE_CHECKING:
    __getattr__ = opening(
        __name__,
        {
            "BAND": "life",
            "Change": "life",
            "EMBEDDED": "placed",
            "MOVES": "life",
            "Placed": "placed",
            "PlacedFleet": "placed",
            "Prediction": "prediction",
            "Score": "prediction",
            "content_sha256": "life",
            "edited": "life",
            "expire": "life",
            "fallen": "placed",
            "is_expired": "life",
            "is_open": "life",
            "is_placed": "life",
            "met": "life",
            "moved": "life",
            "outdated": "life",
            "placed_of": "placed",
            "predicted_by": "prediction",
            "read_placed": "placed",
            "requesters": "life",
            "scored": "prediction",
            "verified": "life",
            "write_placed": "placed",
        },
    )
