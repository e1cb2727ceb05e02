"""When a limited product is sold out: the instant a customer is first told so, predicted and measured."""

from __future__ import annotations

import math
from datetime import datetime, timedelta
from typing import Any

from gameday.experiments.rehearsal.stack_answers import NOBODY, Replications
from gameday.record.intervals import band_of, binomial_band
from gameday.scenario import Scenario
from gameday.vocabulary import TimeGrid

__all__ = ["sell_outs", "when_sold_out"]

_LEVELS = (0.1, 0.5, 0.9)


def sell_outs(scenario: Scenario, replications: Replications) -> dict[str, list[dict[str, Any]]]:
    """Return stack -> a row a limited product: when it is gone over replications at real speed."""
    out = {}
    for runs in zip(*replications, strict=True):
        stack, window = runs[0].stack, runs[0].grid
        out[stack] = [
            when_sold_out(
                scenario, stack, product, window, [run.sold_out.get(product) for run in runs]
            )
            for product in scenario.stock(stack)
        ]
        if not any(run.achieved.any() for run in runs):
            unknown = {"sells_out": band_of(binomial_band(0, 0)), "said": NOBODY}
            out[stack] = [row | unknown for row in out[stack]]
    return out


def when_sold_out(
    scenario: Scenario, stack: str, product: str, window: TimeGrid, at_s: list[float | None]
) -> dict[str, Any]:
    """Return the share of runs in which it sells out, and quantiles of when, event s from the window's start.

    Runs in which it does not come last.
    """
    opens = scenario.release(product, stack)
    order = sorted(math.inf if one is None else one for one in at_s)
    at: dict[str, str | None] = {}
    for level in _LEVELS:
        one = order[max(0, math.ceil(level * len(order)) - 1)]
        instant = None if one == math.inf else window.start + timedelta(seconds=round(one))
        at[f"p{100 * level:g}_utc"] = None if instant is None else instant.isoformat()
    sold = sum(one is not None for one in at_s)
    return {
        "product": product,
        "sells_out": band_of(binomial_band(sold, len(at_s))),
        "release_utc": None if opens is None else opens.isoformat(),
        **at,
        "said": _text(opens, window, order, len(at_s) - sold),
    }


def _text(opens: datetime | None, window: TimeGrid, order: list[float], never: int) -> str:
    """Return the quantiles in words; before what is played all of the stock was there."""
    early = ""
    if opens is not None and opens < window.start:
        early = "; it was released before the window: how much was left then is not known, all is taken to be"
    if never == len(order):
        return f"does not sell out in the window{early}"
    times = [order[max(0, math.ceil(level * len(order)) - 1)] for level in _LEVELS]
    low, middle, high = (_clock(window, one) for one in times)
    after = ""
    if opens is not None and times[1] < math.inf:
        late_s = (window.start - opens).total_seconds() + times[1]
        after = f", {late_s / 60:.1f} min after the release"
    spread = f" (p10 {low}, p90 {high})" if len(order) > 1 else ""
    return f"{middle}{after}{spread}{early}"


def _clock(window: TimeGrid, at_s: float) -> str:
    if at_s == math.inf:
        return "not in the window"
    if at_s < 0:
        return "before the window"
    return f"{window.start + timedelta(seconds=at_s):%Y-%m-%dT%H:%M:%SZ}"
