"""What a request says the next run will show of its service, and how that came out."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from gameday.findings.tables import ServiceRow
from gameday.traffic import LoadPlan

__all__ = ["Predicted", "Prediction", "Score", "predicted_by", "scored"]

Measure = Literal["utilisation", "p50", "p99", "error_rate"]
_MEASURES: tuple[Measure, ...] = ("utilisation", "p50", "p99", "error_rate")


@dataclass(frozen=True, slots=True)
class Predicted:
    """A number of the service in one run with the fleet that is asked for."""

    measure: Measure
    """utilisation and error_rate as shares, p50 and p99 of a visit in seconds."""
    mid: float
    low: float
    """With `high`, the 95 % prediction interval of one run."""
    high: float


@dataclass(frozen=True, slots=True)
class Prediction:
    """What a run like the one that asked will show of a service once all requests of its stack are placed."""

    minutes: str = ""
    """Window in UTC, quantile, speed and scale: a run played otherwise says nothing of it. Empty: none made."""
    why_not: str = ""
    numbers: tuple[Predicted, ...] = ()


@dataclass(frozen=True, slots=True)
class Score:
    """How a prediction came out in a run."""

    run: str
    held: tuple[str, ...] = ()
    """Numbers within their interval, in words."""
    missed: tuple[str, ...] = ()
    why_not: str = ""
    """Why nothing could be told; empty: it could."""

    @property
    def words(self) -> str:
        """The score in a line."""
        if self.why_not:
            return f"not scored: {self.why_not}"
        of = len(self.held) + len(self.missed)
        missed = f"; outside: {'; '.join(self.missed)}" if self.missed else ""
        return f"{len(self.held)} of {of} numbers within their interval{missed}"


def minutes_of(plan: LoadPlan) -> str:
    """Return how a plan is played: what two runs must share to be compared."""
    window = plan.window
    return (
        f"{window.start:%Y-%m-%dT%H:%MZ} to {window.end:%Y-%m-%dT%H:%MZ}, p{100 * plan.quantile:g}, "
        f"{plan.speed:g}x, scale {plan.scale:.3g}"
    )


def predicted_by(
    rows: tuple[ServiceRow, ...], plan: LoadPlan, stack: str, service: str
) -> Prediction:
    """Return the prediction for a service of the model's numbers with the requests placed."""
    numbers = tuple(_numbers(_row(rows, stack, service)))
    if not numbers:
        return Prediction(why_not="the model of the run as played says nothing of the service")
    return Prediction(minutes_of(plan), numbers=numbers)


def _row(rows: tuple[ServiceRow, ...], stack: str, service: str) -> ServiceRow | None:
    return next((row for row in rows if (row.stack, row.service) == (stack, service)), None)


def _numbers(row: ServiceRow | None) -> Iterator[Predicted]:
    for measure in _MEASURES if row is not None else ():
        interval = getattr(row, measure).predicted
        if interval is not None and None not in (interval.mid, interval.low, interval.high):
            yield Predicted(measure, interval.mid, interval.low, interval.high)


def scored(
    prediction: Prediction,
    rows: tuple[ServiceRow, ...],
    plan: LoadPlan,
    *,
    run: str,
    stack: str,
    service: str,
) -> Score:
    """Return how a prediction came out in a run whose numbers are `rows`."""
    if not prediction.numbers:
        return Score(run, why_not=prediction.why_not or "the request predicts nothing")
    if prediction.minutes != minutes_of(plan):
        return Score(run, why_not=f"it is of {prediction.minutes}; this run was {minutes_of(plan)}")
    row = _row(rows, stack, service)
    held: list[str] = []
    missed: list[str] = []
    for number in prediction.numbers:
        measured = None if row is None else getattr(row, number.measure).measured
        if measured is not None:
            (held if _is_within(number, measured) else missed).append(_words(number, measured))
    if not held and not missed:
        return Score(run, why_not="the service was not observed")
    return Score(run, tuple(held), tuple(missed))


_TOLERANCE = {"utilisation": 0.05, "error_rate": 0.001, "p50": 0.002, "p99": 0.002}
"""What no prediction of a model can be held to: points of a share, seconds that HTTP itself takes. Ours."""


def _is_within(number: Predicted, measured: float) -> bool:
    slack = _TOLERANCE[number.measure]
    return number.low - slack <= measured <= number.high + slack


def _words(number: Predicted, measured: float) -> str:
    low, mid, high, got = (
        _shown(number.measure, x) for x in (number.low, number.mid, number.high, measured)
    )
    return f"{number.measure} predicted {mid} ({low} to {high}), measured {got}"


def _shown(measure: Measure, value: float) -> str:
    if measure in ("p50", "p99"):
        return f"{1000 * value:.0f} ms"
    return f"{100 * value:.1f} %"
