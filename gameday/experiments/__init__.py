"""The room of questions put to the model: what if, how much more, what can be lost, does it come back.

Job:   play variants of an event in the model and reduce them to answers with intervals.
In:    Scenario, Demand, LoadPlan, Seed.    Out: typed answers; a Replication a stack and replication.
Never: judge what was measured, order servers, draw a picture.
"""

from typing import TYPE_CHECKING

from gameday.doors import opening

if TYPE_CHECKING:
    from gameday.experiments.cross_check import check_against_queues
    from gameday.experiments.full_scale_wait import full_scale_waits
    from gameday.experiments.goodput import BACK, Goodput, Phases, calm_shares, phases
    from gameday.experiments.headroom import find_headroom
    from gameday.experiments.losses import n_minus_one
    from gameday.experiments.peak_case import (
        PeakCase,
        case_words,
        level_words,
        peak_cases,
        played_with,
    )
    from gameday.experiments.recovery import does_it_recover, measured_recovery
    from gameday.experiments.rehearsal import (
        NOBODY,
        Replications,
        objective_change,
        rehearse,
        said_of,
        series_of,
        series_table,
        service_change,
    )
    from gameday.experiments.remedies import find_remedies
    from gameday.experiments.replication import QUANTITIES, Look, Replication
    from gameday.experiments.sell_out import sell_outs, when_sold_out
    from gameday.experiments.small_cells import FEW_SERVERS, small_stations, unseen

__all__ = [
    "BACK",
    "FEW_SERVERS",
    "Goodput",
    "Look",
    "NOBODY",
    "PeakCase",
    "Phases",
    "QUANTITIES",
    "Replication",
    "Replications",
    "calm_shares",
    "case_words",
    "check_against_queues",
    "does_it_recover",
    "find_headroom",
    "find_remedies",
    "full_scale_waits",
    "level_words",
    "measured_recovery",
    "n_minus_one",
    "objective_change",
    "peak_cases",
    "phases",
    "played_with",
    "rehearse",
    "said_of",
    "sell_outs",
    "series_of",
    "series_table",
    "service_change",
    "small_stations",
    "unseen",
    "when_sold_out",
]

__getattr__ = opening(
    __name__,
    {
        "BACK": "goodput",
        "FEW_SERVERS": "small_cells",
        "Goodput": "goodput",
        "Look": "replication",
        "NOBODY": "rehearsal",
        "PeakCase": "peak_case",
        "Phases": "goodput",
        "QUANTITIES": "replication",
        "Replication": "replication",
        "Replications": "rehearsal",
        "calm_shares": "goodput",
        "case_words": "peak_case",
        "check_against_queues": "cross_check",
        "does_it_recover": "recovery",
        "find_headroom": "headroom",
        "find_remedies": "remedies",
        "full_scale_waits": "full_scale_wait",
        "level_words": "peak_case",
        "measured_recovery": "recovery",
        "n_minus_one": "losses",
        "objective_change": "rehearsal",
        "peak_cases": "peak_case",
        "phases": "goodput",
        "played_with": "peak_case",
        "rehearse": "rehearsal",
        "said_of": "rehearsal",
        "sell_outs": "sell_out",
        "series_of": "rehearsal",
        "series_table": "rehearsal",
        "service_change": "rehearsal",
        "small_stations": "small_cells",
        "unseen": "small_cells",
        "when_sold_out": "sell_out",
    },
)
