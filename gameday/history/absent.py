"""Minutes without a row: nothing came, or nothing is known. A file does not say; a scenario can."""

from __future__ import annotations

import numpy as np

from gameday.vocabulary import Array

__all__ = ["suspect_zeros"]

_LEAST_ROWS, _LEAST_GAPS = 24, 7
"""Rows and gaps that a series must have before its missing rows are suspected to be zeros. Ours."""
_LEAST_SHARE = 0.05
"""Share of minutes without a row from which on that is suspected. Ours."""


def suspect_zeros(counts: Array, series: str) -> str | None:
    """Return a warning where missing rows look like zeros, not like unknown minutes; None where they do not.

    `counts` has shape (slots,), NaN where there is no row. An export that groups by the minute has no row for a
    minute in which nothing came: no row says 0, and many gaps are there.
    """
    gone = np.isnan(counts)
    known = counts[~gone]
    gaps = int((np.diff(gone.astype(np.int8), prepend=0) == 1).sum())
    if (
        len(known) < _LEAST_ROWS
        or gaps < _LEAST_GAPS
        or gone.mean() < _LEAST_SHARE
        or known.min() < 1
    ):
        return None
    return (
        f"{series}: {int(gone.sum())} of {len(counts)} minutes have no row and no row says 0, as where a query "
        f"groups by the minute. They are taken as not known, {known.mean():.3g} a minute like the rest. Where "
        f"nothing came in them, write `history: {{absent: zero}}` in the scenario "
        f"({known.sum() / len(counts):.3g} a minute); where they are not known, `history: {{absent: unknown}}`"
    )
