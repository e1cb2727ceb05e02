"""The model: ridge on log counts, its candidates blended, corrected, reconciled over levels."""

from typing import TYPE_CHECKING

from gameday.doors import opening

if TYPE_CHECKING:
    from gameday.forecast.model.kept_state import load_state, save_state
    from gameday.forecast.model.state import State, known_until, refreshed, state_of
    from gameday.forecast.model.strength import strength_sigma

__all__ = [
    "State",
    "known_until",
    "load_state",
    "refreshed",
    "save_state",
    "state_of",
    "strength_sigma",
]

if not TYPE_CHECKING:
    __getattr__ = opening(
        __name__,
        {
            "State": "state",
            "known_until": "state",
            "load_state": "kept_state",
            "refreshed": "state",
            "save_state": "kept_state",
            "state_of": "state",
            "strength_sigma": "strength",
        },
    )
