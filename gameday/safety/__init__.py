"""The room of safety: what may be sent load, and what ends a run.

Job:   allow targets, hold the machine's one run, judge guardrails, keep the journal, stop.
In:    URLs, criteria, numbers as they come.    Out: a refusal, a reason to stop, journal lines.
Never: send load, judge a finished run.
"""

from typing import TYPE_CHECKING

from gameday.doors import opening

if TYPE_CHECKING:
    from gameday.safety.ceilings import broken_ceiling, check_ceilings
    from gameday.safety.guardrails import Breach, GuardrailWatch, check_guardrails
    from gameday.safety.journal import Journal, is_playing
    from gameday.safety.lock import one_run_at_a_time
    from gameday.safety.stop import StopWatch, ask_to_hold, ask_to_stop, held_to
    from gameday.safety.targets import Target, allowed_target, targets_by_stack

__all__ = [
    "Breach",
    "GuardrailWatch",
    "Journal",
    "StopWatch",
    "Target",
    "allowed_target",
    "ask_to_hold",
    "ask_to_stop",
    "broken_ceiling",
    "check_ceilings",
    "check_guardrails",
    "held_to",
    "is_playing",
    "one_run_at_a_time",
    "targets_by_stack",
]

if not TYPE_CHECKING:
    __getattr__ = opening(
        __name__,
        {
            "Breach": "guardrails",
            "GuardrailWatch": "guardrails",
            "Journal": "journal",
            "StopWatch": "stop",
            "Target": "targets",
            "allowed_target": "targets",
            "ask_to_hold": "stop",
            "ask_to_stop": "stop",
            "broken_ceiling": "ceilings",
            "check_ceilings": "ceilings",
            "check_guardrails": "guardrails",
            "held_to": "stop",
            "is_playing": "journal",
            "one_run_at_a_time": "lock",
            "targets_by_stack": "targets",
        },
    )
