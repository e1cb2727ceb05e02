"""Why a target is not as declared: causes told from their symptoms, in the model."""

from typing import TYPE_CHECKING

from gameday.doors import opening

if TYPE_CHECKING:
    from gameday.experiments.diagnosis.candidates import KINDS, Candidate, Kind
    from gameday.experiments.diagnosis.effect import Effect, effect_of
    from gameday.experiments.diagnosis.explain import Cause, CauseKey, Diagnosis, diagnose
    from gameday.experiments.diagnosis.felt_faults import felt_fault, is_felt
    from gameday.experiments.diagnosis.hidden_faults import (
        Attempt,
        Drill,
        drill,
        name_fault,
    )
    from gameday.experiments.diagnosis.planting import Fault, plant

__all__ = [
    "Attempt",
    "Candidate",
    "Cause",
    "CauseKey",
    "Diagnosis",
    "Drill",
    "Effect",
    "Fault",
    "KINDS",
    "Kind",
    "diagnose",
    "drill",
    "effect_of",
    "felt_fault",
    "is_felt",
    "name_fault",
    "plant",
]

if not TYPE_CHECKING:
    __getattr__ = opening(
        __name__,
        {
            "Attempt": "hidden_faults",
            "Drill": "hidden_faults",
            "drill": "hidden_faults",
            "felt_fault": "felt_faults",
            "is_felt": "felt_faults",
            "name_fault": "hidden_faults",
            "Fault": "planting",
            "plant": "planting",
            "Candidate": "candidates",
            "Cause": "explain",
            "CauseKey": "explain",
            "Diagnosis": "explain",
            "Effect": "effect",
            "KINDS": "candidates",
            "effect_of": "effect",
            "Kind": "candidates",
            "diagnose": "explain",
        },
    )
