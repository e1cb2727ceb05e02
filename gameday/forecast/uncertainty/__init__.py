"""How far off a forecast may be: bands, peaks and sample paths that move together."""

from typing import TYPE_CHECKING

from gameday.doors import opening

if TYPE_CHECKING:
    from gameday.forecast.uncertainty.paths import sums_of, total_quantiles

__all__ = [
    "sums_of",
    "total_quantiles",
]

if not TYPE_CHECKING:
    __getattr__ = opening(
        __name__,
        {
            "sums_of": "paths",
            "total_quantiles": "paths",
        },
    )
