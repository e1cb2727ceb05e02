"""A made-up past with everything a real one has: growth, seasons, events, robots, an outage."""

from __future__ import annotations

import hashlib
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

__all__ = ["make_past", "past_fingerprint"]

_VERSION = 1
"""Of this generator; part of the cache's key."""

_BUYERS_AT_EVENTS = 1.25
"""How much likelier a session buys during an event. Ours: a plausible past, no measurement."""


def past_fingerprint(scenario: Scenario, seed: Seed) -> str:
    """Return the hash of all that decides the synthetic past, hex."""
    past = scenario.model_dump_json(
        include={"regions", "calendar", "history", "launches", "journeys"}, by_alias=True
    )
    text = f"{_VERSION}|{seed.root}|{scenario.step_names}|{past}"
    return hashlib.sha256(text.encode()).hexdigest()


def make_past(scenario: Scenario, *, seed: Seed) -> History:
    """Return the synthetic past of a scenario; HistoryError if it describes none."""
    block = scenario.history.synthetic
    if block is None:
        raise HistoryError(
            "this scenario has no history.synthetic block; give a file with --history FILE"
        )
    until = scenario.history.until
    grid = TimeGrid.between(until - timedelta(days=block.days), until)
    counts = np.empty((len(scenario.regions), len(scenario.steps), grid.slots), dtype=np.float32)
    for index, region in enumerate(scenario.regions):
        means = _mean_steps(scenario, block, region, grid, seed)
        _robots(means, block, grid, seed.stream("robots", region))
        noise = seed.stream("counts", region)
        for step, mean in enumerate(means):
            counts[index, step] = noise.poisson(mean)
    _outages(counts, block, grid, seed.stream("outages"))
    return History(
        grid,
        scenario.region_names,
        scenario.step_names,
        counts,
        "synthetic",
        past_fingerprint(scenario, seed),
    )


def _mean_steps(
    scenario: Scenario, block: Synthetic, region: str, grid: TimeGrid, seed: Seed
) -> Array:
    """Return expected steps a minute, shape (steps, slots)."""
    sessions = _sessions(scenario, block, region, grid, seed)
    effect = _event_effect(scenario, region, grid, seed)
    sessions *= np.exp(effect)
    busy = np.clip(effect, 0, 1)
    visits = {
        name: scenario.journeys[name].visits_per_session(scenario.step_names)
        for name in block.journeys
    }
    keenest = max(visits, key=lambda name: visits[name][-1] / visits[name].sum())
    shares = {name: np.full(grid.slots, share) for name, share in block.journeys.items()}
    if len(shares) > 1:
        extra = np.minimum(shares[keenest] * (_BUYERS_AT_EVENTS - 1) * busy, 1 - shares[keenest])
        rest = 1 - shares[keenest]
        for name in shares:
            shares[name] = (
                shares[name] + extra if name == keenest else shares[name] * (1 - extra / rest)
            )
    means = np.zeros((len(scenario.steps), grid.slots))
    for name, share in shares.items():
        means += visits[name][:, None] * (sessions * share)
    return means + _launch_steps(scenario, region, grid)


def _sessions(
    scenario: Scenario, block: Synthetic, region: str, grid: TimeGrid, seed: Seed
) -> Array:
    """Return ordinary session starts a minute, shape (slots,)."""
    zone = ZoneInfo(scenario.regions[region].zone)
    utc = pd.date_range(grid.start, periods=grid.slots, freq="min")
    local = utc.tz_convert(zone)
    minute = (local.hour * 60 + local.minute).to_numpy()
    weekday = local.day_of_week.to_numpy()
    year = (local.day_of_year.to_numpy() - 1) / 365.25
    day = 2 * np.pi * minute / 1440
    shape = np.exp(
        0.55 * np.cos(day - 2 * np.pi * 20 / 24)
        + 0.3 * np.cos(2 * day - 2 * np.pi * 0.5)
        + np.where(weekday >= 5, 0.12 * np.cos(day - 2 * np.pi * 13 / 24) + 0.08, 0.0)
    )
    shape *= 1 + 0.04 * (minute % 60 == 0)  # alarms and newsletters on the hour
    shape /= shape[: min(grid.slots, 10080)].mean()
    season = np.exp(0.10 * np.cos(2 * np.pi * (year - 0.95)) + 0.03 * np.cos(4 * np.pi * year))
    growth = _growth(block, grid)
    wander = _slow_noise(grid.slots, seed.stream("level", region))
    per_minute = block.sessions_per_day[region] / 1440
    return np.asarray(per_minute * growth * season * shape * wander)


def _growth(block: Synthetic, grid: TimeGrid) -> Array:
    """Return the level against its end (1 at the last slot), shape (slots,)."""
    slope = np.full(grid.slots, np.log(block.growth_per_year) / (365.25 * 1440))
    if block.slope_break is not None:
        at = max(0, grid.index_of(block.slope_break.at))
        slope[at:] = np.log(block.slope_break.growth_per_year) / (365.25 * 1440)
    level = np.cumsum(slope)
    return np.asarray(np.exp(level - level[-1]))


def _slow_noise(slots: int, rng: np.random.Generator) -> Array:
    """Return a wandering level around 1: hourly knots, day-long memory, 4 % wide."""
    knots = slots // 60 + 2
    steps = rng.normal(0, 0.04 * np.sqrt(1 - 0.96**2), knots)
    level = np.empty(knots)
    level[0] = 0.0
    for i in range(1, knots):
        level[i] = 0.96 * level[i - 1] + steps[i]
    return np.exp(np.interp(np.arange(slots) / 60, np.arange(knots), level))


def _event_effect(scenario: Scenario, region: str, grid: TimeGrid, seed: Seed) -> Array:
    """Return the log effect of past events, shape (slots,)."""
    effect = np.zeros(grid.slots)
    for event, start, end in scenario.occurrences(region):
        if start >= grid.end:
            continue
        first = max(0, grid.index_of(start) - 1440)
        last = min(grid.slots, grid.index_of(end) + 1440)
        if last <= first:
            continue
        at = np.arange(first, last, dtype=float)
        from_start = at - (start - grid.start).total_seconds() / 60
        from_end = at - (end - grid.start).total_seconds() / 60
        luck = 1 + 0.05 * seed.stream("strength", event.name).standard_normal()
        effect[first:last] += (
            event.strength * luck * KINDS[event.kind].log_effect(from_start, from_end)
        )
    return effect


def _launch_steps(scenario: Scenario, region: str, grid: TimeGrid) -> Array:
    """Return steps a minute of past launches' crowds, shape (steps, slots)."""
    out = np.zeros((len(scenario.steps), grid.slots))
    for name, journey in scenario.journeys.items():
        launch = scenario.launches.get(journey.launch or "")
        if launch is None or region not in launch.crowd or launch.half_life is None:
            continue
        visits = scenario.journeys[name].visits_per_session(scenario.step_names)
        for event, start, _ in scenario.occurrences(region):
            if event.kind == "launch" and start < grid.end:
                first = grid.index_of(start)
                at = np.arange(max(0, first), min(grid.slots, first + 180))
                crowd = event.strength * launch.crowd[region]
                share = launch.crowd_share(at - first, launch.half_life)
                out[:, at] += visits[:, None] * crowd * share
    return out


def _robots(means: Array, block: Synthetic, grid: TimeGrid, rng: np.random.Generator) -> None:
    """Add bursts to one step at a time, 30-150 minutes, 2 to 7 times its level."""
    for _ in range(rng.poisson(block.robots_per_year * grid.slots / 525_600)):
        step, at = int(rng.integers(len(means))), int(rng.integers(grid.slots))
        burst = slice(at, at + int(rng.integers(30, 150)))
        means[step, burst] += means[step, burst].mean() * rng.uniform(2, 7)


def _outages(counts: Array, block: Synthetic, grid: TimeGrid, rng: np.random.Generator) -> None:
    """Drop one region's counts to almost nothing for 20 to 90 minutes, at least once."""
    if block.outages_per_year <= 0:
        return
    for _ in range(max(1, rng.poisson(block.outages_per_year * grid.slots / 525_600))):
        region, at = int(rng.integers(len(counts))), int(rng.integers(grid.slots))
        gone = slice(at, at + int(rng.integers(20, 90)))
        counts[region, :, gone] = np.floor(counts[region, :, gone] * 0.02)
