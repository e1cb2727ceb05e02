"""Intervals: over replications of the model, and of one run."""

from typing import TYPE_CHECKING

from gameday.doors import opening

if TYPE_CHECKING:
    from gameday.record.intervals.of_one_run import (
        Interval,
        band_of,
        binomial_band,
        interval_of,
        p_share_above,
        plain_number,
        quantile_band,
        rounded,
    )
    from gameday.record.intervals.of_replications import (
        level_interval,
        p_above,
        prediction_interval,
        t_bands,
        t_interval,
    )

__all__ = [
    "Interval",
    "band_of",
    "binomial_band",
    "interval_of",
    "level_interval",
    "p_above",
    "p_share_above",
    "plain_number",
    "prediction_interval",
    "quantile_band",
    "rounded",
    "t_bands",
    "t_interval",
]

if not TYPE_CHECKING:
    __getattr__ = opening(
        __name__,
        {
            "Interval": "of_one_run",
            "band_of": "of_one_run",
            "interval_of": "of_one_run",
            "binomial_band": "of_one_run",
            "level_interval": "of_replications",
            "p_above": "of_replications",
            "prediction_interval": "of_replications",
            "p_share_above": "of_one_run",
            "plain_number": "of_one_run",
            "quantile_band": "of_one_run",
            "rounded": "of_one_run",
            "t_bands": "of_replications",
            "t_interval": "of_replications",
        },
    )
