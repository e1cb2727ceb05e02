"""One region's model: its past masked, its candidates raced, its blend fitted, its errors kept."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from gameday.forecast.data.training_data import Past
from gameday.forecast.data.weekly_profile import PER_DAY
from gameday.forecast.evaluation.accuracy import Missed, missed, pooled_wape
from gameday.forecast.evaluation.leave_one_event_out import event_errors
from gameday.forecast.evaluation.rolling_origin import (
    Fold,
    candidate_shapes,
    quarters_of,
    raced_folds,
    rolling_folds,
    weights_of,
)
from gameday.forecast.model.blend import Blend, Tie
from gameday.forecast.model.event_priors import event_priors
from gameday.forecast.model.mean_correction import smear_by_hour
from gameday.forecast.model.profile import minute_profile
from gameday.forecast.model.solve import Fit, fit_rows
from gameday.forecast.parallel import side_by_side
from gameday.forecast.uncertainty.bands import Bands, Errors, make_bands
from gameday.scenario.events import KINDS
from gameday.scenario.ingredients import Shape
from gameday.vocabulary import Array

__all__ = ["Model", "fit_models"]

_FORETOLD = 4
"""Events that earlier origins must have foretold for their errors to tell of the next one's. Ours."""


@dataclass(frozen=True)
class Model:
    """What one region's forecast rests on."""

    past: Past
    blend: Blend
    shapes: tuple[Shape, ...]
    folds: list[Fold]
    scores: Array
    """Each candidate's WAPE, geometric mean of its folds, shape (candidates, series)."""
    left_out: list[Array]
    """Past events' log errors, each left out in turn, (minutes, series) each."""

    def errors(self, series: int) -> Errors:
        """Return the log errors of the blend on earlier origins."""
        return _errors(self.folds, self.blend.weights, series)

    def bands(self, series: int, levels: tuple[float, ...]) -> Bands:
        """Return the bands of one series.

        Inside events tell those that earlier origins foretold; where they are few, past ones, each left out in
        turn, if there are two.
        """
        events = [one[:, series] for one in self.left_out]
        alone = len(events) < 2 or self.events_foretold >= _FORETOLD
        return make_bands(self.errors(series), levels, None if alone else np.concatenate(events))

    @property
    def events_foretold(self) -> int:
        """How many events began within what earlier origins foretold."""
        starts = np.array(
            [o.start_min for o in self.past.calendar.occurrences if KINDS[o.kind].start_knots_min]
        )
        seen = [(starts >= fold.origin) & (starts <= fold.minute[-1]) for fold in self.folds]
        return int(np.any(seen, axis=0).sum()) if seen else 0

    def without_last(self, tie: Tie | None = None) -> Model:
        """Return the model without its last series, and tied."""
        blend = self.blend
        fits = tuple(
            replace(
                fit,
                coefficients=fit.coefficients[:, :-1],
                scale=fit.scale[:-1],
                held=fit.held[:, :-1],
            )
            for fit in blend.fits
        )
        folds = [
            replace(
                fold,
                actual=fold.actual[:, :-1],
                log_mean=fold.log_mean[:, :, :-1],
                recurring=fold.recurring[:, :-1],
            )
            for fold in self.folds
        ]
        return replace(
            self,
            past=replace(self.past, counts=self.past.counts[:-1]),
            folds=folds,
            blend=replace(
                blend,
                fits=fits,
                weights=blend.weights[:, :-1],
                profile=blend.profile[:, :, :-1],
                quarters=blend.quarters[:, :, :-1],
                smear=blend.smear[:, :-1],
                tie=tie,
            ),
            scores=self.scores[:, :-1],
            left_out=[errors[:, :-1] for errors in self.left_out],
        )

    def wape(self) -> float:
        """Return the blend's WAPE over all raced folds and series; NaN where it cannot be told."""
        return pooled_wape([self.missed(self.blend.weights)])

    def missed(self, weights: Array) -> Missed:
        """Return by how much the candidates' blend of such weights missed on raced folds, by series."""
        nothing = np.zeros(weights.shape[1])
        out = Missed(nothing, nothing)
        for fold in raced_folds(self.folds):
            said = np.einsum("cs,cns->ns", weights, fold.log_mean)
            out += missed(fold.actual, np.expm1(said))
        return out


def fit_models(pasts: list[Past], horizon_min: int, kind: str) -> list[Model]:
    """Return each region's model; what events do is pooled over all of them."""
    raced = side_by_side(_raced, [(past, horizon_min) for past in pasts])
    priors = event_priors([one.first for one in raced])
    return side_by_side(_fitted, [(o, prior, kind) for o, prior in zip(raced, priors, strict=True)])


@dataclass(frozen=True)
class _Raced:
    past: Past
    shapes: tuple[Shape, ...]
    folds: list[Fold]
    weights: Array
    scores: Array
    first: Fit
    """Of the candidate that weighs most, held to nothing."""


def _raced(past: Past, horizon_min: int) -> _Raced:
    shapes = candidate_shapes(past)
    folds = rolling_folds(past, horizon_min, shapes)
    weights, scores = weights_of(folds)
    best = shapes[int(weights.sum(axis=1).argmax())]
    return _Raced(past, shapes, folds, weights, scores, fit_rows(past.rows, past.design(best)))


def _fitted(raced: _Raced, prior: Array, kind: str) -> Model:
    """Return the model of a region, its events held to `prior`."""
    past = raced.past
    fits = tuple(fit_rows(past.rows, past.design(shape), prior) for shape in raced.shapes)
    quarters = np.zeros((7, PER_DAY, len(past.counts)))
    profile = np.zeros((2, 1440, len(past.counts)))
    if not past.is_daily:
        profile = minute_profile(past.counts, past.grid, past.calendar)
        best = fits[int(raced.weights.sum(axis=1).argmax())]
        quarters = quarters_of(past.rows, best)
    smear = np.stack(
        [smear_by_hour(_errors(raced.folds, raced.weights, s)) for s in range(len(past.counts))],
        axis=1,
    )
    blend = Blend(fits, raced.weights, profile, quarters, smear, past.columns, past.middle_min)
    left_out = [] if past.is_daily else event_errors(past, blend, kind)
    return Model(past, blend, raced.shapes, raced.folds, raced.scores, left_out)


def _errors(folds: list[Fold], weights: Array, series: int) -> Errors:
    """Return the log errors of the candidates' blend, one series, all folds."""
    said = [(weights[:, series] @ fold.log_mean[:, :, series]) for fold in folds]
    return Errors(
        np.concatenate(
            [
                np.log1p(fold.actual[:, series]) - log_mean
                for fold, log_mean in zip(folds, said, strict=True)
            ]
        ),
        np.concatenate([fold.hour for fold in folds]),
        np.concatenate([fold.lead_days for fold in folds]),
        np.concatenate([fold.in_event for fold in folds]),
        np.concatenate([np.full(len(fold.minute), i) for i, fold in enumerate(folds)]),
        np.concatenate([fold.minute for fold in folds]),
        np.expm1(np.concatenate(said)),
    )
