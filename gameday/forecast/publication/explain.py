"""Why a forecast is what it is: its ingredients as factors, and what changed since the last one.

The factors multiply to the forecast exactly, and launches' crowds are added to that: log(1 + count) is a sum of
ingredients, a factor `small counts` takes the 1 away again (it is 1 for all but the quietest series), and what
recurs and ties are factors already.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from types import MappingProxyType

import numpy as np

from gameday.forecast.model.blend import FACTORS, PROFILE
from gameday.forecast.model.regional import Model
from gameday.vocabulary import Array

__all__ = [
    "Bridge",
    "ErrorSpread",
    "Waterfall",
    "bridge",
    "error_spread",
    "waterfall",
    "waterfall_of",
]

_SMALL = "small counts"
_ORDER = (
    "base",
    "trend",
    "slope breaks",
    "recent level",
    "year",
    "weekday",
    "time of day",
    PROFILE,
)
"""Ingredients in the order in which they are told; then holidays, regressors, events."""


@dataclass(frozen=True, slots=True)
class Waterfall:
    """One forecast as a product."""

    region: str
    step: str
    at: datetime
    factors: tuple[tuple[str, float], ...]
    """(ingredient, factor); the first is a count a minute, the others multiply it."""
    forecast: float
    """The product and what launches add, steps a minute."""
    launches: tuple[tuple[str, float], ...] = ()
    """(launch, steps a minute of its crowd): they add to the product, they do not multiply it."""


@dataclass(frozen=True, slots=True)
class ErrorSpread:
    """How far forecasts of so far ahead were off before, as log ratios."""

    what: str
    of: str
    errors: int
    p10: float
    p50: float
    p90: float


@dataclass(frozen=True, slots=True)
class Bridge:
    """From the previous forecast to this one."""

    before: float
    after: float
    factors: tuple[tuple[str, float], ...]
    """(ingredient, factor by which it moved what is not of launches); their product is after / before of that."""
    launches: tuple[tuple[str, float, float], ...]
    """(launch, steps a minute of its crowd before, and after)."""


def waterfall(
    model: Model,
    step: int,
    name: str,
    at: datetime,
    launches: Mapping[str, float] = MappingProxyType({}),
) -> Waterfall:
    """Return the ingredients of one minute's forecast of series number `step`, called `name`.

    `launches`: what each adds to that minute, steps a minute.
    """
    minute = np.array([at.timestamp() // 60])
    logs = {k: float(v[0, step]) for k, v in model.blend.parts(minute).items()}
    told = waterfall_of(model.past.calendar.region, name, at, logs)
    added = tuple((launch, steps) for launch, steps in launches.items() if steps > 0)
    return replace(told, forecast=told.forecast + sum(n for _, n in added), launches=added)


def waterfall_of(region: str, name: str, at: datetime, logs: Mapping[str, float]) -> Waterfall:
    """Return ingredients, as logs, as factors that multiply to the forecast; without launches."""
    whole = sum(log for name, log in logs.items() if name not in FACTORS)
    moved = sum(logs.get(name, 0.0) for name in FACTORS)
    forecast = max(float(np.expm1(whole)), 0.0) * float(np.exp(moved))
    factors = [(k, float(np.exp(logs[k]))) for k in _told(logs)]
    # 1 - exp(-whole) is what expm1 leaves of exp: 1 for dense series, 0 where less than none is expected.
    factors.append((_SMALL, float(max(-np.expm1(-whole), 0.0))))
    return Waterfall(region, name, at, tuple(factors), forecast)


def _told(logs: Mapping[str, float]) -> list[str]:
    known = [name for name in _ORDER if name in logs]
    return known + sorted(name for name in logs if name not in _ORDER)


def bridge(before: Waterfall, after: Waterfall) -> Bridge:
    """Return by which factor each ingredient moved the forecast; of one that is new or gone, all of it."""
    old, new = dict(before.factors), dict(after.factors)
    names = list(dict.fromkeys([*new, *old]))
    moved = [(n, _ratio(new.get(n, 1.0), old.get(n, 1.0))) for n in names]
    old_crowds, new_crowds = dict(before.launches), dict(after.launches)
    launches = [
        (n, old_crowds.get(n, 0.0), new_crowds.get(n, 0.0)) for n in old_crowds | new_crowds
    ]
    return Bridge(before.forecast, after.forecast, tuple(moved), tuple(launches))


def _ratio(new: float, old: float) -> float:
    return new / old if old else (1.0 if not new else float("inf"))


def error_spread(model: Model, step: int) -> list[ErrorSpread]:
    """Return the spread of earlier errors by how far ahead, by hour of day, and inside events."""
    errors = model.errors(step)
    known = ~np.isnan(errors.log_ratio)
    leads = np.array([1, 3, 7, 28, 90, np.inf])
    stretch = np.searchsorted(leads, errors.lead_days)
    out = []
    for index, lead in enumerate(leads):
        label = f"up to {lead:g} d ahead" if np.isfinite(lead) else "farther ahead"
        out += _spread("horizon", label, errors.log_ratio[known & (stretch == index)])
    for hour in range(0, 24, 3):
        mine = known & (errors.hour >= hour) & (errors.hour < hour + 3)
        out += _spread("hour", f"{hour:02d}:00-{hour + 3:02d}:00", errors.log_ratio[mine])
    for label, mine in (("off events", ~errors.in_event), ("in events", errors.in_event)):
        out += _spread("event", label, errors.log_ratio[known & mine])
    left_out = [e[:, step] for e in model.left_out]
    if left_out:
        pool = np.concatenate(left_out)
        out += _spread("event", "past events, each left out", pool[~np.isnan(pool)])
    return out


def _spread(what: str, of: str, pool: Array) -> list[ErrorSpread]:
    if len(pool) < 20:
        return []
    low, mid, high = np.expm1(np.quantile(pool, (0.1, 0.5, 0.9)))
    return [ErrorSpread(what, of, len(pool), float(low), float(mid), float(high))]
