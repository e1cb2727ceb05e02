"""The room of what a run showed, the same whether simulated or swarmed: the narrow waist.

Job:   hold a run's counts, times and loads per slot, and say what they come to for a criterion, once.
In:    counts of an engine or of the swarm, a criterion.    Out: RunRecord, numbers with intervals.
Never: judge a number, know which engine made it, read a file that is not a run's.
"""

from typing import TYPE_CHECKING

from gameday.doors import opening

if TYPE_CHECKING:
    from gameday.record.bands import band_of, binomial_band, quantile_band, rounded
    from gameday.record.intervals import level_interval, p_above, t_bands, t_interval
    from gameday.record.run_record import (
        ATTEMPTS,
        BINS,
        LATENCIES,
        LOADS,
        SESSIONS,
        STEPS,
        Orders,
        RunRecord,
        bin_of,
        blank_record,
        known_sum,
        one_bin,
        percentile,
    )

__all__ = [
    "ATTEMPTS",
    "BINS",
    "LATENCIES",
    "LOADS",
    "Orders",
    "RunRecord",
    "SESSIONS",
    "STEPS",
    "band_of",
    "bin_of",
    "binomial_band",
    "blank_record",
    "known_sum",
    "level_interval",
    "one_bin",
    "p_above",
    "percentile",
    "quantile_band",
    "rounded",
    "t_bands",
    "t_interval",
]

__getattr__ = opening(
    __name__,
    {
        "ATTEMPTS": "run_record",
        "BINS": "run_record",
        "LATENCIES": "run_record",
        "LOADS": "run_record",
        "Orders": "run_record",
        "RunRecord": "run_record",
        "SESSIONS": "run_record",
        "STEPS": "run_record",
        "band_of": "bands",
        "bin_of": "run_record",
        "binomial_band": "bands",
        "blank_record": "run_record",
        "known_sum": "run_record",
        "level_interval": "intervals",
        "one_bin": "run_record",
        "p_above": "intervals",
        "percentile": "run_record",
        "quantile_band": "bands",
        "rounded": "bands",
        "t_bands": "intervals",
        "t_interval": "intervals",
    },
)
