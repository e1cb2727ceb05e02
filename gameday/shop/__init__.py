"""The room where the scenario's services stand for real, over HTTP.

Job:   serve the scenario's steps with bounded, slow, failing services, like any target.
In:    Scenario, a stack, a scale.    Out: a loopback address; orders; Prometheus metrics.
Never: know the plan, the forecast or the model; be seen other than through HTTP.
"""

from typing import TYPE_CHECKING

from gameday.doors import opening

if TYPE_CHECKING:
    from gameday.shop.process import Shops, begin_run, running_shops
    from gameday.shop.program import serve

__all__ = [
    "Shops",
    "begin_run",
    "running_shops",
    "serve",
]

if not TYPE_CHECKING:
    __getattr__ = opening(
        __name__,
        {
            "Shops": "process",
            "begin_run": "process",
            "running_shops": "process",
            "serve": "program",
        },
    )
