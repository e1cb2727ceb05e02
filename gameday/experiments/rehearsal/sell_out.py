"""When a limited product is sold out: the instant a customer is first told so, predicted and measured."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from gameday.experiments.replications.replication import NOBODY, Replications
from gameday.record.intervals import Interval, binomial_band, interval_of
from gameday.scenario import Scenario
from gameday.vocabulary import TimeGrid

__all__ = ["SellOut", "sell_outs", "when_sold_out"]

_LEVELS = (0.1, 0.5, 0.9)


@dataclass(frozen=True, slots=True)
class SellOut:
    """When a product of limited stock is gone, over one run or over replications."""

    product: str
    sells_out: Interval
    """Share of runs in which it is sold out within the window."""
    release_utc: str | None
    p10_utc: str | None
    """Quantiles of when it is sold out; runs in which it does not come last. None: not in the window."""
    p50_utc: str | None
    p90_utc: str | None
    said: str
    """The quantiles in words."""


def sell_outs(scenario: Scenario, replications: Replications) -> dict[str, tuple[SellOut, ...]]:
    """Return stack -> its limited products: when each is gone, over replications at real speed."""
    answers = {}
    for runs in zip(*replications, strict=True):
        stack, window = runs[0].stack, runs[0].grid
        rows = [
            when_sold_out(
                scenario, stack, product, window, [run.sold_out.get(product) for run in runs]
            )
            for product in scenario.stock(stack)
        ]
        if not any(run.achieved.any() for run in runs):
            unknown = interval_of(binomial_band(0, 0))
            rows = [replace(row, sells_out=unknown, said=NOBODY) for row in rows]
        answers[stack] = tuple(rows)
    return answers


def when_sold_out(
    scenario: Scenario, stack: str, product: str, window: TimeGrid, at_s: list[float | None]
) -> SellOut:
    """Return the share of runs in which a product sells out, and when.

    `at_s`: of each run, event seconds from the window's start; None = it does not sell out.
    """
    release = scenario.release(product, stack)
    in_order = sorted(math.inf if second is None else second for second in at_s)
    p10_utc, p50_utc, p90_utc = (_instant(window, _quantile(in_order, q)) for q in _LEVELS)
    sold = sum(second is not None for second in at_s)
    return SellOut(
        product,
        interval_of(binomial_band(sold, len(at_s))),
        None if release is None else release.isoformat(),
        p10_utc,
        p50_utc,
        p90_utc,
        _in_words(release, window, in_order, len(at_s) - sold),
    )


def _instant(window: TimeGrid, at_s: float) -> str | None:
    if at_s == math.inf:
        return None
    return (window.start + timedelta(seconds=round(at_s))).isoformat()


def _quantile(in_order: list[float], level: float) -> float:
    return in_order[max(0, math.ceil(level * len(in_order)) - 1)]


def _in_words(release: datetime | None, window: TimeGrid, in_order: list[float], never: int) -> str:
    """Return the quantiles in words; before the window nothing of the stock is taken to be sold."""
    early = ""
    if release is not None and release < window.start:
        early = "; it was released before the window: how much was left then is not known, all is taken to be"
    if never == len(in_order):
        return f"does not sell out in the window{early}"
    seconds = [_quantile(in_order, level) for level in _LEVELS]
    low, middle, high = (_clock(window, second) for second in seconds)
    after = ""
    if release is not None and seconds[1] < math.inf:
        late_s = (window.start - release).total_seconds() + seconds[1]
        after = f", {late_s / 60:.1f} min after the release"
    spread = f" (p10 {low}, p90 {high})" if len(in_order) > 1 else ""
    return f"{middle}{after}{spread}{early}"


def _clock(window: TimeGrid, at_s: float) -> str:
    if at_s == math.inf:
        return "not in the window"
    if at_s < 0:
        return "before the window"
    return f"{window.start + timedelta(seconds=at_s):%Y-%m-%dT%H:%M:%SZ}"
