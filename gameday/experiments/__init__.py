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
    from gameday.experiments.headroom import find_headroom
    from gameday.experiments.peak_case import PeakCase, peak_cases
    from gameday.experiments.recovery import does_it_recover, measured_recovery
    from gameday.experiments.rehearsal import rehearse
    from gameday.experiments.remedies import find_remedies
    from gameday.experiments.replication import Look, Replication
    from gameday.experiments.sell_out import sell_outs

__all__ = [
    "Look",
    "PeakCase",
    "Replication",
    "check_against_queues",
    "does_it_recover",
    "find_headroom",
    "find_remedies",
    "full_scale_waits",
    "measured_recovery",
    "peak_cases",
    "rehearse",
    "sell_outs",
]

__getattr__ = opening(
    __name__,
    {
        "Look": "replication",
        "PeakCase": "peak_case",
        "Replication": "replication",
        "check_against_queues": "cross_check",
        "does_it_recover": "recovery",
        "find_headroom": "headroom",
        "find_remedies": "remedies",
        "full_scale_waits": "full_scale_wait",
        "measured_recovery": "recovery",
        "peak_cases": "peak_case",
        "rehearse": "rehearsal",
        "sell_outs": "sell_out",
    },
)
