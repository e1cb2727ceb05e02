"""Two runs of one event beside each other: first what differs in how they were played."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from gameday.errors import UsageError

__all__ = ["COMPARISON_SCHEMA_VERSION", "ObjectivePair", "RunComparison", "compare_summaries"]

COMPARISON_SCHEMA_VERSION = 2

_JUDGED = ("PASS", "WARN", "FAIL")
_ABSENT = "not there"


@dataclass(frozen=True, slots=True)
class ObjectivePair:
    """An objective of either run, with what each run says of it."""

    stack: str
    objective: str
    first: str
    second: str
    missed: tuple[bool | None, bool | None]
    """By the first and the second run; None where a run has no such objective."""


@dataclass(frozen=True, slots=True)
class RunComparison:
    """Two runs of one event; pairs are of the first run and the second."""

    event: str
    verdicts: tuple[str, str]
    warnings: tuple[str, ...]
    objectives: tuple[ObjectivePair, ...]
    new_findings: tuple[str, ...]
    """Ids of the second run's findings that the first has not."""
    gone_findings: tuple[str, ...]
    other_conditions: dict[str, tuple[Any, Any]]
    """Conditions that differ, as the summaries hold them."""


def compare_summaries(first: dict[str, Any], second: dict[str, Any]) -> RunComparison:
    """Return what two summaries have of verdicts, objectives, findings and differing conditions.

    UsageError where they are of two events: such runs cannot be compared.
    """
    if first["event"] != second["event"]:
        raise UsageError(
            f"{first['run_id']} is a run of {first['event']}, {second['run_id']} one of "
            f"{second['event']}: choose two runs of one event; `gameday runs --event NAME` lists them"
        )
    other = _other_conditions(first, second)
    ids = [{finding["id"] for finding in summary["findings"]} for summary in (first, second)]
    return RunComparison(
        event=first["event"],
        verdicts=(first["verdict"]["name"], second["verdict"]["name"]),
        warnings=tuple(_warnings((first, second), other)),
        objectives=tuple(_objectives(first, second)),
        new_findings=tuple(sorted(ids[1] - ids[0])),
        gone_findings=tuple(sorted(ids[0] - ids[1])),
        other_conditions=other,
    )


def _other_conditions(first: dict[str, Any], second: dict[str, Any]) -> dict[str, tuple[Any, Any]]:
    """Return the conditions that differ: what was sent, to which target, and the model beside it."""
    pairs = {
        name: (_condition(first, name), _condition(second, name))
        for name in {**_OWN, **first["conditions"], **second["conditions"]}
    }
    return {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}


_OWN = dict.fromkeys(("seed", "target", "version", "injected", "history_sha256"))
"""Conditions that a summary holds beside its `conditions`, in the order in which they are told."""
_UNKNOWN_WHERE_ABSENT = ("target", "history_sha256")
"""Conditions that summaries of older versions do not have."""


def _condition(summary: dict[str, Any], name: str) -> Any:
    """Return a condition of a run, as its summary holds it."""
    if name in summary["conditions"]:
        return summary["conditions"][name]
    if name in _UNKNOWN_WHERE_ABSENT:
        return summary.get(name, "unknown")
    return summary[name] if name in _OWN else _ABSENT


def _warnings(runs: tuple[dict[str, Any], ...], other: dict[str, Any]) -> list[str]:
    out = []
    if other:
        out.append(f"the runs were not played alike: {', '.join(other)} differ")
    for run in runs:
        if run["verdict"]["name"] not in _JUDGED:
            out.append(f"{run['run_id']} is {run['verdict']['name']}: its numbers are no result")
    return out


def _objectives(first: dict[str, Any], second: dict[str, Any]) -> Iterator[ObjectivePair]:
    """Yield every objective of either run, with what each says of it."""
    rows = [{(o["stack"], o["text"]): o for o in run["objectives"]} for run in (first, second)]
    absent = {"said": _ABSENT, "missed": None}
    for key in {**rows[0], **rows[1]}:
        old, new = (row.get(key, absent) for row in rows)
        yield ObjectivePair(*key, old["said"], new["said"], (old["missed"], new["missed"]))
