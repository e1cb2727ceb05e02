"""From a browser's recording to the steps of a scenario, secrets left out."""

from typing import TYPE_CHECKING

from gameday.doors import opening

if TYPE_CHECKING:
    from gameday.history.recordings.har import read_har
    from gameday.history.recordings.recorded_scenario import recorded_text
    from gameday.history.recordings.recording import propose_steps

__all__ = [
    "propose_steps",
    "read_har",
    "recorded_text",
]

if not TYPE_CHECKING:
    __getattr__ = opening(
        __name__,
        {
            "propose_steps": "recording",
            "read_har": "har",
            "recorded_text": "recorded_scenario",
        },
    )
