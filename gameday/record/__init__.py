"""The room of what a run showed, the same whether simulated or swarmed: the narrow waist.

Job:   hold a run's counts, times and loads per slot, and say what they come to for a criterion, once.
In:    counts of an engine or of the swarm, a criterion.    Out: RunRecord, numbers with intervals.
Never: judge a number, know which engine made it, read a file that is not a run's.
"""

from typing import TYPE_CHECKING

from gameday.doors import opening

if TYPE_CHECKING:
    from gameday.record.by_slot import BySlot
    from gameday.record.histograms import BINS, bin_of, counts_above, one_bin, percentile
    from gameday.record.long_table import fill_record, record_table
    from gameday.record.run_record import (
        ATTEMPTS,
        ENDS,
        FATES,
        LATENCIES,
        LOADS,
        SESSION_ENDS,
        SESSIONS,
        STEPS,
        InstanceLoad,
        Orders,
        RunRecord,
        blank_record,
    )

__all__ = [
    "ATTEMPTS",
    "BINS",
    "BySlot",
    "ENDS",
    "FATES",
    "LATENCIES",
    "LOADS",
    "InstanceLoad",
    "Orders",
    "RunRecord",
    "SESSIONS",
    "SESSION_ENDS",
    "STEPS",
    "bin_of",
    "blank_record",
    "counts_above",
    "fill_record",
    "one_bin",
    "percentile",
    "record_table",
]

if not TYPE_CHECKING:
    __getattr__ = opening(
        __name__,
        {
            "ATTEMPTS": "run_record",
            "BINS": "histograms",
            "BySlot": "by_slot",
            "ENDS": "run_record",
            "FATES": "run_record",
            "LATENCIES": "run_record",
            "InstanceLoad": "run_record",
            "LOADS": "run_record",
            "Orders": "run_record",
            "RunRecord": "run_record",
            "SESSIONS": "run_record",
            "SESSION_ENDS": "run_record",
            "STEPS": "run_record",
            "bin_of": "histograms",
            "blank_record": "run_record",
            "counts_above": "histograms",
            "fill_record": "long_table",
            "one_bin": "histograms",
            "percentile": "histograms",
            "record_table": "long_table",
        },
    )
