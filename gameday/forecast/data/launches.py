"""Past launches: how large their crowds were for their strength and how fast they went, beside what is declared.

A crowd adds to a day: its size is what a region counted in all steps above the model's own expectation, over the
steps of a session of the launch's journey. All launches share one half-life; each has its own size.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gameday.forecast.model.regional import Model
from gameday.history import History
from gameday.scenario import Scenario
from gameday.vocabulary import Array

__all__ = ["LaunchLesson", "learn_launches"]

_WINDOW_MIN = 90
_HALF_LIVES_MIN = np.geomspace(1.0, 30.0, 60)
_LEAST_CROWD, _LEAST_SHARE = 100, 0.1
"""Steps a past crowd must have brought to be learned from, in all and of what was expected without it. Ours."""


@dataclass(frozen=True, slots=True)
class LaunchLesson:
    """What past launches say of one to come, in one region."""

    launch: str
    region: str
    seen: tuple[float, ...]
    """Each past launch's sessions, scaled to this one's strength."""
    half_life_s: float
    """Shared by all past launches of the scenario."""

    @property
    def mean(self) -> float:
        """Their geometric mean, sessions."""
        return float(np.exp(np.mean(np.log(self.seen))))


@dataclass(frozen=True, slots=True)
class _Excess:
    """A past launch's counts above the model's, in all steps, by minute from the release on."""

    strength: float
    over: Array
    """Steps a minute above what was expected without it."""
    expected: Array

    @property
    def is_seen(self) -> bool:
        """Whether a crowd stands out of what was expected without it, and of its chance."""
        expected = self.expected.sum()
        most = max(_LEAST_CROWD, _LEAST_SHARE * expected, 3 * float(np.sqrt(expected)))
        return bool(self.over.sum() > most)


def learn_launches(scenario: Scenario, known: History, models: list[Model]) -> list[LaunchLesson]:
    """Return what the past says of every launch, in every region that has seen one."""
    excesses = {
        region: _excesses(scenario, known, models[index], index)
        for index, region in enumerate(scenario.region_names)
    }
    every = [excess for found in excesses.values() for excess in found]
    if not every:
        return []
    half_life_s = 60 * _half_life(every)
    return [
        LaunchLesson(name, region, seen, half_life_s)
        for name, launch in scenario.launches.items()
        for region in launch.at
        if (seen := _sessions(scenario, name, excesses.get(region, [])))
    ]


def _sessions(scenario: Scenario, name: str, excesses: list[_Excess]) -> tuple[float, ...]:
    """Return each past launch's sessions, scaled to the coming one's strength; none where no journey plays it."""
    launch, per_session = scenario.launches[name], _steps_per_session(scenario, name)
    # Those who wait for the release came before it: what follows it is the others.
    after = 1 - (launch.waiting.share if launch.waiting is not None else 0.0)
    if per_session is None or after <= 0:
        return ()
    return tuple(
        float(excess.over.sum()) / per_session / after / excess.strength * launch.strength
        for excess in excesses
        if excess.strength > 0
    )


def _steps_per_session(scenario: Scenario, launch: str) -> float | None:
    """Return the mean steps of a session of the launch's journey, its first one; None where it has none."""
    for journey in scenario.journeys.values():
        if journey.launch == launch:
            return float(journey.visits_per_session(scenario.step_names).sum())
    return None


def _excesses(scenario: Scenario, known: History, model: Model, region: int) -> list[_Excess]:
    """Return what each past launch of a region, of those that stand out, brought."""
    found = [
        _excess(known, model, region, start.timestamp() // 60, event.strength)
        for event, start, _ in scenario.occurrences(scenario.region_names[region])
        if event.kind == "launch" and event.name not in scenario.launches
    ]
    return [excess for excess in found if excess is not None and excess.is_seen]


def _excess(
    known: History, model: Model, region: int, release: float, strength: float
) -> _Excess | None:
    """Return what came above the model from a launch on; None if it is not wholly in the known past."""
    counts = _counts_after(known, region, int(release) - known.grid.epoch_min)
    if counts is None:
        return None
    expected = model.blend.counts(release + np.arange(_WINDOW_MIN)).sum(axis=1)
    level = _level(known, model, region, release)
    return _Excess(strength, counts - level * expected, level * expected)


def _counts_after(known: History, region: int, first: int) -> Array | None:
    """Return a region's counts in all steps by minute from slot `first` on; None if not all are known."""
    if first < 0 or first + _WINDOW_MIN > known.grid.slots:
        return None
    counts = known.counts[region][:, first : first + _WINDOW_MIN].sum(axis=0)
    return None if np.isnan(counts).any() else counts


def _level(known: History, model: Model, region: int, release: float) -> float:
    """Return the median of actual over expected counts in the hour before a launch; 1 if unknown."""
    first = int(release) - known.grid.epoch_min
    before = known.counts[region][:, max(0, first - 60) : first].sum(axis=0)
    expected = model.blend.counts(release - np.arange(len(before), 0, -1)).sum(axis=1)
    is_known = ~np.isnan(before)
    if not is_known.any():
        return 1.0
    return float(np.median(before[is_known] / np.maximum(expected[is_known], 1e-9)))


def _half_life(excesses: list[_Excess]) -> float:
    """Return the half-life, minutes, of the exponential decay that fits all excesses best, by least squares."""
    best, found = np.inf, float(_HALF_LIVES_MIN[0])
    for half in _HALF_LIVES_MIN:
        shape = 0.5 ** (np.arange(_WINDOW_MIN) / half)
        squares = 0.0
        for excess in excesses:
            squares += _squared_error(excess, shape)
        if squares < best:
            best, found = squares, float(half)
    return found


def _squared_error(excess: _Excess, shape: Array) -> float:
    """Return the weighted squared error of the multiple of `shape` that fits an excess best."""
    over = excess.over
    weight = 1 / (1 + excess.expected + np.maximum(over, 0))
    size = (weight * shape * over).sum() / (weight * shape**2).sum()
    return float((weight * (over - size * shape) ** 2).sum())
