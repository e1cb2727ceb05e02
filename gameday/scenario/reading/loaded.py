"""A scenario as one run has it: read once, so that forecast, run and judgement are of the same scenario."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

from gameday.scenario.conversion_drift import with_drift
from gameday.scenario.model import Scenario
from gameday.scenario.reading.assets import Assets

__all__ = ["LoadedScenario", "scenario_of"]


@dataclass(frozen=True)
class LoadedScenario:
    """A scenario with the content of every file it names; none of them is opened again."""

    text: str
    """The scenario as JSON: its includes merged, conversion drift as the run wants it."""
    assets: Assets = field(default_factory=Assets)
    """The feeds and certificates it names."""
    folder: Path = Path()
    """Where its file lies, absolute: its own Python modules are found there."""

    @cached_property
    def written(self) -> Scenario:
        """The scenario as written: the past is of these journeys."""
        return scenario_of(self.text)

    @cached_property
    def played(self) -> Scenario:
        """The scenario that is planned, simulated and played: conversion drift is in its journeys."""
        return with_drift(self.written)

    def with_instances(self, instances: Mapping[tuple[str, str], int]) -> LoadedScenario:
        """Return it with other fleets: (stack, service) -> instances."""
        data = json.loads(self.text)
        for (stack, service), count in instances.items():
            data["services"][service]["stacks"][stack]["instances"] = count
        return replace(self, text=json.dumps(data))


def scenario_of(text: str) -> Scenario:
    """Return the scenario that a `LoadedScenario.text` holds."""
    return Scenario.model_validate_json(text)
