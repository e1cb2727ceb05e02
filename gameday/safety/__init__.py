"""The room that says no, and remembers.

Job:   allow targets, hold the machine's one run, judge guardrails, keep the journal, stop.
In:    URLs, criteria, numbers as they come.    Out: a refusal, a reason to stop, journal lines.
Never: send load, judge a finished run.
"""

from gameday.safety.ceilings import check_ceilings
from gameday.safety.guardrails import GuardrailWatch, check_guardrails
from gameday.safety.journal import Journal
from gameday.safety.lock import one_run_at_a_time
from gameday.safety.stop import StopWatch, ask_to_stop
from gameday.safety.targets import Target, allowed_target

__all__ = [
    "GuardrailWatch",
    "Journal",
    "StopWatch",
    "Target",
    "allowed_target",
    "ask_to_stop",
    "check_ceilings",
    "check_guardrails",
    "one_run_at_a_time",
]
