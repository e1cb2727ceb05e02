"""Rehearse a peak event: forecast, queueing model, Locust swarm, findings, capacity requests.

The folder list is the data flow; `jobs/replay.py` is the main job on one screen. The verbs here are those of the
command, for Python: they return typed products, tell progress to a function, and raise GamedayError.
Importing this package loads nothing else: Locust patches the process it is imported in.
"""

from typing import TYPE_CHECKING, Any

from gameday.doors import opening

if TYPE_CHECKING:
    from gameday.errors import GamedayError
    from gameday.forecast import forecast_demand
    from gameday.history import read_history
    from gameday.jobs.publish import publish
    from gameday.jobs.rehearse import rehearse
    from gameday.jobs.replay import replay
    from gameday.products import to_json
    from gameday.scenario import load_scenario
    from gameday.traffic import ReplayOptions, plan_load
    from gameday.vocabulary import Seed

__all__ = [
    "ReplayOptions",
    "GamedayError",
    "Seed",
    "__version__",
    "forecast_demand",
    "load_scenario",
    "plan_load",
    "publish",
    "read_history",
    "rehearse",
    "replay",
    "to_json",
]

__version__ = "0.1.0"

_VERBS = {
    "forecast_demand": "forecast",
    "load_scenario": "scenario",
    "plan_load": "traffic",
    "publish": "jobs.publish",
    "read_history": "history",
    "rehearse": "jobs.rehearse",
    "replay": "jobs.replay",
}
_open = opening(
    __name__,
    {
        **_VERBS,
        "ReplayOptions": "traffic",
        "GamedayError": "errors",
        "Seed": "vocabulary",
        "to_json": "products",
    },
)


def __dir__() -> list[str]:
    return sorted(__all__)


if not TYPE_CHECKING:

    def __getattr__(name: str) -> Any:
        found = _open(name)
        if name not in _VERBS:
            return found
        from gameday.python_words import in_python_words

        return in_python_words(found)
