"""What the model says of an event: every number a mean over replications with its interval."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from gameday.experiments.replications.replication import QUANTITIES, SPANS, UNITS, Replication
from gameday.queueing import Visit, build_cell, least_scale
from gameday.record.intervals import (
    band_of,
    binomial_band,
    level_interval,
    rounded,
    t_bands,
    t_interval,
)
from gameday.scenario import METRICS, Scenario
from gameday.vocabulary import Array, Band

__all__ = [
    "DRAWN",
    "NOBODY",
    "TOO_SMALL",
    "Replications",
    "minute_bands",
    "objective_change",
    "rehearse",
    "said_of",
    "series_of",
    "series_table",
    "service_change",
]

if TYPE_CHECKING:
    from collections.abc import Callable

    import pandas as pd

TOO_SMALL = "not judged: the cell is too small"
"""Said of an objective instead of `holds` or `fails`."""
NOBODY = "not observed: no customer came"
"""Said of what no customer met: it neither holds nor fails."""
DRAWN = ("utilisation", "wait_s", "p99_s", "turned_away")
"""Quantities that are drawn minute by minute."""
_MOST_POINTS = 600
Replications = tuple[tuple[Replication, ...], ...]
"""One entry a replication, in each one a stack."""


def rehearse(scenario: Scenario, replications: Replications, scale: float) -> dict[str, Any]:
    """Return per stack: services by span, which breaks first, objectives, books.

    In a cell too small to judge by (`scale` below `least_scale`) no objective holds or fails.
    """
    judged = scale >= least_scale(scenario)
    stacks = [list(each) for each in zip(*replications, strict=True)]
    return {
        "replications": len(replications),
        "stacks": {
            runs[0].stack: {
                "services": _by_service(runs[0].services, np.stack([run.spans for run in runs])),
                "bottlenecks": _bottlenecks(scenario, runs),
                "objectives": [
                    _objective(scenario, number, runs, is_judged=judged)
                    for number in range(len(scenario.objectives))
                ],
                "peak_hour_utc": runs[0].grid.instant(runs[0].hour.start).isoformat(),
                "imbalances": sorted({line for run in runs for line in run.imbalances}),
                "little_residual": max(run.little_residual for run in runs),
                "is_observed": any(run.arrived.any() for run in runs),
                "visits": round(float(np.mean([run.arrived.sum() for run in runs]))),
                "notes": list(runs[0].notes),
            }
            for runs in stacks
        },
    }


def _by_service(
    services: tuple[str, ...], spans: Array, *, of_change: bool = False
) -> list[dict[str, Any]]:
    """Return services with a band of each quantity and span; `spans` as Replication's, one a row.

    Only a band `of_change` goes below nothing, or that of a share beyond all.
    """
    return [
        {"service": name}
        | {
            span: {
                quantity: band_of(
                    t_interval(spans[:, s, q, n].tolist())
                    if of_change
                    else level_interval(spans[:, s, q, n].tolist(), UNITS[quantity])
                )
                for q, quantity in enumerate(QUANTITIES)
            }
            for s, span in enumerate(SPANS)
        }
        for n, name in enumerate(services)
    ]


def service_change(before: Replications, after: Replications) -> dict[str, list[dict[str, Any]]]:
    """Return stack -> services with the change of each quantity, pair by pair of replications.

    Each pair shares its customers and its draws, so what differs is the change alone.
    """
    out = {}
    for old, new in zip(zip(*before, strict=True), zip(*after, strict=True), strict=True):
        pairs = zip(old, new, strict=False)
        out[old[0].stack] = _by_service(
            old[0].services,
            np.stack([after.spans - before.spans for before, after in pairs]),
            of_change=True,
        )
    return out


def _bottlenecks(scenario: Scenario, runs: list[Replication]) -> list[dict[str, Any]]:
    """Return services by how likely each is the first to break, then by how likely it breaks at all.

    Of those that break in the same minute the deepest in the call graph counts: who calls it holds
    a server for it, and breaks because of it.
    """
    names, depth = runs[0].services, _depths(scenario, runs[0].stack)
    first, n = np.zeros(len(names), int), len(runs)
    for run in runs:
        broken = [
            (run.breaks_at[i], -depth[name], i)
            for i, name in enumerate(names)
            if run.breaks_at[i] >= 0
        ]
        if broken:
            first[min(broken)[2]] += 1
    rows = []
    for i, name in enumerate(names):
        share, when = _first(runs, [int(run.breaks_at[i]) for run in runs])
        rows.append(
            {
                "service": name,
                "is_first": band_of(binomial_band(int(first[i]), n)),
                "breaks": share,
                "minutes_to_break": when["minutes"],
                "at_utc": when["at_utc"],
                "when": when["said"],
            }
        )
    return sorted(rows, key=lambda row: (-row["is_first"]["mid"], -row["breaks"]["mid"]))


def _first(runs: list[Replication], firsts: list[int]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return of the first slots of something (-1 = in none) how often it is, and when it begins."""
    slots = [float(slot) for slot in firsts if slot >= 0]
    share = band_of(binomial_band(len(slots), len(runs)))
    if not slots:
        return share, {"minutes": None, "at_utc": None, "said": "-"}
    minutes = level_interval(slots, "number")
    at_utc = runs[0].grid.instant(int(np.median(slots))).isoformat()
    said = f"{at_utc[:16]} (+{minutes.low:.0f} to +{minutes.high:.0f} min)"
    if len(slots) < 2:
        said = f"{at_utc[:16]} (once)"
    elif minutes.mid == 0.0:
        said = f"{at_utc[:16]} or before"
    return share, {"minutes": band_of(minutes), "at_utc": at_utc, "said": said}


def _depths(scenario: Scenario, stack: str) -> dict[str, int]:
    """Return how many calls lie above each service at most."""
    out: dict[str, int] = dict.fromkeys(scenario.stack_services(stack), 0)

    def go_down(visit: Visit, above: int) -> None:
        out[visit.service] = max(out[visit.service], above)
        for group in visit.then:
            for below in group:
                go_down(below, above + 1)

    for groups in build_cell(scenario, stack, scale=1.0).visits.values():
        for group in groups:
            for visit in group:
                go_down(visit, 0)
    return out


def _objective(
    scenario: Scenario, number: int, runs: list[Replication], *, is_judged: bool
) -> dict[str, Any]:
    """Return what the runs say of an objective: holds, fails, undecided or not observed; and from when on."""
    criterion = scenario.objectives[number]
    unit = METRICS[criterion.metric]
    band = level_interval([run.number_of(number)[0] for run in runs], unit)
    said = said_of(band, criterion.holds) if is_judged else TOO_SMALL
    met = [run for run in runs if not math.isnan(run.number_of(number)[0])]
    share, when = _first(met, [int(run.fails_at[number]) for run in met])
    return {
        "text": criterion.text,
        "unit": {"s": "seconds", "share": "share"}.get(unit, "number"),
        "value": band_of(band),
        "said": said if met else NOBODY,
        "fails_in_some_minute": share,
        "minutes_to_breach": when["minutes"],
        "at_utc": when["at_utc"],
        "when": when["said"],
    }


def said_of(band: Band, holds: Callable[[float], bool]) -> str:
    """Return `holds`, `fails` or `undecided` by whether the whole interval does."""
    if np.isnan(band.mid):
        return "not observed"
    ends = {bool(holds(end)) for end in (band.low, band.high)}
    return "undecided" if len(ends) == 2 else ("holds" if ends == {True} else "fails")


def minute_bands(runs: list[Replication]) -> tuple[Array, Array, Array]:
    """Return mid, low and high of every minute of a stack, each (QUANTITIES, services, slots)."""
    mid, low, high = t_bands(np.stack([run.series for run in runs]))
    most = np.array([1.0 if UNITS[q] == "share" else np.inf for q in QUANTITIES])[:, None, None]
    return mid, np.maximum(low, 0.0), np.minimum(high, most)


def series_of(replications: Replications) -> dict[str, Any]:
    """Return stack -> times and, service by service, the bands that are drawn: mid, low, high.

    A long window is thinned to _MOST_POINTS: the highest of the middle, the widest of the band.
    """
    out = {}
    for runs in map(list, zip(*replications, strict=True)):
        slots = runs[0].grid.slots
        firsts = np.arange(0, slots, -(-slots // _MOST_POINTS))
        bands = [
            how.reduceat(band, firsts, axis=2)
            for how, band in zip((np.fmax, np.fmin, np.fmax), minute_bands(runs), strict=True)
        ]
        out[runs[0].stack] = {
            "slot_utc": [runs[0].grid.instant(int(i)).isoformat() for i in firsts],
            "services": {
                name: {
                    quantity: [rounded(band[QUANTITIES.index(quantity), n]) for band in bands]
                    for quantity in DRAWN
                }
                for n, name in enumerate(runs[0].services)
            },
        }
    return out


def objective_change(before: Replications, after: Replications) -> dict[str, list[dict[str, Any]]]:
    """Return stack -> objectives with their change, pair by pair of replications."""
    out: dict[str, list[dict[str, Any]]] = {}
    for old, new in zip(zip(*before, strict=True), zip(*after, strict=True), strict=True):
        values = [b.numbers[:, 0] - a.numbers[:, 0] for a, b in zip(old, new, strict=False)]
        out[old[0].stack] = [
            {"change": band_of(t_interval([v[i] for v in values]))}
            for i in range(len(old[0].numbers))
        ]
    return out


def series_table(replications: Replications) -> pd.DataFrame:
    """Return every minute's numbers with their intervals, as `event.parquet` holds them."""
    import pandas as pd

    frames = []
    for runs in map(list, zip(*replications, strict=True)):
        bands = minute_bands(runs)
        index = pd.MultiIndex.from_product(
            [
                [runs[0].stack],
                QUANTITIES,
                runs[0].services,
                pd.to_datetime(runs[0].grid.minutes(), unit="m", utc=True),
            ],
            names=["stack", "quantity", "service", "slot_utc"],
        )
        columns = {n: b.ravel() for n, b in zip(("mid", "low", "high"), bands, strict=True)}
        frames.append(pd.DataFrame(columns, index=index).reset_index())
    return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame()
