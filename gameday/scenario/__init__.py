"""The room where a scenario file becomes a Scenario, or a list of every fault in it.

Job:   read a YAML file and its includes, check all of it, give each fault its position and remedy.
In:    a bundled scenario's name or a YAML path.    Out: Scenario.
Never: guess a value, read a history, know how a run is played.
"""

from typing import TYPE_CHECKING

from gameday.doors import opening

if TYPE_CHECKING:
    from gameday.scenario.conversion_drift import with_drift
    from gameday.scenario.criteria import METRICS, Criterion, parse_criterion, quantile_level
    from gameday.scenario.faults import did_you_mean
    from gameday.scenario.model import Guardrail, Scenario
    from gameday.scenario.reading.load import (
        bundled_scenarios,
        load_scenario,
        scenario_file,
        scenario_schema,
    )
    from gameday.scenario.renewal import length_law, steps_in_time, visit_density, visits_in_time
    from gameday.scenario.request_headers import filled_headers, parse_header
    from gameday.scenario.units import local_to_utc, parse_duration

__all__ = [
    "Criterion",
    "Guardrail",
    "METRICS",
    "Scenario",
    "bundled_scenarios",
    "did_you_mean",
    "filled_headers",
    "length_law",
    "load_scenario",
    "local_to_utc",
    "parse_criterion",
    "parse_duration",
    "parse_header",
    "quantile_level",
    "scenario_file",
    "scenario_schema",
    "steps_in_time",
    "visit_density",
    "visits_in_time",
    "with_drift",
]

if not TYPE_CHECKING:
    __getattr__ = opening(
        __name__,
        {
            "Criterion": "criteria",
            "Guardrail": "model",
            "METRICS": "criteria",
            "Scenario": "model",
            "bundled_scenarios": "reading.load",
            "did_you_mean": "faults",
            "filled_headers": "request_headers",
            "length_law": "renewal",
            "load_scenario": "reading.load",
            "local_to_utc": "units",
            "parse_criterion": "criteria",
            "parse_duration": "units",
            "parse_header": "request_headers",
            "quantile_level": "criteria",
            "scenario_file": "reading.load",
            "scenario_schema": "reading.load",
            "steps_in_time": "renewal",
            "visit_density": "renewal",
            "visits_in_time": "renewal",
            "with_drift": "conversion_drift",
        },
    )
