"""The room of what a run showed, the same whether simulated or swarmed: the narrow waist.

Job:   hold a run's counts, times and loads per slot, and say what they come to for a criterion, once.
In:    counts of an engine or of the swarm, a criterion.    Out: RunRecord, numbers with intervals.
Never: judge a number, know which engine made it, read a file that is not a run's.
"""

from typing import TYPE_CHECKING

from gameday.doors import opening

if TYPE_CHECKING:
    from gameday.record.intervals.of_one_run import band_of, binomial_band, quantile_band, rounded
    from gameday.record.intervals.of_replications import (
        level_interval,
        p_above,
        t_bands,
        t_interval,
    )
    from gameday.record.run_record import (
        ATTEMPTS,
        BINS,
        ENDS,
        FATES,
        LATENCIES,
        LOADS,
        SESSION_ENDS,
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
    "ENDS",
    "FATES",
    "LATENCIES",
    "LOADS",
    "Orders",
    "RunRecord",
    "SESSIONS",
    "SESSION_ENDS",
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
        "ENDS": "run_record",
        "FATES": "run_record",
        "LATENCIES": "run_record",
        "LOADS": "run_record",
        "Orders": "run_record",
        "RunRecord": "run_record",
        "SESSIONS": "run_record",
        "SESSION_ENDS": "run_record",
        "STEPS": "run_record",
        "band_of": "intervals.of_one_run",
        "bin_of": "run_record",
        "binomial_band": "intervals.of_one_run",
        "blank_record": "run_record",
        "known_sum": "run_record",
        "level_interval": "intervals.of_replications",
        "one_bin": "run_record",
        "p_above": "intervals.of_replications",
        "percentile": "run_record",
        "quantile_band": "intervals.of_one_run",
        "rounded": "intervals.of_one_run",
        "t_bands": "intervals.of_replications",
        "t_interval": "intervals.of_replications",
    },
)
