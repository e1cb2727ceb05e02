"""The grammar of objectives and guardrails: `p99 of checkout < 800ms for 30s`.

    METRIC of SUBJECT  <|<=|>|>=  VALUE  [for DURATION]

An objective says what must hold; a guardrail says what stops the run.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import BeforeValidator, PlainSerializer, WithJsonSchema

from gameday.scenario.units import parse_duration

__all__ = ["METRICS", "Criterion", "CriterionText", "parse_criterion", "quantile_level"]

METRICS = {
    "p50": "s",
    "p90": "s",
    "p95": "s",
    "p99": "s",
    "error rate": "share",
    "abandonment rate": "share",
    "utilisation": "share",
    "queue": "count",
}
"""Metric -> unit of its value. Latencies are response times (intended send to last byte)."""

SERVICE_METRICS = frozenset({"utilisation", "queue"})
"""Metrics whose subject is a service; the others' subject is a step or `all steps`."""

_OPERATORS: dict[str, Callable[[float, float], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_FORM = re.compile(
    r"\s*(?P<metric>[a-z0-9 ]+?)\s+of\s+(?P<subject>[a-z][a-z0-9_ -]*?)\s*"
    r"(?P<op><=|>=|<|>)\s*(?P<value>[0-9.]+\s*(?:%|[a-z]+)?)"
    r"(?:\s+for\s+(?P<for>[0-9.]+\s*[a-z]+))?\s*"
)


@dataclass(frozen=True, slots=True)
class Criterion:
    """One comparison of a measured number with a bound."""

    text: str
    metric: str
    subject: str
    op: str
    value: float
    """The bound: seconds, a share 0-1, or a count, by METRICS."""
    for_s: float
    """How long the comparison must be true in a row before it counts; 0 = at once."""

    def holds(self, number: float) -> bool:
        """Return whether `number` (same unit as `value`) satisfies the comparison."""
        return _OPERATORS[self.op](number, self.value)

    @property
    def level(self) -> float:
        """The level in (0, 1) of a latency metric: 0.99 for p99."""
        return quantile_level(self.metric)

    @property
    def is_of_service(self) -> bool:
        """Whether the subject is a service, not a step."""
        return self.metric in SERVICE_METRICS


def quantile_level(metric: str) -> float:
    """Return the level in (0, 1) of a latency metric: 0.99 for p99."""
    return float(metric[1:]) / 100


def parse_criterion(text: Any) -> Criterion:
    """Return the criterion written as `text`; ValueError says which part is wrong."""
    if isinstance(text, Criterion):
        return text
    found = _FORM.fullmatch(text) if isinstance(text, str) else None
    if not found:
        raise ValueError(
            "must read METRIC of SUBJECT < VALUE [for DURATION], as in 'p99 of checkout < 800ms'"
        )
    metric = found["metric"].strip()
    if metric not in METRICS:
        raise ValueError(f"unknown metric '{metric}'; use one of {', '.join(METRICS)}")
    value = _value(found["value"].strip(), METRICS[metric])
    for_s = parse_duration(found["for"]) if found["for"] else 0.0
    if found["for"] and not for_s:
        raise ValueError("`for` must be longer than nothing; leave it out to judge at once")
    return Criterion(text.strip(), metric, found["subject"].strip(), found["op"], value, for_s)


def _value(text: str, unit: str) -> float:
    if unit == "s":
        return parse_duration(text)
    if unit == "share":
        if not re.fullmatch(r"\d+(\.\d+)?\s*%", text):
            raise ValueError(f"a rate is written in percent, such as 1% (got {text})")
        return float(text[:-1]) / 100
    if not re.fullmatch(r"\d+(\.\d+)?", text):
        raise ValueError(f"a count has no unit (got {text})")
    return float(text)


CriterionText = Annotated[
    Criterion,
    BeforeValidator(parse_criterion),
    PlainSerializer(lambda c: c.text, return_type=str),
    WithJsonSchema({"type": "string", "examples": ["p99 of checkout < 800ms"]}),
]
"""A Criterion, written as its sentence."""
