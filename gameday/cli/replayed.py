"""What `gameday replay` prints at its end: verdict, predicted and measured, findings, orders, proof."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer

__all__ = ["say_run"]

_PLAIN_WIDTH = 130
"""Columns of the summary where there is no terminal to ask."""
_MOST_REASONS = 6
_MODELS = {"predicted": "model of the run as played", "at_real_speed": "at real speed"}


def say_run(summary: dict[str, Any]) -> None:
    """Print the terminal summary."""
    from rich.console import Console
    from rich.table import Table

    console = Console(highlight=False, width=None if sys.stdout.isatty() else _PLAIN_WIDTH)
    verdict, followed, conditions = summary["verdict"], summary["followed"], summary["conditions"]
    console.print(f"\n[bold]{verdict['name']}[/bold] (exit code {verdict['exit_code']})")
    for reason in verdict["reasons"][:_MOST_REASONS]:
        console.print(f"  {reason}", markup=False)
    if (more := len(verdict["reasons"]) - _MOST_REASONS) > 0:
        console.print(f"  and {more} more: see the report")
    console.print(
        f"forecast followed: {100 * followed['session_starts_share']:.2f} % of session starts, slot "
        f"by slot; {followed['steps_sent']} steps sent, {followed['steps_forecast']} forecast; "
        f"{conditions['speed']:g}x, scale {conditions['scale']:g}, seed {summary['seed']}"
    )
    table = Table(
        "stack",
        "service",
        "utilisation",
        "p50",
        "p99",
        "errors",
        box=None,
        pad_edge=False,
        title="predicted / measured",
        title_justify="left",
        header_style="",
    )
    for row in summary["services"]:
        cells = [
            _pair(row[metric], metric) for metric in ("utilisation", "p50", "p99", "error_rate")
        ]
        table.add_row(row["stack"], row["service"], *cells)
    console.print(table)
    console.print(summary["machine"]["text"], markup=False)
    if summary["machine"]["not_compared"]:
        console.print(f"model and measurement {summary['machine']['not_compared']}", markup=False)
    for line in (*_sell_outs(summary), *_recoveries(summary)):
        console.print(line, markup=False)
    counts = summary["findings_by_severity"]
    found = ", ".join(f"{n} {severity}" for severity, n in counts.items()) or "none"
    console.print(f"findings: {found}")
    for finding in summary["findings"][:8]:
        console.print(
            f"  {finding['severity']} {finding['title']} ({finding['doubt'] or finding['basis']})",
            markup=False,
        )
    for line in (*_requests(summary), *_proofs(summary), *_withheld(summary)):
        console.print(line, markup=False)
    typer.echo(f"report: {Path(summary['folder']) / 'report.html'}")


def _requests(summary: dict[str, Any]) -> Iterator[str]:
    """Yield how many capacity requests there are, what they cost, and the first of them."""
    yield f"capacity requests: {len(summary['requests'])}, USD {summary['requests_usd']:,.0f}"
    for request in summary["requests"][:6]:
        yield (
            f"  {request['stack']} {request['service']}: {request['instances_from']} -> "
            f"{request['instances_to']} {request['instance']}, order by {request['latest_order']}"
            + (" (model not compared with this run)" if request["model"] == "not compared" else "")
        )


def _proofs(summary: dict[str, Any]) -> Iterator[str]:
    """Yield what the model says of the case that the requests are sized for, with them placed."""
    for stack in dict.fromkeys(request["stack"] for request in summary["requests"]):
        rows = [row for row in summary["proof"] if row["stack"] == stack]
        if not rows:
            first = next(r for r in summary["requests"] if r["stack"] == stack)
            yield f"  {stack}: {first['proven']}"
            continue
        held = sum(row["holds_after"] for row in rows)
        yield f"  in the model, {rows[0]['of']}: {held} of {len(rows)} objectives hold"
        for row in rows:
            if row["said"] != "holds":
                yield f"    {row['text']}: {row['before']} -> {row['after']}: {row['said']}"


def _withheld(summary: dict[str, Any]) -> Iterator[str]:
    """Yield the requests that are not made, and why."""
    for row in summary["withheld"]:
        yield (
            f"  {row['stack']} {row['service']}: request withheld, model refuted by this run: "
            f"{'; '.join(row['why'])}"
        )


def _sell_outs(summary: dict[str, Any]) -> Iterator[str]:
    """Yield when what is limited was gone, measured and in the model."""
    for row in summary["sell_out"]:
        told = [f"{name}: {row[key]['said']}" for key, name in _MODELS.items() if row[key]]
        seen = f"{row['stack']}: {row['product']} sold out: measured {row['measured']}"
        yield "; ".join([seen, *told])


def _recoveries(summary: dict[str, Any]) -> Iterator[str]:
    """Yield what was injected and whether the system came back, measured and in the model."""
    if not summary["injected"]:
        return
    yield f"injected: {'; '.join(summary['injected'])}"
    for stack, seen in summary["recovery"].items():
        parts = [
            f"{name} {'-' if seen[name] is None else f'{100 * seen[name]:.1f} %'}"
            for name in ("before", "in", "after")
        ]
        model = (summary["recovery_modelled"] or {}).get(stack)
        said = f"; model: {model['said']}" if model else ""
        yield f"  {stack}: goodput {', '.join(parts)}: {seen['said']}{said}"


def _pair(cell: dict[str, Any], metric: str) -> str:
    said = cell["predicted"]["mid"] if cell["predicted"] else None
    return " / ".join(_shown(value, metric) for value in (said, cell["measured"]))


def _shown(value: float | None, metric: str) -> str:
    if value is None:
        return "-"
    return f"{value * 1000:.0f} ms" if metric in ("p50", "p99") else f"{100 * value:.1f} %"
