"""The four drills in the shop's own services on a virtual clock: naive stays down, sound comes back.

The model's side of the table is in tests/findings/test_failures.py.
"""

from __future__ import annotations

import asyncio
import math

import numpy as np
import pytest

from gameday.queueing import build_cell, plan_timed_changes
from gameday.scenario import load_scenario
from gameday.scenario.reading.injections import parse_injections
from gameday.shop.station import Asker, LiveServices
from gameday.vocabulary import Clock
from tests.support.virtual_shop import in_virtual_time

MINUTE_S, MINUTES, BASE_PER_S = 60.0, 5, 80.0
"""Minutes: one as usual, one of what is injected, three after; customers as in the drills' plan."""
DRILLS = [
    "flush-cold-cache",
    *(
        pytest.param(drill, marks=pytest.mark.nightly)
        for drill in ("surge-retries", "outage-retries", "surge-thrashing")
    ),
]


def goodput(drill: str, seed: int) -> list[float]:
    """Return the share of customers served well within their patience, minute by minute."""
    scenario = load_scenario(f"drills/{drill}")
    injections = parse_injections(scenario.replay.inject, scenario, MINUTES * MINUTE_S)
    rng = np.random.default_rng(seed)
    factor = np.ones(MINUTES)
    for one in injections:
        if one.traffic is not None:
            factor[int(one.at_s // MINUTE_S) : math.ceil(one.until_s / MINUTE_S)] *= one.traffic
    at_s = np.sort(
        np.concatenate(
            [
                (minute + rng.random(rng.poisson(BASE_PER_S * MINUTE_S * times))) * MINUTE_S
                for minute, times in enumerate(factor)
            ]
        )
    )
    patience = scenario.journeys["visitor"].patience

    async def whole() -> list[tuple[float, bool]]:
        cell = build_cell(scenario, "main", scale=1.0)
        live = LiveServices(scenario, cell, seed)
        live.begin(plan_timed_changes(scenario, cell, injections, Clock()))
        visit = cell.exchanges("buy", None)[0][0]

        async def one(begins_s: float, number: int) -> tuple[float, bool]:
            loop = asyncio.get_running_loop()
            await asyncio.sleep(begins_s - loop.time())
            is_well = await live.call(visit, Asker(number))
            return begins_s, is_well and loop.time() - begins_s < patience

        return list(await asyncio.gather(*(one(float(s), n) for n, s in enumerate(at_s))))

    ends = np.array(in_virtual_time(whole))
    minutes = (ends[:, 0] // MINUTE_S).astype(int)
    return [float(ends[minutes == minute, 1].mean()) for minute in range(MINUTES)]


@pytest.mark.parametrize("drill", DRILLS)
def test_a_naive_policy_stays_down_in_the_shop_though_its_trigger_is_gone(drill: str) -> None:
    seen = goodput(drill, seed=1)
    assert seen[0] > 0.97
    assert max(seen[2:]) < 0.5


@pytest.mark.parametrize("drill", DRILLS)
def test_a_sound_policy_comes_back_by_itself_in_the_shop(drill: str) -> None:
    seen = goodput(f"{drill}-sound", seed=1)
    assert seen[0] > 0.97
    assert min(seen[3:]) > 0.97
