"""What `gameday replay` prints at its end: verdict, predicted and measured, findings, orders, proof."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from rich.table import Table

    from gameday.calibrate import Equivalent
    from gameday.findings.tables import Compared
    from gameday.record.intervals import Interval
    from gameday.report import Summary

__all__ = ["say_run", "station_words"]

_PLAIN_WIDTH = 130
"""Columns of the summary where there is no terminal to ask."""
_MOST_REASONS = 6


def say_run(summary: Summary, folder: Path) -> None:
    """Print the terminal summary."""
    from rich.console import Console

    console = Console(highlight=False, width=None if sys.stdout.isatty() else _PLAIN_WIDTH)
    console.print(f"\n[bold]{summary.verdict.name}[/bold] (exit code {summary.verdict.exit_code})")
    for line in (*_reasons(summary), _followed(summary)):
        console.print(line, markup=False)
    if summary.services:
        console.print(_services(summary))
    console.print(summary.machine.text, markup=False)
    if summary.machine.not_compared:
        console.print(f"model and measurement {summary.machine.not_compared}", markup=False)
    for line in _learned(summary):
        console.print(line, markup=False)
    for line in (*_sell_outs(summary), *_recoveries(summary), *_findings(summary)):
        console.print(line, markup=False)
    for line in (*_requests(summary), *_proofs(summary), *_withheld(summary), *_lives(summary)):
        console.print(line, markup=False)
    typer.echo(f"report: {folder / 'report.html'}")


def _reasons(summary: Summary) -> Iterator[str]:
    """Yield why the verdict is what it is."""
    reasons = summary.verdict.reasons
    for reason in reasons[:_MOST_REASONS]:
        yield f"  {reason}"
    if (more := len(reasons) - _MOST_REASONS) > 0:
        yield f"  and {more} more: see the report"


def _followed(summary: Summary) -> str:
    """Return how far the run followed the forecast, and how it was played."""
    followed, conditions = summary.followed, summary.conditions
    return (
        f"forecast followed: {100 * followed.session_starts_share:.2f} % of session starts, slot "
        f"by slot; {followed.steps_sent} steps sent, {followed.steps_forecast} forecast; "
        f"{conditions.speed:g}x, scale {conditions.scale:g}, seed {summary.seed}"
    )


def _services(summary: Summary) -> Table:
    """Return the services, predicted and measured."""
    from rich.table import Table

    table = Table(
        *("stack", "service", "utilisation", "p50", "p99", "errors"),
        box=None,
        pad_edge=False,
        title="predicted / measured",
        title_justify="left",
        header_style="",
    )
    for row in summary.services:
        times = (_pair(compared, _milliseconds) for compared in (row.p50, row.p99))
        busy, errors = (_pair(compared, _percent) for compared in (row.utilisation, row.error_rate))
        table.add_row(row.stack, row.service, busy, *times, errors)
    return table


def _learned(summary: Summary) -> Iterator[str]:
    """Yield what the run says of the target: where it differs, where it is full, what cannot be told."""
    learned = summary.learned
    if learned.why_not:
        yield f"nothing learned of the target: {learned.why_not}"
        return
    for station in learned.equivalents:
        yield station_words(station)
    same = sum(row.agrees for row in learned.parameters)
    if learned.parameters:
        known = f"calibrated in {learned.known_before}" if learned.known_before else "declared"
        yield f"of the target's parameters {same} of {len(learned.parameters)} are as {known}"
    for knee in learned.knees[:6]:
        band = knee.load
        if band.mid is None or band.low is None:
            continue
        high = "more" if band.high is None else _digits(band.high)
        yield (
            f"  {knee.stack} {knee.service} is full at {_digits(band.mid)} times the peak's load "
            f"({_digits(band.low)} to {high}): {knee.known_by}"
        )
    for row in learned.unidentified[:3]:
        yield f"  cannot be told: {row.stack} {row.service}: {row.what}; add {row.add}"


def station_words(station: Equivalent) -> str:
    """Say which station answers like a stack."""
    far = " (extrapolated)" if station.is_extrapolated else ""
    return (
        f"{station.stack} answers like {_interval(station.servers)} servers, "
        f"{_interval(station.utilisation_at_peak, 100)} % busy in the busiest minute played, "
        f"full at {_interval(station.knee)} times that load{far}"
    )


def _digits(number: float) -> str:
    """Return a number to three digits, or to the last before the point."""
    return f"{number:,.0f}" if number >= 100 else f"{number:.3g}"


def _interval(interval: Interval, times: float = 1.0) -> str:
    """Return a number with its interval, each so many times."""
    numbers = [
        x if x is not None else float("nan") for x in (interval.mid, interval.low, interval.high)
    ]
    mid, low, high = (_digits(times * number) for number in numbers)
    return f"{mid} ({low} to {high})"


def _findings(summary: Summary) -> Iterator[str]:
    """Yield how many findings there are, and the worst of them."""
    counts = summary.findings_by_severity
    found = ", ".join(f"{count} {severity}" for severity, count in counts.items()) or "none"
    yield f"findings: {found}"
    shown = [finding for finding in summary.findings if not finding.cause]
    for finding in shown[:8]:
        yield f"  {finding.severity} {finding.title} ({finding.doubt or finding.basis})"
        follows = [other for other in summary.findings if other.cause == finding.id]
        for other in follows[:4]:
            yield f"    follows: {other.severity} {other.title} ({other.doubt or other.basis})"
        if len(follows) > 4:
            yield f"    and {len(follows) - 4} more that follow from it"


def _requests(summary: Summary) -> Iterator[str]:
    """Yield how many capacity requests there are, what they cost, and the first of them."""
    if summary.is_black_box:
        yield "capacity requests: not told, the scenario has no services"
        return
    yield f"capacity requests: {len(summary.requests)}, USD {summary.requests_usd:,.0f}"
    for request in summary.requests[:6]:
        yield (
            f"  {request.stack} {request.service}: {request.instances_from} -> "
            f"{request.instances_to} {request.instance}"
            + (f" for {request.most_hours:.0f} h" if request.schedule else "")
            + f", order by {request.latest_order:%Y-%m-%d}{' (LATE)' if request.at_risk else ''}"
            + (" (model not compared with this run)" if request.model == "not compared" else "")
        )


def _proofs(summary: Summary) -> Iterator[str]:
    """Yield what the model says of the case that the requests are sized for, with them placed."""
    for stack in dict.fromkeys(request.stack for request in summary.requests):
        rows = [row for row in summary.proof if row.stack == stack]
        if not rows:
            first = next(request for request in summary.requests if request.stack == stack)
            yield f"  {stack}: {first.proven}"
            continue
        held = sum(row.holds_after for row in rows)
        yield f"  in the model, {rows[0].of}: {held} of {len(rows)} objectives hold"
        for row in rows:
            if row.said != "holds":
                yield f"    {row.text}: {row.before} -> {row.after}: {row.said}"


def _withheld(summary: Summary) -> Iterator[str]:
    """Yield the requests that are not made, and why."""
    for row in summary.withheld:
        yield (
            f"  {row.stack} {row.service}: request withheld, model refuted by this run: "
            f"{'; '.join(row.why)}"
        )


def _lives(summary: Summary) -> Iterator[str]:
    """Yield what became of the findings and requests of the runs before."""
    lives = summary.lives
    if lives.words:
        yield f"since the runs before: {lives.words}"
    for row in lives.findings:
        if row.tested in ("fixed", "worse", "again") or row.state == "waived":
            yield f"  {row.tested}: {row.severity} {row.title} ({row.why})"
    untested = [row for row in lives.findings if row.tested == "not tested"]
    for row in untested[:4]:
        yield f"  not tested: {row.severity} {row.title}: {row.why}"
    if len(untested) > 4:
        yield f"  and {len(untested) - 4} more that were not tested: see the report"
    for change in lives.requests:
        if change.act != "drafted":
            score = f"; predicted: {change.score}" if change.score else ""
            yield f"  {change.id} {change.act}, {change.state}: {change.what}{score}"
    yield from (f"  {line}" for line in lives.unchanged)


def _sell_outs(summary: Summary) -> Iterator[str]:
    """Yield when what is limited was gone, measured and in the model."""
    for row in summary.sell_out:
        models = {
            "model of the run as played": row.predicted,
            "at real speed": row.at_real_speed,
        }
        modelled = [f"{name}: {model.said}" for name, model in models.items() if model]
        measured = f"{row.stack}: {row.product} sold out: measured {row.measured}"
        yield "; ".join([measured, *modelled])


def _recoveries(summary: Summary) -> Iterator[str]:
    """Yield what was injected and whether the system came back, measured and in the model."""
    if not summary.injected:
        return
    yield f"injected: {'; '.join(summary.injected)}"
    for stack, row in (summary.recovery or {}).items():
        shares = {"before": row.before, "in": row.during, "after": row.after}
        parts = ", ".join(f"{name} {_percent(share)}" for name, share in shares.items())
        model = (summary.recovery_modelled or {}).get(stack)
        modelled = f"; model: {model.said}" if model else ""
        yield f"  {stack}: goodput {parts}: {row.said}{modelled}"


def _pair(compared: Compared, shown: Callable[[float | None], str]) -> str:
    predicted = compared.predicted.mid if compared.predicted else None
    return f"{shown(predicted)} / {shown(compared.measured)}"


def _milliseconds(value: float | None) -> str:
    return "-" if value is None else f"{value * 1000:.0f} ms"


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{100 * value:.1f} %"
