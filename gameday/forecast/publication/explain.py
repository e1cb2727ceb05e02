"""Why a forecast is what it is: its ingredients as factors, and what changed since the last one.

The factors multiply to the forecast exactly, and launches' crowds are added to the product. The level models sum
ingredients of log(1 + count); the factor `small counts` takes the 1 away again (it is near 1 for all but the
quietest series). The minute profile and the reconciliation are factors already. Where patterns have a share in
the blend, members' counts times their shares add up to the forecast, and the factor `other members` is that sum
over what the ingredients alone would forecast.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from types import MappingProxyType
from typing import Annotated

import numpy as np
from pydantic import Field

from gameday.forecast.model.blend import FACTORS, PROFILE, Blend
from gameday.forecast.model.regional import Model
from gameday.forecast.uncertainty.bands import Errors
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

_SMALL, _OTHERS = "small counts", "other members"
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
"""Order in which ingredients are listed; then holidays, regressors, events."""
_LEAST_ERRORS = 20
"""Fewer errors have no spread worth telling."""
_LEADS_DAYS = (1, 3, 7, 28, 90, np.inf)
"""Ends of the stretches ahead that errors are told apart by."""
_HOURS = 3
"""Width of the stretches of the day that errors are told apart by."""


@dataclass(frozen=True, slots=True)
class Waterfall:
    """One forecast as a product."""

    region: str
    step: str
    instant: datetime
    factors: tuple[tuple[str, float], ...]
    """(ingredient, factor); the first is a count a minute, the others multiply it."""
    forecast: float
    """The product and what launches add, steps a minute."""
    launches: tuple[tuple[str, float], ...] = ()
    """(launch, steps a minute of its crowd): they add to the product, they do not multiply it."""
    members: tuple[tuple[str, float, float], ...] = ()
    """(member, its share in the blend, its steps a minute): the shares' sum is the product."""


@dataclass(frozen=True, slots=True)
class ErrorSpread:
    """Quantiles of earlier forecasts' relative errors, actual over forecast less 1."""

    kind: Annotated[str, Field(alias="what")]
    """horizon, hour or event: by what errors are told apart."""
    of: str
    """Which of these."""
    errors: int
    """How many errors there are."""
    p10: float
    p50: float
    p90: float


@dataclass(frozen=True, slots=True)
class Bridge:
    """From the previous forecast to this one."""

    before: float
    """Steps a minute, as `after`."""
    after: float
    factors: tuple[tuple[str, float], ...]
    """(ingredient, factor by which it moved what is not of launches); their product is after / before of that."""
    launches: tuple[tuple[str, float, float], ...]
    """(launch, steps a minute of its crowd before, and after)."""


def waterfall(
    model: Model,
    step: int,
    name: str,
    instant: datetime,
    launches: Mapping[str, float] = MappingProxyType({}),
) -> Waterfall:
    """Return the ingredients of one minute's forecast of series number `step`, called `name`.

    `launches`: what each adds to that minute, steps a minute.
    """
    organic = waterfall_of(model.blend, step, name, instant)
    added = tuple((launch, steps) for launch, steps in launches.items() if steps > 0)
    return replace(
        organic, forecast=organic.forecast + sum(steps for _, steps in added), launches=added
    )


def waterfall_of(blend: Blend, step: int, name: str, instant: datetime) -> Waterfall:
    """Return a minute's ingredients as factors that multiply to its forecast, and its members; no launches."""
    minute = np.array([instant.timestamp() // 60])
    factors, of_ingredients = _ingredients(blend, step, minute)
    members = _members(blend, step, minute)
    forecast = sum(share * counts for _, share, counts in members)
    if len(members) > 1 and of_ingredients > 0:
        factors.append((_OTHERS, forecast / of_ingredients))
    return Waterfall(blend.calendar.region, name, instant, tuple(factors), forecast, (), members)


def _members(blend: Blend, step: int, minute: Array) -> tuple[tuple[str, float, float], ...]:
    """Return each member's name, its share and its steps in a minute, shape (1,); without those of no share."""
    return tuple(
        (name, float(share[step]), float(counts[0, step]))
        for name, (share, counts) in blend.members(minute).items()
        if share[step] > 0
    )


def _ingredients(blend: Blend, step: int, minute: Array) -> tuple[list[tuple[str, float]], float]:
    """Return the factors of the level models' forecast of a minute, shape (1,), and that forecast."""
    logs = {k: float(v[0, step]) for k, v in blend.parts(minute).items()}
    whole = sum(log for name, log in logs.items() if name not in FACTORS)
    moved = sum(logs.get(name, 0.0) for name in FACTORS)
    factors = [(k, float(np.exp(logs[k]))) for k in _in_order(logs)]
    # 1 - exp(-whole) is what expm1 leaves of exp: 1 for dense series, 0 where less than none is expected.
    factors.append((_SMALL, float(max(-np.expm1(-whole), 0.0))))
    return factors, max(float(np.expm1(whole)), 0.0) * float(np.exp(moved))


def _in_order(logs: Mapping[str, float]) -> list[str]:
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
    """Return the spread of one series' earlier errors by how far ahead, by hour of day, and inside events."""
    errors = model.errors(step)
    known = ~np.isnan(errors.log_ratio)
    groups = [*_by_horizon(errors), *_by_hour(errors), *_by_event(errors)]
    spreads = [
        _spread(kind, label, errors.log_ratio[known & members]) for kind, label, members in groups
    ]
    if model.event_errors:
        pool = np.concatenate([event[:, step] for event in model.event_errors])
        spreads.append(_spread("event", "past events, each left out", pool[~np.isnan(pool)]))
    return [spread for spread in spreads if spread is not None]


def _by_horizon(errors: Errors) -> list[tuple[str, str, Array]]:
    """Return (horizon, label, which errors) of each stretch ahead."""
    stretch = np.searchsorted(np.array(_LEADS_DAYS), errors.lead_days)
    labels = [
        f"up to {lead:g} d ahead" if np.isfinite(lead) else "farther ahead" for lead in _LEADS_DAYS
    ]
    return [("horizon", label, stretch == number) for number, label in enumerate(labels)]


def _by_hour(errors: Errors) -> list[tuple[str, str, Array]]:
    """Return (hour, label, which errors) of each stretch of the local day."""
    return [
        (
            "hour",
            f"{first:02d}:00-{first + _HOURS:02d}:00",
            (errors.hour >= first) & (errors.hour < first + _HOURS),
        )
        for first in range(0, 24, _HOURS)
    ]


def _by_event(errors: Errors) -> list[tuple[str, str, Array]]:
    """Return (event, label, which errors) off and in events."""
    return [("event", "off events", ~errors.in_event), ("event", "in events", errors.in_event)]


def _spread(kind: str, label: str, log_ratios: Array) -> ErrorSpread | None:
    """Return the quantiles of errors; None where they are few."""
    if len(log_ratios) < _LEAST_ERRORS:
        return None
    low, mid, high = np.expm1(np.quantile(log_ratios, (0.1, 0.5, 0.9)))
    return ErrorSpread(kind, label, len(log_ratios), float(low), float(mid), float(high))
