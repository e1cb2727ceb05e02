"""The model that forecasts: the candidates' fits, weighted by how well each did before, and the profile."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from gameday.forecast.design import Columns
from gameday.forecast.solve import Fit
from gameday.vocabulary import Array

__all__ = ["PROFILE", "TIE", "Blend", "Tie", "profile_at"]

PROFILE = "minute of the day"
TIE = "days and region"
_EVENT = "event: "


@dataclass(frozen=True, slots=True)
class Tie:
    """By which factor each day's minutes are moved."""

    midnights: Array
    """Local midnights, one more than days, minutes since 1970 UTC."""
    log_factor: Array
    """Shape (days, series)."""

    def at(self, minute: Array) -> Array:
        """Return the log factor at minutes, shape (n, series); 0 outside its days."""
        day = np.searchsorted(self.midnights, minute, "right") - 1
        inside = (day >= 0) & (day < len(self.log_factor))
        out = np.zeros((len(minute), self.log_factor.shape[1]))
        out[inside] = self.log_factor[day[inside]]
        return out


@dataclass(frozen=True, slots=True)
class Blend:
    """A weighted mean, in logs, of fits of one region: every ingredient stays readable."""

    fits: tuple[Fit, ...]
    weights: Array
    """Shape (fits, series); each series' sum to 1."""
    profile: Array
    """Log effect of each local minute, shape (2 = weekday/weekend, 1440, series)."""
    columns: Callable[[Array], Columns]
    """Slots' starts -> their calendar's columns."""
    middle_min: float = 0.0
    """From a slot's start to where it is taken to lie."""
    tie: Tie | None = None
    """What ties its days to what is told of days and of the region."""

    def log_mean(self, minute: Array) -> Array:
        """Return log(1 + count) at `minute` (minutes since 1970 UTC), shape (n, series)."""
        calendar = self.fits[0].design.calendar
        fixed = self.columns(minute)
        out = profile_at(self.profile, calendar.slot_of_day(minute))
        for fit, weight in zip(self.fits, self.weights, strict=True):
            if weight.any():
                out += weight * fit.log_mean(fit.design.columns(minute + self.middle_min, fixed))
        return out if self.tie is None else out + self.tie.at(minute)

    def smooth(self, minute: Array) -> Array:
        """Return counts without what recurs at single minutes of the day, shape (n, series)."""
        slot = self.fits[0].design.calendar.slot_of_day(minute)
        log = self.log_mean(minute) - profile_at(self.profile, slot)
        return np.asarray(np.maximum(np.expm1(log), 0))

    def parts(self, minute: Array) -> dict[str, Array]:
        """Return each ingredient's share of `log_mean`, shape (n, series) each; they sum to it."""
        calendar = self.fits[0].design.calendar
        fixed, out = self.columns(minute), dict[str, Array]()
        for fit, weight in zip(self.fits, self.weights, strict=True):
            for name, part in fit.parts(
                fit.design.columns(minute + self.middle_min, fixed)
            ).items():
                out[name] = out.get(name, 0.0) + weight * part
        out[PROFILE] = profile_at(self.profile, calendar.slot_of_day(minute))
        if self.tie is not None:
            out[TIE] = self.tie.at(minute)
        return out

    def log_event(self, minute: Array) -> Array:
        """Return the part of `log_mean` that declared events make, shape (n, series)."""
        columns = self.columns(minute)
        mine = np.array([name.startswith(_EVENT) for name in columns.blocks], bool)
        out = np.zeros((len(minute), self.weights.shape[1]))
        for fit, weight in zip(self.fits, self.weights, strict=True):
            shared = fit.coefficients[len(fit.blocks) - fit.calendar_columns :]
            out += weight * (columns.values[:, mine] @ shared[mine])
        return out


def profile_at(profile: Array, slot: tuple[Array, Array]) -> Array:
    """Return the profile at (minute of the day, weekend), shape (n, series)."""
    return np.asarray(profile[slot[1], slot[0]])
