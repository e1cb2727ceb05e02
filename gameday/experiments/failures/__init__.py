"""What happens when something fails: goodput, recovery, remedies, what can be lost, the peak that is sized for."""

from typing import TYPE_CHECKING

from gameday.doors import opening

if TYPE_CHECKING:
    from gameday.experiments.failures.event_phases import WARM_UP, EventPhase
    from gameday.experiments.failures.goodput import BACK, Goodput, Phases, calm_shares, phases
    from gameday.experiments.failures.loss_answers import LossAnswer, ObjectiveTest, StackLosses
    from gameday.experiments.failures.losses import LossBudget, n_minus_one
    from gameday.experiments.failures.peak_case import (
        PeakCase,
        case_words,
        far_words,
        level_words,
        peak_cases,
        played_with,
    )
    from gameday.experiments.failures.recovery import (
        MeasuredRecovery,
        Recovery,
        does_it_recover,
        measured_recovery,
    )
    from gameday.experiments.failures.remedies import Remedies, find_remedies

__all__ = [
    "BACK",
    "EventPhase",
    "Goodput",
    "LossAnswer",
    "LossBudget",
    "ObjectiveTest",
    "MeasuredRecovery",
    "PeakCase",
    "Phases",
    "Recovery",
    "Remedies",
    "StackLosses",
    "WARM_UP",
    "calm_shares",
    "case_words",
    "far_words",
    "does_it_recover",
    "find_remedies",
    "level_words",
    "measured_recovery",
    "n_minus_one",
    "peak_cases",
    "phases",
    "played_with",
]

if not TYPE_CHECKING:
    __getattr__ = opening(
        __name__,
        {
            "BACK": "goodput",
            "EventPhase": "event_phases",
            "Goodput": "goodput",
            "LossAnswer": "loss_answers",
            "LossBudget": "losses",
            "ObjectiveTest": "loss_answers",
            "MeasuredRecovery": "recovery",
            "PeakCase": "peak_case",
            "Phases": "goodput",
            "Recovery": "recovery",
            "Remedies": "remedies",
            "StackLosses": "loss_answers",
            "WARM_UP": "event_phases",
            "calm_shares": "goodput",
            "case_words": "peak_case",
            "far_words": "peak_case",
            "does_it_recover": "recovery",
            "find_remedies": "remedies",
            "level_words": "peak_case",
            "measured_recovery": "recovery",
            "n_minus_one": "losses",
            "peak_cases": "peak_case",
            "phases": "goodput",
            "played_with": "peak_case",
        },
    )
