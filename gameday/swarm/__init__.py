"""The room of virtual customers.

Job:   play a load plan against real targets with Locust, and count what they met.
In:    LoadPlan, Scenario, Seed (as a Brief).    Out: RunRecord.
Never: import Locust into the command (it patches its process), judge a result, leave loopback.
"""

from typing import TYPE_CHECKING

from gameday.doors import opening

if TYPE_CHECKING:
    from gameday.swarm.control.run import End, Health, Played, swarm
    from gameday.swarm.control.run_spec import Brief
    from gameday.swarm.machine import BUSY_SHARE, MachineUse, machine_now
    from gameday.swarm.tally.scoreboard import Progress

__all__ = [
    "BUSY_SHARE",
    "Brief",
    "End",
    "Health",
    "MachineUse",
    "Played",
    "Progress",
    "machine_now",
    "swarm",
]

__getattr__ = opening(
    __name__,
    {
        "BUSY_SHARE": "machine",
        "Brief": "control.run_spec",
        "End": "control.run",
        "Health": "control.run",
        "MachineUse": "machine",
        "Played": "control.run",
        "Progress": "tally.scoreboard",
        "machine_now": "machine",
        "swarm": "control.run",
    },
)
