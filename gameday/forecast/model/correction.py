"""The level as it is today: an hourly correction of a frozen plan, used only where it has lately paid.

An exponentially weighted mean of the log errors of the last minutes moves the minutes to come. It is judged by
what it would have done over the last two days and left out where it did not help: on a level that does not move it
could only add noise.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from gameday.vocabulary import Array

__all__ = ["HALF_LIFE_MIN", "LevelCorrection", "corrected"]

HALF_LIFE_MIN = 30.0
"""An error is half forgotten after so long. Ours: of 20 minutes to two hours the best on the traces in hand."""
_SHRINK = 0.05
"""The plan counts as so much of a whole memory of errors of zero. Ours."""
_JUDGED_H = 48
_LEAST_JUDGED_H = 6
_MUST_WIN = 0.03
"""Share by which the corrected plan must have been better. Ours: below it chance decides."""


@dataclass(slots=True)
class LevelCorrection:
    """The level of the last minutes against a plan's; fed hour by hour."""

    half_life_min: float = HALF_LIFE_MIN
    _errors: float = 0.0
    _weight: float = 0.0
    _plain: list[float] = field(default_factory=list)
    _moved: list[float] = field(default_factory=list)

    @property
    def level(self) -> float:
        """The log correction, used or not."""
        return self._errors / (self._weight + _SHRINK)

    @property
    def pays(self) -> bool:
        """Whether it would have made the last two days better by enough."""
        if len(self._plain) < _LEAST_JUDGED_H:
            return False
        plain, moved = sum(self._plain[-_JUDGED_H:]), sum(self._moved[-_JUDGED_H:])
        return moved < (1 - _MUST_WIN) * plain

    @property
    def in_use(self) -> float:
        """The log correction to apply now: 0 where it has not paid."""
        return self.level if self.pays else 0.0

    def learn(self, actual: Array, planned: Array) -> None:
        """Take in one hour: counts, NaN where unknown, and what was planned, shape (n,) each."""
        moved = np.maximum(np.expm1(np.log1p(planned) + self.level), 0)
        self._plain.append(_summed_error(actual, planned))
        self._moved.append(_summed_error(actual, moved))
        keep = 0.5 ** (1 / self.half_life_min)
        # Half a count, so that a minute without any is an error of finite size.
        for log_error in np.log(actual + 0.5) - np.log(planned + 0.5):
            self._errors *= keep
            self._weight *= keep
            if np.isfinite(log_error):
                self._errors += (1 - keep) * log_error
                self._weight += 1 - keep


def _summed_error(actual: Array, planned: Array) -> float:
    return float(np.abs(actual - planned)[~np.isnan(actual)].sum())


def corrected(actual: Array, planned: Array, *, every_min: int = 60) -> Array:
    """Return the plan as it would have been corrected hour by hour, shape (n,), from what was known then."""
    state, moved = LevelCorrection(), planned.copy()
    for first in range(0, len(planned), every_min):
        part = slice(first, first + every_min)
        moved[part] = np.maximum(np.expm1(np.log1p(planned[part]) + state.in_use), 0)
        state.learn(actual[part], planned[part])
    return moved
