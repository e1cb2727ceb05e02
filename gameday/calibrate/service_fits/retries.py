"""How often callers ask a service again: from attempts at what was asked before, beside the model's."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from gameday.calibrate.compared.observed import Observed
from gameday.calibrate.compared.stack_model import Found, ServiceCase
from gameday.calibrate.contest import Hypothesis, winner
from gameday.scenario.blocks import Spread
from gameday.scenario.caller_policies import Retry
from gameday.vocabulary import Array

__all__ = ["fit"]

_MORE = 0.03
"""Share of attempts that are repeated beyond the model's, in the slot with most of them, from which on it is
asked. Ours."""
_LEAST_ATTEMPTS = 30
_TRIED = (1, 2, 3, 5, 8)
"""Retries that are tried. Ours: between them the work differs by a fifth at most."""
_BACKOFF_S = 0.02
"""Wait before a retry where none is declared: it cannot be seen. Ours."""


def fit(case: ServiceCase) -> Found | None:
    """Return the number of retries where attempts are repeated more often than the model's callers repeat them."""
    more = _repeated(case.seen) - _repeated(case.expected)
    if not len(more) or not np.nanmax(more, initial=0.0) > _MORE:
        return None
    return winner(case, _hypotheses(case))


def _hypotheses(case: ServiceCase) -> Iterator[Hypothesis]:
    retry = case.model.service(case.name).retry
    declared = 0 if retry is None else retry.attempts
    now = Retry.model_construct(attempts=0, backoff=_BACKOFF_S) if retry is None else retry
    for attempts in _TRIED:
        if attempts > declared:
            more = now.model_copy(update={"attempts": attempts, "budget": None})
            yield Hypothesis("retry.attempts", {"retry": more}, declared, Spread.exactly(attempts))


def _repeated(observed: Observed) -> Array:
    """Return the share of attempts that repeat others, shape (slots,); NaN where few came or none were seen."""
    arrived = observed.arrived
    with np.errstate(invalid="ignore", divide="ignore"):
        share = observed.load("repeats") / arrived
    return np.asarray(np.where(arrived >= _LEAST_ATTEMPTS, share, np.nan))
