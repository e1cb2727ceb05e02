"""What must hold between the blocks of a scenario: names that exist, sums over blocks, instants that exist."""

from __future__ import annotations

from gameday.scenario.blocks.observe import observe_faults
from gameday.scenario.blocks.teams import team_faults
from gameday.scenario.blocks.url_rules import url_faults
from gameday.scenario.faults import Fault
from gameday.scenario.model import Scenario
from gameday.scenario.reading.calendar_checks import (
    event_faults,
    forecast_faults,
    history_faults,
    launch_faults,
)
from gameday.scenario.reading.criterion_checks import criterion_faults
from gameday.scenario.reading.journey_checks import journey_faults
from gameday.scenario.reading.product_checks import product_faults
from gameday.scenario.reading.step_checks import service_faults, step_faults, word_faults

__all__ = ["cross_faults"]


def cross_faults(scenario: Scenario) -> list[Fault]:
    """Return every fault between blocks, in the order of the blocks."""
    return [
        *event_faults(scenario),
        *forecast_faults(scenario),
        *history_faults(scenario),
        *launch_faults(scenario),
        *product_faults(scenario),
        *journey_faults(scenario),
        *url_faults(scenario),
        *step_faults(scenario),
        *word_faults(scenario),
        *service_faults(scenario),
        *observe_faults(scenario),
        *criterion_faults(scenario),
        *team_faults(scenario.teams, tuple(scenario.services), scenario.step_names),
    ]
