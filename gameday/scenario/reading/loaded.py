"""A scenario as one run has it: read once, so that what is forecast, played and judged is one and the same."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from gameday.scenario.conversion_drift import with_drift
from gameday.scenario.model import Scenario
from gameday.scenario.reading.assets import Assets

__all__ = ["LoadedScenario", "scenario_of"]


@dataclass(frozen=True)
class LoadedScenario:
    """A scenario with every file it names. Whoever has it opens none of them again."""

    text: str
    """The scenario as JSON: its includes merged, conversion drift as the run wants it."""
    assets: Assets = field(default_factory=Assets)
    """Its feeds and certificates."""
    folder: Path = Path()
    """Where its file lies, absolute: its own Python modules are found there."""

    @cached_property
    def written(self) -> Scenario:
        """The scenario as it was written: the past was of these journeys."""
        return scenario_of(self.text)

    @cached_property
    def played(self) -> Scenario:
        """The scenario that is planned, simulated and played: conversion drift is in its journeys."""
        return with_drift(self.written)


def scenario_of(text: str) -> Scenario:
    """Return the scenario that a `LoadedScenario.text` holds."""
    return Scenario.model_validate_json(text)
