"""One region's model: its past masked, its candidates raced, its blend fitted, its errors kept."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gameday.forecast.bands import Errors
from gameday.forecast.blend import Blend
from gameday.forecast.left_out import event_errors
from gameday.forecast.past import Past
from gameday.forecast.pooled import event_priors
from gameday.forecast.profile import minute_profile
from gameday.forecast.race import Fold, candidate_shapes, rolling_folds, weights_of
from gameday.forecast.solve import fit_rows
from gameday.scenario.ingredients import Shape
from gameday.vocabulary import Array

__all__ = ["Model", "fit_models"]


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
        said = [(self.blend.weights[:, series] @ f.log_mean[:, :, series]) for f in self.folds]
        return Errors(
            np.concatenate([
                np.log1p(fold.actual[:, series]) - log_mean
                for fold, log_mean in zip(self.folds, said, strict=True)
            ]),
            np.concatenate([fold.hour for fold in self.folds]),
            np.concatenate([fold.lead_days for fold in self.folds]),
            np.concatenate([fold.in_event for fold in self.folds]),
            np.concatenate([np.full(len(f.minute), i) for i, f in enumerate(self.folds)]),
        )  # fmt: skip

    def wape(self) -> float:
        """Return the blend's WAPE over all raced folds and series."""
        wrong = total = 0.0
        for fold in self.folds:
            if fold.back <= 1.0:
                said = np.einsum("cs,cns->ns", self.blend.weights, fold.log_mean)
                known = ~np.isnan(fold.actual)
                miss = np.maximum(np.expm1(said), 0) - fold.actual
                wrong += float(np.abs(miss[known]).sum())
                total += float(fold.actual[known].sum())
        return wrong / max(total, 1.0)


def fit_models(pasts: list[Past], horizon_min: int, kind: str) -> list[Model]:
    """Return each region's model; what events do is pooled over all of them."""
    raced = []
    for past in pasts:
        shapes = candidate_shapes(past.grid.slots / 1440)
        folds = rolling_folds(past, horizon_min, shapes)
        raced.append((past, shapes, folds, *weights_of(folds)))
    firsts = [
        fit_rows(past.rows, past.design(shapes[int(weights.sum(axis=1).argmax())]))
        for past, shapes, _, weights, _ in raced
    ]
    models = []
    for (past, shapes, folds, weights, scores), prior in zip(
        raced, event_priors(firsts), strict=True
    ):
        fits = tuple(fit_rows(past.rows, past.design(shape), prior) for shape in shapes)
        blend = Blend(fits, weights, minute_profile(past.counts, past.grid, past.calendar))
        left_out = event_errors(past, blend, kind)
        models.append(Model(past, blend, shapes, folds, scores, left_out))
    return models
