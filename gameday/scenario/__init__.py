"""The room where a person's words become a Scenario, or a list of every fault in them.

Job:   read a YAML file and its includes, check all of it, give each fault place and remedy.
In:    a bundled scenario's name or a YAML path.    Out: Scenario.
Never: guess a value, read a history, know how a run is played.
"""

from gameday.scenario.criteria import Criterion, parse_criterion
from gameday.scenario.load import (
    bundled_scenarios,
    load_scenario,
    scenario_file,
    scenario_schema,
)
from gameday.scenario.model import Scenario

__all__ = [
    "Criterion",
    "Scenario",
    "bundled_scenarios",
    "load_scenario",
    "parse_criterion",
    "scenario_file",
    "scenario_schema",
]
