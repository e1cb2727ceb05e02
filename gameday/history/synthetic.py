"""A made-up past with everything a real one has: growth, seasons, events, robots, an outage."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd

from gameday.errors import HistoryError
from gameday.history.history import History
from gameday.scenario import Scenario
from gameday.scenario.blocks import Synthetic
from gameday.scenario.events import KINDS
from gameday.vocabulary import Array, Seed, TimeGrid

__all__ = ["make_past", "past_fingerprint", "synthetic_grid", "synthetic_history"]

_VERSION = 1
"""Of this generator; part of the cache's key."""

_BUYERS_AT_EVENTS = 1.25
"""How much likelier a session buys during an event. Ours: a plausible past, no measurement."""
_DAY_MIN = 1440
_YEAR_MIN = 525_600


@dataclass(frozen=True, slots=True)
class _Recipe:
    """What a synthetic past is made of."""

    scenario: Scenario
    block: Synthetic
    grid: TimeGrid
    seed: Seed


def past_fingerprint(scenario: Scenario, seed: Seed) -> str:
    """Return the hash of all that decides the synthetic past, hex."""
    past = scenario.model_dump_json(
        include={"regions", "calendar", "history", "launches", "journeys"}, by_alias=True
    )
    text = f"{_VERSION}|{seed.root}|{scenario.step_names}|{past}"
    return hashlib.sha256(text.encode()).hexdigest()


def _synthetic_block(scenario: Scenario) -> Synthetic:
    block = scenario.history.synthetic
    if block is None:
        raise HistoryError(
            "this scenario has no history.synthetic block; give a file with --history FILE"
        )
    return block


def synthetic_grid(scenario: Scenario) -> TimeGrid:
    """Return the minutes of a scenario's synthetic past; HistoryError if it describes none."""
    until = scenario.history.until
    return TimeGrid.between(until - timedelta(days=_synthetic_block(scenario).days), until)


def synthetic_history(scenario: Scenario, grid: TimeGrid, counts: Array, sha256: str) -> History:
    """Return made-up counts, shape (regions, steps, slots), as a history."""
    return History(
        grid, scenario.region_names, scenario.step_names, counts, source="synthetic", sha256=sha256
    )


def make_past(scenario: Scenario, *, seed: Seed) -> History:
    """Return the synthetic past of a scenario; HistoryError if it describes none."""
    block, grid = _synthetic_block(scenario), synthetic_grid(scenario)
    recipe = _Recipe(scenario, block, grid, seed)
    counts = np.empty((len(scenario.regions), len(scenario.steps), grid.slots), dtype=np.float32)
    for index, region in enumerate(scenario.regions):
        _draw_counts(counts[index], recipe, region)
    _cut_outages(counts, block, grid, seed.stream("outages"))
    return synthetic_history(scenario, grid, counts, past_fingerprint(scenario, seed))


def _mean_steps(recipe: _Recipe, region: str) -> Array:
    """Return expected steps a minute, shape (steps, slots)."""
    scenario, grid = recipe.scenario, recipe.grid
    sessions = _ordinary_sessions(recipe, region)
    effect = _event_effect(recipe, region)
    sessions *= np.exp(effect)
    visits = {
        name: scenario.journeys[name].visits_per_session(scenario.step_names)
        for name in recipe.block.journeys
    }
    means = np.zeros((len(scenario.steps), grid.slots))
    for name, share in _journey_shares(recipe.block, visits, effect).items():
        means += visits[name][:, None] * (sessions * share)
    return means + _launch_steps(recipe, region)


def _draw_counts(counts: Array, recipe: _Recipe, region: str) -> None:
    """Fill in a region's counts, shape (steps, slots): customers and robots."""
    means = _mean_steps(recipe, region)
    _add_robots(means, recipe.block, recipe.grid, recipe.seed.stream("robots", region))
    noise = recipe.seed.stream("counts", region)
    for step, mean in enumerate(means):
        counts[step] = noise.poisson(mean)


def _journey_shares(block: Synthetic, visits: dict[str, Array], effect: Array) -> dict[str, Array]:
    """Return each journey's share of session starts, shape (slots,): during events more of them buy.

    `visits` are steps a session of each journey, `effect` is the log effect of events, shape (slots,).
    """
    shares = {name: np.full(len(effect), share) for name, share in block.journeys.items()}
    if len(shares) == 1:
        return shares
    buyers = max(visits, key=lambda name: visits[name][-1] / visits[name].sum())
    busy = np.clip(effect, 0, 1)
    rest = 1 - shares[buyers]
    extra = np.minimum(shares[buyers] * (_BUYERS_AT_EVENTS - 1) * busy, rest)
    return {
        name: share + extra if name == buyers else share * (1 - extra / rest)
        for name, share in shares.items()
    }


def _ordinary_sessions(recipe: _Recipe, region: str) -> Array:
    """Return session starts a minute without events, shape (slots,)."""
    grid = recipe.grid
    zone = ZoneInfo(recipe.scenario.regions[region].zone)
    local = pd.date_range(grid.start, periods=grid.slots, freq="min").tz_convert(zone)
    profile = _weekly_profile(local)
    season = _season(local)
    growth = _growth(recipe.block, grid)
    wander = _slow_noise(grid.slots, recipe.seed.stream("level", region))
    per_minute = recipe.block.sessions_per_day[region] / _DAY_MIN
    return np.asarray(per_minute * growth * season * profile * wander)


def _season(local: pd.DatetimeIndex) -> Array:
    """Return the level of each minute's day of the year, shape (slots,): highest before the year's end."""
    year = (local.day_of_year.to_numpy() - 1) / 365.25
    season = 0.10 * np.cos(2 * np.pi * (year - 0.95)) + 0.03 * np.cos(4 * np.pi * year)
    return np.asarray(np.exp(season))


def _weekly_profile(local: pd.DatetimeIndex) -> Array:
    """Return the level of each minute of local time against its week's mean, shape (slots,)."""
    minute = (local.hour * 60 + local.minute).to_numpy()
    weekday = local.day_of_week.to_numpy()
    day = 2 * np.pi * minute / _DAY_MIN
    level = np.exp(
        0.55 * np.cos(day - 2 * np.pi * 20 / 24)
        + 0.3 * np.cos(2 * day - 2 * np.pi * 0.5)
        + np.where(weekday >= 5, 0.12 * np.cos(day - 2 * np.pi * 13 / 24) + 0.08, 0.0)
    )
    level *= 1 + 0.04 * (minute % 60 == 0)  # alarms and newsletters on the hour
    level /= level[: min(len(level), 7 * _DAY_MIN)].mean()
    return np.asarray(level)


def _growth(block: Synthetic, grid: TimeGrid) -> Array:
    """Return the level against its end (1 at the last slot), shape (slots,)."""
    slope = np.full(grid.slots, np.log(block.growth_per_year) / (365.25 * _DAY_MIN))
    if block.slope_break is not None:
        first = max(0, grid.index_of(block.slope_break.at))
        slope[first:] = np.log(block.slope_break.growth_per_year) / (365.25 * _DAY_MIN)
    level = np.cumsum(slope)
    return np.asarray(np.exp(level - level[-1]))


def _slow_noise(slots: int, rng: np.random.Generator) -> Array:
    """Return a level that wanders around 1, shape (slots,): an hourly AR(1) process on the log scale.

    Its memory is about a day, its standard deviation 0.04; between the hours it is interpolated.
    """
    knots = slots // 60 + 2
    steps = rng.normal(0, 0.04 * np.sqrt(1 - 0.96**2), knots)
    level = np.empty(knots)
    level[0] = 0.0
    for i in range(1, knots):
        level[i] = 0.96 * level[i - 1] + steps[i]
    return np.exp(np.interp(np.arange(slots) / 60, np.arange(knots), level))


def _event_effect(recipe: _Recipe, region: str) -> Array:
    """Return the log effect of past events, shape (slots,)."""
    grid = recipe.grid
    effect = np.zeros(grid.slots)
    for event, start, end in recipe.scenario.occurrences(region):
        if start >= grid.end:
            continue
        first = max(0, grid.index_of(start) - _DAY_MIN)
        last = min(grid.slots, grid.index_of(end) + _DAY_MIN)
        if last <= first:
            continue
        slot = np.arange(first, last, dtype=float)
        from_start = slot - (start - grid.start).total_seconds() / 60
        from_end = slot - (end - grid.start).total_seconds() / 60
        luck = 1 + 0.05 * recipe.seed.stream("strength", event.name).standard_normal()
        curve = KINDS[event.kind].log_effect(from_start, from_end)
        effect[first:last] += event.strength * luck * curve
    return effect


def _launch_steps(recipe: _Recipe, region: str) -> Array:
    """Return steps a minute of past launches' crowds, shape (steps, slots)."""
    scenario, grid = recipe.scenario, recipe.grid
    out = np.zeros((len(scenario.steps), grid.slots))
    launches = _past_launches(recipe, region)
    for journey in scenario.journeys.values():
        launch = scenario.launches.get(journey.launch or "")
        if launch is None or region not in launch.crowd or launch.half_life is None:
            continue
        visits = journey.visits_per_session(scenario.step_names)
        for strength, first in launches:
            slot = np.arange(max(0, first), min(grid.slots, first + 180))
            crowd = strength * launch.crowd[region]
            share = launch.crowd_share(slot - first, launch.half_life)
            out[:, slot] += visits[:, None] * crowd * share
    return out


def _past_launches(recipe: _Recipe, region: str) -> list[tuple[float, int]]:
    """Return strength and first slot of each launch before the past ends; the slot may be below 0."""
    return [
        (event.strength, recipe.grid.index_of(start))
        for event, start, _ in recipe.scenario.occurrences(region)
        if event.kind == "launch" and start < recipe.grid.end
    ]


def _add_robots(means: Array, block: Synthetic, grid: TimeGrid, rng: np.random.Generator) -> None:
    """Add bursts to one step at a time, 30-150 minutes, 2 to 7 times its level."""
    for _ in range(rng.poisson(block.robots_per_year * grid.slots / _YEAR_MIN)):
        step, first = int(rng.integers(len(means))), int(rng.integers(grid.slots))
        burst = slice(first, first + int(rng.integers(30, 150)))
        means[step, burst] += means[step, burst].mean() * rng.uniform(2, 7)


def _cut_outages(counts: Array, block: Synthetic, grid: TimeGrid, rng: np.random.Generator) -> None:
    """Drop one region's counts to almost nothing for 20 to 90 minutes, at least once."""
    if block.outages_per_year <= 0:
        return
    for _ in range(max(1, rng.poisson(block.outages_per_year * grid.slots / _YEAR_MIN))):
        region, first = int(rng.integers(len(counts))), int(rng.integers(grid.slots))
        gone = slice(first, first + int(rng.integers(20, 90)))
        counts[region, :, gone] = np.floor(counts[region, :, gone] * 0.02)
