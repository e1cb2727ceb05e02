"""One region's model: its candidates weighted on earlier origins, its blend fitted, its errors kept."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from gameday.forecast.data.training_data import Past
from gameday.forecast.data.weekly_profile import PER_DAY
from gameday.forecast.evaluation.accuracy import AbsoluteErrors, absolute_errors, pooled_wape
from gameday.forecast.evaluation.leave_one_event_out import event_errors
from gameday.forecast.evaluation.member_weights import member_weights
from gameday.forecast.evaluation.rolling_origin import (
    Fold,
    candidate_shapes,
    quarters_of,
    rolling_folds,
)
from gameday.forecast.model.blend import Blend, Reconciliation, levels_of
from gameday.forecast.model.event_priors import event_priors
from gameday.forecast.model.mean_correction import mean_factor_by_hour
from gameday.forecast.model.patterns import Pattern, patterns_of
from gameday.forecast.model.profile import minute_profile
from gameday.forecast.model.solve import Fit, fit_rows
from gameday.forecast.model.told import Told
from gameday.forecast.parallel import side_by_side
from gameday.forecast.uncertainty.bands import Bands, Errors, make_bands
from gameday.forecast.uncertainty.curves import quantiles_of
from gameday.scenario.events import KINDS
from gameday.scenario.ingredients import Shape
from gameday.vocabulary import Array

__all__ = ["Model", "fit_models", "heard"]

_FORETOLD = 4
"""Events in earlier origins' forecasts, from which on their errors stand for the next event's. Ours."""


@dataclass(frozen=True)
class Model:
    """What one region's forecast rests on."""

    past: Past
    blend: Blend
    shapes: tuple[Shape, ...]
    """Of the level models."""
    folds: list[Fold]
    event_errors: list[Array]
    """Past events' log errors, each left out in turn, (minutes, series) each."""

    def errors(self, series: int) -> Errors:
        """Return the log errors of the blend on earlier origins."""
        return _blend_errors(self.folds, self.blend.weights, series)

    def bands(self, series: int, levels: tuple[float, ...]) -> Bands:
        """Return the bands of one series.

        Inside events, bands rest on the events that earlier origins forecast; where those are few, on past ones,
        each left out in turn, if there are two.
        """
        events = [errors[:, series] for errors in self.event_errors]
        alone = len(events) < 2 or self.events_foretold >= _FORETOLD
        return make_bands(self.errors(series), levels, () if alone else events)

    def quantiles(self, minute: Array, levels: tuple[float, ...]) -> tuple[Array, Array]:
        """Return medians, (n, series), and quantiles, (n, series, levels), of minutes or days."""
        bands = [self.bands(series, levels) for series in range(len(self.past.counts))]
        return quantiles_of(self.blend, self.past.end_min, bands, minute)

    @property
    def members(self) -> tuple[str, ...]:
        """Names of all members of the blend, in the order of their weights."""
        others = (member.name for member in self.blend.others)
        return (*(shape.name for shape in self.shapes), *others)

    @property
    def events_foretold(self) -> int:
        """How many events began within what earlier origins forecast."""
        starts = np.array(
            [o.start_min for o in self.past.calendar.occurrences if KINDS[o.kind].start_knots_min]
        )
        seen = [(starts >= fold.origin) & (starts <= fold.minute[-1]) for fold in self.folds]
        return int(np.any(seen, axis=0).sum()) if seen else 0

    def without_last(self, reconciliation: Reconciliation | None = None) -> Model:
        """Return the model without its last series, and reconciled."""
        return replace(
            self,
            past=replace(self.past, counts=self.past.counts[:-1]),
            folds=[fold.part(slice(0, -1)) for fold in self.folds],
            blend=self.blend.without_last(reconciliation),
            event_errors=[errors[:, :-1] for errors in self.event_errors],
        )

    def wape(self) -> float:
        """Return the blend's WAPE over all folds and series; NaN where it cannot be told."""
        return pooled_wape([self.absolute_errors(self.blend.weights)])

    def absolute_errors(self, weights: Array) -> AbsoluteErrors:
        """Return the absolute errors on all folds of the members blended with such weights, by series."""
        nothing = np.zeros(weights.shape[1])
        errors = AbsoluteErrors(nothing, nothing)
        for fold in self.folds:
            errors += absolute_errors(fold.actual, fold.blended(weights))
        return errors


def fit_models(pasts: list[Past], horizon_min: int, kind: str) -> list[Model]:
    """Return each region's model; what events do is pooled over all of them."""
    weighted = side_by_side(_weigh, [(past, horizon_min) for past in pasts])
    priors = event_priors([candidates.first for candidates in weighted])
    return side_by_side(
        _fit, [(each, prior, kind) for each, prior in zip(weighted, priors, strict=True)]
    )


@dataclass(frozen=True)
class _Candidates:
    """One region's candidates, weighted on earlier origins."""

    past: Past
    shapes: tuple[Shape, ...]
    folds: list[Fold]
    weights: Array
    """Of all members, shape (members, series)."""
    best: int
    """Number of the level model that weighs most."""
    first: Fit
    """That level model, its events shrunk to nothing."""
    horizon_min: int

    def told(self) -> tuple[Told, ...]:
        """Return what members from outside say of the horizon ahead."""
        begin, end = self.past.end_min, self.past.end_min + self.horizon_min
        return tuple(member.told(self.past, begin, end) for member in self.past.outside)

    def fitted(self, prior: Array) -> tuple[Fit, ...]:
        """Return the level models fitted to all of the past, events shrunk to `prior`."""
        rows, designs = self.past.rows, [(self.past.design(shape),) for shape in self.shapes]
        return tuple(side_by_side(lambda design: fit_rows(rows, design, prior), designs))


def _weigh(past: Past, horizon_min: int) -> _Candidates:
    shapes = candidate_shapes(past)
    folds = rolling_folds(past, horizon_min, shapes)
    weights = member_weights(folds)
    best = int(levels_of(weights, len(shapes)).sum(axis=1).argmax())
    first = fit_rows(past.rows, past.design(shapes[best]))
    return _Candidates(past, shapes, folds, weights, best, first, horizon_min)


def _fit(candidates: _Candidates, prior: Array, kind: str) -> Model:
    """Return the model of a region, its events shrunk to `prior`."""
    past, fits, told = candidates.past, candidates.fitted(prior), candidates.told()
    main = fits[candidates.best]
    patterns = patterns_of(past.rows, main)
    blend = Blend(
        fits,
        heard(candidates.weights, (*patterns, *told)),
        *_recurring(past, main),
        _mean_factors(candidates),
        past.columns,
        past.middle_min,
        patterns=patterns,
        told=told,
    )
    errors = [] if past.is_daily else event_errors(past, blend, kind)
    return Model(past, blend, candidates.shapes, candidates.folds, errors)


def heard(weights: Array, others: tuple[Pattern | Told, ...]) -> Array:
    """Return the members' weights, 0 of those who are silent of a series; each series' sum to 1."""
    left = weights.copy()
    for row, member in zip(left[len(left) - len(others) :], others, strict=True):
        row[member.is_silent] = 0.0
    return np.asarray(left / left.sum(axis=0))


def _mean_factors(candidates: _Candidates) -> Array:
    """Return mean over median by local hour, shape (24, series)."""
    factors = [
        mean_factor_by_hour(_blend_errors(candidates.folds, candidates.weights, series))
        for series in range(len(candidates.past.counts))
    ]
    return np.stack(factors, axis=1)


def _recurring(past: Past, fit: Fit) -> tuple[Array, Array]:
    """Return the minute profile and the recurring quarter hours beside a fit, as in `Blend`; 0 of days."""
    if past.is_daily:
        series = len(past.counts)
        return np.zeros((2, 1440, series)), np.zeros((7, PER_DAY, series))
    profile = minute_profile(past.counts, past.grid, past.calendar)
    return profile, quarters_of(past.rows, fit)


def _blend_errors(folds: list[Fold], weights: Array, series: int) -> Errors:
    """Return the log errors of the members' blend, one series, all folds."""
    log_means = [np.log1p(fold.blended_series(weights, series)) for fold in folds]
    log_ratios = [
        np.log1p(fold.actual[:, series]) - log_mean
        for fold, log_mean in zip(folds, log_means, strict=True)
    ]
    origins = [np.full(len(fold.minute), number) for number, fold in enumerate(folds)]
    return Errors(
        log_ratio=np.concatenate(log_ratios),
        hour=np.concatenate([fold.hour for fold in folds]),
        lead_days=np.concatenate([fold.lead_days for fold in folds]),
        in_event=np.concatenate([fold.in_event for fold in folds]),
        origin=np.concatenate(origins),
        minute=np.concatenate([fold.minute for fold in folds]),
        expected=np.expm1(np.concatenate(log_means)),
        apart=np.concatenate([fold.apart_series(weights, series) for fold in folds]),
    )
