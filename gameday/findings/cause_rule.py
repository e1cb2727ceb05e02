"""How a cause becomes a finding: how many times worse than declared, what it does to customers, what follows."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import scipy

from gameday.experiments.diagnosis import Cause, Effect, Kind
from gameday.findings.evidence import Evidence
from gameday.findings.finding import Candidate
from gameday.findings.rule import Rule
from gameday.scenario import Scenario
from gameday.vocabulary import Band

__all__ = ["EXPLAINS", "Words", "cause_rule", "seconds_words", "slower_words"]

EXPLAINS = "explains_share"
"""In a cause's evidence: the share of what was off that it explains."""
_UNFELT = 1.0
"""Quantile of the event's strength at which customers feel what they do not feel: none."""


Words = Callable[[Scenario, Cause], str]
"""Says in words what a cause is: its service, what was measured, what is declared."""


def cause_rule(kind: Kind, words: Words, *, remedy: str) -> Rule:
    """Return the rule of a kind of cause; `{service}` and `{step}` in the remedy stand for those of a finding."""

    def look(evidence: Evidence) -> Iterator[Candidate]:
        """Yield a test of each cause of this kind: how many times worse than declared it is."""
        for diagnosis in evidence.diagnosis:
            for cause in diagnosis.causes:
                if cause.candidate.kind == kind:
                    yield _candidate(evidence, cause, words, remedy)

    return Rule(name=kind, look=look, hurts_customers=True, is_cause=True)


def _candidate(evidence: Evidence, cause: Cause, words: Words, remedy: str) -> Candidate:
    found, effect = cause.candidate, evidence.effects.get(cause.key)
    felt = effect is not None and effect.is_felt and _is_worse(cause)
    what = words(evidence.scenario, cause)
    if evidence.known_before:
        what = what.replace("declared", "calibrated")
    return Candidate(
        stack=found.stack,
        subject=found.service,
        title=f"{found.stack}: {what}{_felt(evidence, effect) if felt else _unfelt(effect)}",
        value=_times(cause),
        bound=1.0,
        unit="times",
        p_value=float(scipy.stats.chi2.sf(cause.nearer, 1)),
        samples=max(found.parameter.samples, 1),
        basis="measured",
        tier=_tier(cause, effect),
        first_slot=None,
        suggestion=_remedy(cause, remedy),
        evidence=_evidence(cause, effect),
        quantile=None if felt else _UNFELT,
        is_exact=True,
        step=found.step or "",
    )


def _remedy(cause: Cause, remedy: str) -> str:
    """Return what to do: of a target that is better than declared, only to declare it so."""
    found = cause.candidate
    if not _is_worse(cause):
        return (
            f"declare {found.service} as it was measured, or calibrate: it is better than declared"
        )
    return remedy.format(service=found.service, step=found.step)


def _tier(cause: Cause, effect: Effect | None) -> int:
    """Return the tier that decides the severity: 0 where orders are lost, 3 where the target is
    better than declared.
    """
    if not _is_worse(cause):
        return 3
    return 0 if effect is not None and effect.loses_orders else 1


def _evidence(cause: Cause, effect: Effect | None) -> dict[str, float | int | str]:
    row = cause.candidate.parameter
    numbers: dict[str, float | int | str] = {
        "parameter": row.name,
        "declared": round(row.declared, 6),
        "measured": round(row.measured.mid, 6),
        "measured_low": round(row.measured.low, 6),
        "measured_high": round(row.measured.high, 6),
        "by": row.by,
        EXPLAINS: round(cause.explained, 4),
    }
    symptoms = {f"symptom_{n}": line for n, line in enumerate(_symptoms(cause), 1)}
    return numbers | _orders(effect) | symptoms


def _times(cause: Cause) -> Band:
    """Return how many times a number differs from its declaration, whichever way; 0 declared counts as 1."""
    row = cause.candidate.parameter
    declared = row.declared or 1.0
    low, mid, high = (x / declared for x in (row.measured.low, row.measured.mid, row.measured.high))
    if row.declared == 0:
        low, mid, high = 1.0 + low, 1.0 + mid, 1.0 + high
    if mid < 1.0:
        low, mid, high = 1 / high, 1 / mid, 1 / low
    return Band(mid, low, high)


_FEWER_IS_WORSE = ("servers", "pool.connections", "cache.entries", "cache.begins")


def _is_worse(cause: Cause) -> bool:
    """Return whether the target is worse than declared, not better."""
    row = cause.candidate.parameter
    return (row.measured.mid < row.declared) == (row.name in _FEWER_IS_WORSE)


def _orders(effect: Effect | None) -> dict[str, float | int | str]:
    if effect is None or effect.orders_lost.mid is None:
        return {}
    lost = effect.orders_lost
    numbers = {"orders_lost": lost.mid, "orders_lost_low": lost.low, "orders_lost_high": lost.high}
    return {name: round(x) for name, x in numbers.items() if x is not None}


def _symptoms(cause: Cause, most: int = 8) -> Iterator[str]:
    """Yield what follows from a cause, the furthest off first, each number once."""
    rows = sorted(cause.symptoms, key=lambda row: -abs(row.z))
    seen: set[tuple[str, str]] = set()
    for row in rows:
        if (row.subject, row.metric) not in seen and len(seen) < most:
            seen.add((row.subject, row.metric))
            predicted, measured = (_shown(x, row.metric) for x in (row.predicted, row.measured))
            yield f"{_METRICS[row.metric]} of {row.subject}: {measured}, the model without it has {predicted}"


_METRICS = {
    "utilisation": "utilisation",
    "hold": "server time a visit",
    "queue": "mean queue",
    "p50": "p50",
    "p90": "p90",
    "p99": "p99",
    "bad": "failed share",
    "repeats": "repeated share",
    "hits": "cache hits",
    "servers": "servers",
}


def _shown(value: float, metric: str) -> str:
    if metric in ("hold", "p50", "p90", "p99"):
        return seconds_words(value)
    if metric in ("queue", "servers"):
        return f"{value:.1f}"
    return f"{100 * value:.1f} %"


def seconds_words(value: float) -> str:
    """Return a time in words, milliseconds below a second."""
    return f"{value * 1000:.0f} ms" if value < 1 else f"{value:.2f} s"


def _felt(evidence: Evidence, effect: Effect | None) -> str:
    """Return what customers notice, and whether that lies far above what was measured."""
    words = _effect_words(effect)
    return f"{words} ({evidence.far_words})" if words and evidence.far_words else words


def _effect_words(effect: Effect | None) -> str:
    """Return what customers notice, the worst step first."""
    if effect is None or not effect.steps:
        return ""
    step = effect.steps[0]
    parts = []
    if step.p99_after_s > step.p99_before_s:
        parts.append(f"{step.step} p99 +{seconds_words(step.p99_after_s - step.p99_before_s)}")
    if step.is_felt and step.fails_more and step.bad_at_peak.mid is not None:
        parts.append(f"at the peak {100 * step.bad_at_peak.mid:.0f} % of {step.step} fails")
    if effect.loses_orders and effect.orders_lost.mid is not None:
        parts.append(f"about {effect.orders_lost.mid:,.0f} orders lost")
    return ": " + "; ".join(parts) if parts else ""


def _unfelt(effect: Effect | None) -> str:
    if effect is None:
        return ": what it does at the forecast's load was not played in the model"
    return ": no customer notices at the forecast's load"


def _own_work(scenario: Scenario, cause: Cause, factor: float) -> str:
    found = cause.candidate
    service = scenario.services[found.service]
    law = service.time_for(found.step) if found.step else service.time
    return seconds_words(law.mean * factor)


def slower_words(scenario: Scenario, cause: Cause) -> str:
    """Return that visits take longer, of all steps or of one."""
    found, row = cause.candidate, cause.candidate.parameter
    of_step = f" on visits from {found.step}" if found.step else ""
    how = f"{row.measured.mid / row.declared:.2g} times as long as declared"
    times = (_own_work(scenario, cause, x) for x in (row.measured.mid, row.declared))
    return f"{found.service} works {how}{of_step} ({', '.join(times)})"
