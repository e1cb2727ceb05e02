"""Who comes for a launch: as declared, or as past launches say where nothing is; and how sure that is."""

from __future__ import annotations

import numpy as np

from gameday.errors import HistoryError
from gameday.forecast.data.launches import LaunchLesson
from gameday.forecast.demand import Crowd
from gameday.scenario import Scenario
from gameday.vocabulary import TimeGrid, supported

__all__ = ["crowd_notes", "crowds_of"]

_PRIOR_SIGMA = 0.3
"""Spread of the log of a crowd where the past cannot tell. Ours: one twice as large as forecast is p99."""
_PRIOR_WEIGHT = 2.0
"""The prior counts as so many past launches beyond the first."""


_UNKNOWN = "not given, and no past launch there tells it; declare it"


def crowds_of(scenario: Scenario, grid: TimeGrid, learned: list[LaunchLesson]) -> dict[str, Crowd]:
    """Return every launch's crowd; HistoryError where one is neither declared nor known from the past."""
    return {name: _crowd(scenario, grid, name, learned) for name in scenario.launches}


def _crowd(scenario: Scenario, grid: TimeGrid, name: str, learned: list[LaunchLesson]) -> Crowd:
    launch = scenario.launches[name]
    lessons = {lesson.region: lesson for lesson in learned if lesson.launch == name}
    half_life_s = _half_life_s(scenario, name, list(lessons.values()))
    starts = np.zeros((len(scenario.regions), grid.slots))
    for region in launch.at:
        size = _size(scenario, name, region, lessons.get(region))
        release = grid.index_of(scenario.launch_at(name, region))
        share = launch.crowd_share(np.arange(grid.slots) - release, half_life_s)
        starts[scenario.region_names.index(region)] = size * share
    fewest = min((_number_seen(lessons.get(region)) for region in launch.at), default=0)
    return Crowd(starts, _sigma(list(lessons.values())), half_life_s, fewest)


def _half_life_s(scenario: Scenario, name: str, lessons: list[LaunchLesson]) -> float:
    """Return a launch's half-life: as declared, else as past launches say."""
    half_life_s = scenario.launches[name].half_life
    if not half_life_s and not lessons:
        raise HistoryError(f"launches.{name}.half_life: {_UNKNOWN}")
    return half_life_s or lessons[0].half_life_s


def _number_seen(lesson: LaunchLesson | None) -> int:
    return 0 if lesson is None else len(lesson.seen)


def _size(scenario: Scenario, name: str, region: str, lesson: LaunchLesson | None) -> float:
    """Return a launch's sessions in a region: as declared, else as past launches there say."""
    launch = scenario.launches[name]
    if region in launch.crowd:
        return launch.strength * launch.crowd[region]
    if lesson is None:
        raise HistoryError(f"launches.{name}.crowd.{region}: {_UNKNOWN}")
    return lesson.mean


def _sigma(lessons: list[LaunchLesson]) -> float:
    """Return the spread of the log of a crowd: of past ones about their mean, shrunk to the prior."""
    square = sum(float(np.var(np.log(lesson.seen)) * len(lesson.seen)) for lesson in lessons)
    number = sum(len(lesson.seen) - 1 for lesson in lessons)
    total = _PRIOR_WEIGHT * _PRIOR_SIGMA**2 + square
    return float(np.sqrt(total / (_PRIOR_WEIGHT + number)))


def crowd_notes(scenario: Scenario, learned: list[LaunchLesson]) -> list[str]:
    """Return for every launch and region where its size and decay come from."""
    lessons = {(lesson.launch, lesson.region): lesson for lesson in learned}
    launched = [
        (name, region) for name, launch in scenario.launches.items() for region in launch.at
    ]
    return [
        *(_note(scenario, name, region, lessons.get((name, region))) for name, region in launched),
        *(
            f"launch {name} in {region} begins outside the event there: what comes outside is in no number of it"
            for name, region in launched
            if not _begins_within(scenario, name, region)
        ),
        *(
            f"launch {name}: no journey plays it, so its crowd is in no number; name it in one, as "
            f"`journeys: {{fan: {{launch: {name}}}}}`"
            for name in scenario.launches
            if all(journey.launch != name for journey in scenario.journeys.values())
        ),
    ]


def _begins_within(scenario: Scenario, launch: str, region: str) -> bool:
    start, end = scenario.span(scenario.event, region)
    return start <= scenario.launch_at(launch, region) < end


def _note(scenario: Scenario, name: str, region: str, lesson: LaunchLesson | None) -> str:
    launch = scenario.launches[name]
    if lesson is None:
        return (
            f"launch {name} in {region}: crowd as declared, no past launch there to learn from; its spread, "
            f"{_PRIOR_SIGMA:g} in logs, is prior, not calibrated"
        )
    past = f"past launches ({len(lesson.seen)}), at its strength, say {lesson.mean:,.0f}"
    decay = f"they halve in {lesson.half_life_s / 60:.1f} min"
    if region in launch.crowd:
        past = f"crowd as declared, {launch.strength * launch.crowd[region]:,.0f}; {past}"
    if launch.half_life is not None:
        decay += f", declared {launch.half_life / 60:.1f}"
    limit = 100 * supported(len(lesson.seen))
    return f"launch {name} in {region}: {past}; {decay}; quantiles beyond p{limit:.0f} are prior, not calibrated"
