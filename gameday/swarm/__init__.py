"""The room of virtual customers.

Job:   play a load plan against real targets with Locust, and count what they met.
In:    LoadPlan, Scenario, Seed (as a RunSpec).    Out: RunRecord.
Never: import Locust into the command (it patches its process), judge a result, leave loopback.
"""

from typing import TYPE_CHECKING

from gameday.doors import opening

if TYPE_CHECKING:
    from gameday.swarm.control.run import End, Health, Played, Supervision, swarm
    from gameday.swarm.control.run_spec import RunSpec
    from gameday.swarm.machine import BUSY_SHARE, MachineUse, machine_now
    from gameday.swarm.tally.orders import PlacedOrder
    from gameday.swarm.tally.scoreboard import Progress

__all__ = [
    "BUSY_SHARE",
    "End",
    "Health",
    "PlacedOrder",
    "MachineUse",
    "Played",
    "Progress",
    "RunSpec",
    "Supervision",
    "machine_now",
    "swarm",
]

if not TYPE_CHECKING:
    __getattr__ = opening(
        __name__,
        {
            "BUSY_SHARE": "machine",
            "End": "control.run",
            "Health": "control.run",
            "MachineUse": "machine",
            "PlacedOrder": "tally.orders",
            "Played": "control.run",
            "Progress": "tally.scoreboard",
            "RunSpec": "control.run_spec",
            "Supervision": "control.run",
            "machine_now": "machine",
            "swarm": "control.run",
        },
    )
