"""How far off a forecast may be: bands, peaks and sample paths that move together."""

from typing import TYPE_CHECKING

from gameday.doors import opening

if TYPE_CHECKING:
    from gameday.forecast.uncertainty.paths import sums_of, total_quantiles
    from gameday.forecast.uncertainty.peak_errors import PeakErrors
    from gameday.forecast.uncertainty.type_shares import (
        ShareErrors,
        mean_shares,
        share_errors,
        share_paths,
    )

__all__ = [
    "PeakErrors",
    "ShareErrors",
    "mean_shares",
    "share_errors",
    "share_paths",
    "sums_of",
    "total_quantiles",
]

if not TYPE_CHECKING:
    __getattr__ = opening(
        __name__,
        {
            "PeakErrors": "peak_errors",
            "ShareErrors": "type_shares",
            "mean_shares": "type_shares",
            "share_errors": "type_shares",
            "share_paths": "type_shares",
            "sums_of": "paths",
            "total_quantiles": "paths",
        },
    )
