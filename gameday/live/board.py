"""A run's numbers as a terminal shows them: one line, or a board that is drawn anew."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from gameday.swarm import Progress

__all__ = ["board_of", "line_of"]

_SPARKS = "▁▂▃▄▅▆▇█"
_SHOWN_SLOTS = 44


def line_of(p: Progress) -> str:
    """Return a run's progress as one line."""
    late = "" if p.lateness_p99_s is None else f", lateness p99 {1000 * p.lateness_p99_s:.1f} ms"
    return (
        f"{p.at_s:+.0f} s of {p.duration_s:.0f}: {p.sent} steps sent, {p.done} good, {p.bad} bad, "
        f"{p.in_flight} in flight, {p.waiting} waiting{late}"
    )


def board_of(p: Progress) -> RenderableType:
    """Return a run's progress as a table with what surrounds it."""
    busy = ", ".join(f"worker {worker} {share:.0%}" for worker, share in p.busy) or "-"
    lines = [
        Text(f"forecast  {_sparks(p.forecast, p)}"),
        Text(f"achieved  {_sparks(p.achieved, p)}"),
        Text(
            f"in flight {p.in_flight}   waiting customers {p.waiting}   sockets {p.sockets}   "
            f"held for a socket {p.queued}   lateness p99 {_ms(p.lateness_p99_s)}   core {busy}"
        ),
        *(
            Text(f"guardrail {text}: now {'-' if number is None else f'{number:.3g}'} -> {then}")
            for text, then, number in p.guardrails
        ),
        *(Text(warning, style="yellow") for warning in p.warnings),
    ]
    return Group(_steps_table(p), *lines)


def _steps_table(p: Progress) -> Table:
    """Return what each step showed last."""
    table = Table(
        "step", "per s", "p50", "p99", "bad", box=None, pad_edge=False, header_style="dim"
    )
    for column in table.columns[1:]:
        column.justify = "right"
    for step in p.steps:
        table.add_row(
            step.step, f"{step.per_s:.1f}", _ms(step.p50), _ms(step.p99), _share(step.bad_share)
        )
    return table


def _sparks(counts: Sequence[float], p: Progress) -> str:
    """Return counts by slot as blocks, on the forecast's own scale, around the slot that is played."""
    first = max(0, min(p.slot - _SHOWN_SLOTS // 2, len(counts) - _SHOWN_SLOTS))
    shown = counts[first : first + _SHOWN_SLOTS]
    most = max(max(p.forecast, default=1), 1)
    last = len(_SPARKS) - 1
    return "".join(_SPARKS[min(last, round(last * n / most))] if n else " " for n in shown)


def _ms(seconds: float | None) -> str:
    return "-" if seconds is None else f"{1000 * seconds:.0f} ms"


def _share(share: float | None) -> str:
    return "-" if share is None else f"{share:.1%}"
