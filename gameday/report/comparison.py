"""Two runs of one event beside each other: first what differs in how they were played."""

from __future__ import annotations

from typing import Any

from gameday.errors import UsageError

__all__ = ["compare_summaries"]

_JUDGED = ("PASS", "WARN", "FAIL")
_ABSENT = "not there"


def compare_summaries(first: dict[str, Any], second: dict[str, Any]) -> dict[str, Any]:
    """Return verdicts, objectives, findings and conditions of two summaries, and what keeps them apart.

    UsageError where they are of two events: nothing of one says anything of the other.
    """
    if first["event"] != second["event"]:
        raise UsageError(
            f"{first['run_id']} is a run of {first['event']}, {second['run_id']} one of "
            f"{second['event']}: choose two runs of one event; `gameday runs --event NAME` lists them"
        )
    conditions = [_conditions(summary) for summary in (first, second)]
    other = {
        name: [one.get(name, _ABSENT) for one in conditions]
        for name in {**conditions[0], **conditions[1]}
        if conditions[0].get(name, _ABSENT) != conditions[1].get(name, _ABSENT)
    }
    ids = [{finding["id"] for finding in summary["findings"]} for summary in (first, second)]
    return {
        "schema_version": 2,
        "event": first["event"],
        "verdicts": [summary["verdict"]["name"] for summary in (first, second)],
        "warnings": _warnings((first, second), other),
        "objectives": _objectives(first, second),
        "new_findings": sorted(ids[1] - ids[0]),
        "gone_findings": sorted(ids[0] - ids[1]),
        "other_conditions": other,
    }


def _conditions(summary: dict[str, Any]) -> dict[str, Any]:
    """Return all that decides what a run sends, to what, and with which model it is compared."""
    own: dict[str, Any] = {
        "seed": summary["seed"],
        "target": summary.get("target", "unknown"),
        "version": summary["version"],
        "injected": summary["injected"],
        "history_sha256": summary.get("history_sha256", "unknown"),
    }
    return {**own, **summary["conditions"]}


def _warnings(runs: tuple[dict[str, Any], ...], other: dict[str, Any]) -> list[str]:
    out = []
    if other:
        out.append(f"the runs were not played alike: {', '.join(other)} differ")
    for run in runs:
        if run["verdict"]["name"] not in _JUDGED:
            out.append(f"{run['run_id']} is {run['verdict']['name']}: its numbers are no result")
    return out


def _objectives(first: dict[str, Any], second: dict[str, Any]) -> list[dict[str, Any]]:
    """Return every objective of either run, with what each says of it."""
    rows = [{(o["stack"], o["text"]): o for o in run["objectives"]} for run in (first, second)]
    return [
        {
            "stack": stack,
            "objective": text,
            **{
                name: row[stack, text]["said"] if (stack, text) in row else _ABSENT
                for name, row in zip(("first", "second"), rows, strict=True)
            },
            "missed": [
                row[stack, text]["missed"] if (stack, text) in row else None for row in rows
            ],
        }
        for stack, text in {**rows[0], **rows[1]}
    ]
