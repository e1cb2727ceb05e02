"""The room of virtual customers.

Job:   play a load plan against real targets with Locust, and count what they met.
In:    LoadPlan, Scenario, Seed (as a Brief).    Out: RunRecord.
Never: import Locust into the command (it patches its process), judge a result, leave loopback.
"""

from gameday.swarm.brief import Brief
from gameday.swarm.conduct import End, Health, Played, swarm
from gameday.swarm.scoreboard import Progress

__all__ = ["Brief", "End", "Health", "Played", "Progress", "swarm"]
