"""Past launches: how large their crowds were for their strength and how fast they went, beside what is declared.

A crowd adds to a day: what a region counted in all steps above the model's own expectation, over the steps
of a session of the launch's journey. How it decays is one law for all launches, its size each one's own.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gameday.forecast.model.regional import Model
from gameday.history import History
from gameday.scenario import Scenario
from gameday.vocabulary import Array

__all__ = ["LaunchLesson", "lessons"]

_WINDOW_MIN = 90
_HALF_LIVES_MIN = np.geomspace(1.0, 30.0, 60)
_LEAST_CROWD, _LEAST_SHARE = 100, 0.1
"""Steps a past crowd must have brought to tell anything, in all and of what was expected without it. Ours."""


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
    def told(self) -> float:
        """Their geometric mean."""
        return float(np.exp(np.mean(np.log(self.seen))))


def lessons(scenario: Scenario, known: History, models: list[Model]) -> list[LaunchLesson]:
    """Return what the past says of every launch and region it has seen one in."""
    # Of several the first, as its day is told by.
    journeys = {j.launch: j for j in reversed(scenario.journeys.values()) if j.launch is not None}
    excess: dict[str, list[tuple[float, Array, Array]]] = {}
    for index, region in enumerate(scenario.region_names):
        for event, start, _ in scenario.occurrences(region):
            if event.kind == "launch" and event.name not in scenario.launches:
                found = _above(known, models[index], index, start.timestamp() // 60)
                if found is not None and _is_seen(*found):
                    excess.setdefault(region, []).append((event.strength, *found))
    if not excess:
        return []
    half_life = _half_life([(over, noise) for rows in excess.values() for _, over, noise in rows])
    out = []
    for name, launch in scenario.launches.items():
        journey = journeys.get(name)
        if journey is None:
            continue
        each = journey.visits_per_session(scenario.step_names).sum()
        # Those who wait for the release came before it: what follows it is the others.
        after = 1 - (launch.waiting.share if launch.waiting is not None else 0.0)
        for region in launch.at:
            seen = tuple(
                float(over.sum()) / each / after / strength * launch.strength
                for strength, over, _ in excess.get(region, [])
                if strength > 0 and after > 0
            )
            if seen:
                out.append(LaunchLesson(name, region, seen, 60 * half_life))
    return out


def _is_seen(over: Array, expected: Array) -> bool:
    """Return whether a crowd stands out of what was expected without it, and of its chance."""
    most = max(_LEAST_CROWD, _LEAST_SHARE * expected.sum(), 3 * float(np.sqrt(expected.sum())))
    return bool(over.sum() > most)


def _above(known: History, model: Model, region: int, at: float) -> tuple[Array, Array] | None:
    """Return (counts above the model in all steps, the model's own) by minute from a launch on; None if unseen."""
    first = int(at) - known.grid.epoch_min
    if first < 0 or first + _WINDOW_MIN > known.grid.slots:
        return None
    counts = known.counts[region][:, first : first + _WINDOW_MIN].sum(axis=0)
    if np.isnan(counts).any():
        return None
    expected = model.blend.counts(at + np.arange(_WINDOW_MIN)).sum(axis=1)
    # What the hour before it says of the level then.
    before = known.counts[region][:, max(0, first - 60) : first].sum(axis=0)
    told = model.blend.counts(at - np.arange(len(before), 0, -1)).sum(axis=1)
    seen = ~np.isnan(before)
    level = float(np.median(before[seen] / np.maximum(told[seen], 1e-9))) if seen.any() else 1.0
    return counts - level * expected, level * expected


def _half_life(rows: list[tuple[Array, Array]]) -> float:
    """Return the half-life, minutes, that best tells all excesses as steps of crowds that decay: least squares."""
    best, found = np.inf, float(_HALF_LIVES_MIN[0])
    minute = np.arange(_WINDOW_MIN)
    for half in _HALF_LIVES_MIN:
        shape = 0.5 ** (minute / half)
        wrong = 0.0
        for over, noise in rows:
            weight = 1 / (1 + noise + np.maximum(over, 0))
            size = (weight * shape * over).sum() / (weight * shape**2).sum()
            wrong += float((weight * (over - size * shape) ** 2).sum())
        if wrong < best:
            best, found = wrong, float(half)
    return found
