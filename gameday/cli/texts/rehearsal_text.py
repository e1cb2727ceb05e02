"""What `gameday simulate` prints: tables of what the model says, and of what a change does."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import typer

from gameday.experiments.rehearsal import FEW_SERVERS
from gameday.experiments.replications import NOBODY

if TYPE_CHECKING:
    from gameday.experiments.failures import LossAnswer, StackLosses
    from gameday.experiments.rehearsal import Quantities, QueueCheck, StackAnswer
    from gameday.jobs.rehearsal import Rehearsal, Variant
    from gameday.record.intervals import Interval

__all__ = ["drawn", "say"]

_MOST_DRAWN = 4

_UNITS = {"utilisation": "share", "wait_s": "seconds", "p99_s": "seconds", "turned_away": "share"}
_HEADS = {
    "utilisation": "utilisation",
    "wait_s": "mean wait",
    "p99_s": "p99 visit",
    "turned_away": "turned away",
}


def drawn(result: Rehearsal) -> dict[str, list[str]]:
    """Return stack -> the services worth a picture: what breaks first, what a change moves, the busiest."""
    chosen = {}
    for stack, model in result.stacks.items():
        moved = {answer.service: 0.0 for answer in model.services}
        for variant in result.what_ifs:
            for change in variant.change[stack]:
                moved[change.service] += abs(change.peak_hour.utilisation.mid or 0.0)
        first = {row.service: row.is_first.mid or 0.0 for row in model.bottlenecks}
        busy = {a.service: a.peak_hour.utilisation.mid or 0.0 for a in model.services}
        names = sorted(busy, key=lambda n: (-first[n], -round(moved[n], 2), -busy[n]))
        chosen[stack] = names[:_MOST_DRAWN]
    return chosen


def say(result: Rehearsal) -> None:
    """Print the result of a rehearsal."""
    typer.echo(
        f"{result.event}: {result.window_start} to {result.window_end}, real speed after "
        f"{result.lead_in_slots} min of warm-up, cell of {result.scale:g} of full scale, "
        f"p{100 * result.quantile:g}, seed {result.seed}; mean and 95 % interval of "
        f"{result.replications} replications"
    )
    for note in result.notes:
        typer.echo(note)
    for stack, names in result.small_stations.items():
        typer.echo(
            f"{stack}: a small cell: fewer than {FEW_SERVERS} servers of {', '.join(names)} are in it, "
            "which wait longer than the whole would: an objective that holds is on the safe side, a latency "
            "missed may be the cell's own; a larger --budget gives a larger cell"
        )
    for stack, model in result.stacks.items():
        _say_of_stack(result, stack, model)


def _say_of_stack(result: Rehearsal, stack: str, model: StackAnswer) -> None:
    for note in model.notes:
        typer.echo(f"{stack}: {note}")
    _say_bottlenecks(result, stack, model)
    _say_objectives(result, stack, model)
    _say_sell_out(stack, result)
    _say_recovery(stack, result)
    _say_remedies(stack, result)
    _say_losses(stack, result)
    for variant in result.what_ifs:
        _say_variant(stack, model, variant)
    for row in result.full_scale[stack]:
        typer.echo(
            f"{stack}: {row.service} alone at full scale, peak hour: mean wait "
            f"{_band(row.wait_s, 'seconds')}, in the cell {_band(row.cell_wait_s, 'seconds')}"
        )
    _say_checks(stack, model, result.cross_check[stack])


def _say_bottlenecks(result: Rehearsal, stack: str, model: StackAnswer) -> None:
    """Print the services, the likeliest to break first."""
    if not model.is_observed:
        typer.echo(
            f"{stack}: {NOBODY} in any of {result.replications} replications: the forecast has none, or so few "
            "that none falls into the window; what breaks, holds or can be lost is not known"
        )
        return
    heads = [f"{stack}, peak hour", "breaks first", "when (UTC)", *_HEADS.values()]
    rows = []
    for bottleneck in model.bottlenecks:
        hour = model.service(bottleneck.service).peak_hour
        first = _band(bottleneck.is_first, "share")
        numbers = (_band(_quantity(hour, name), unit) for name, unit in _UNITS.items())
        rows.append([bottleneck.service, first, bottleneck.when, *numbers])
    _table(heads, rows)


def _say_objectives(result: Rehearsal, stack: str, model: StackAnswer) -> None:
    """Print the objectives, and the multiple of the forecast each bears where that was asked."""
    if not model.objectives:
        return
    rows = []
    for number, objective in enumerate(model.objectives):
        first = "-" if objective.said == NOBODY else "in no single minute"
        if objective.at_utc:
            first = f"{objective.when} in {100 * (objective.fails_in_some_minute.mid or 0):.0f} %"
        row = [objective.text, _band(objective.value, objective.unit), objective.said, first]
        if result.headroom:
            row.append(result.headroom[stack][number].said)
        rows.append(row)
    heads = ["objective", "in the model", "", "first fails (UTC)"]
    _table(heads + ["bears, x the forecast"] * bool(result.headroom), rows)


def _say_sell_out(stack: str, result: Rehearsal) -> None:
    """Print when what is limited is gone, variant by variant."""
    for name, variant in result.variants():
        for row in variant.sell_out[stack]:
            share = f"{_band(row.sells_out, 'share')} of replications; "
            share = "" if row.said == NOBODY else share
            typer.echo(f"{stack}: {row.product} sold out, {name}: {share}{row.said}")


def _say_recovery(stack: str, result: Rehearsal) -> None:
    """Print goodput before, in and after what was injected, variant by variant."""
    if not result.injected or stack not in (result.recovery or {}):
        return
    rows = []
    for name, variant in result.variants():
        row = (variant.recovery or {})[stack]
        parts = [
            _band(part, "share") if part else "-" for part in (row.before, row.during, row.after)
        ]
        minutes, share = row.minutes_to_recover, row.recovers
        soon = f"{minutes.mid:.0f} min {_range(minutes, 'number')}" if minutes else "-"
        rows.append([name, *parts, _band(share, "share") if share else "-", soon, row.said])
    typer.echo(f"injected: {'; '.join(result.injected)}")
    _table(["goodput", "before", "in", "after", "comes back", "within", ""], rows)


def _say_remedies(stack: str, result: Rehearsal) -> None:
    """Print what brings back a stack that stays down."""
    found = (result.cures or {}).get(stack)
    if found is None:
        return
    load, of = found.load, f"{found.replications} replications"
    if load is None:
        typer.echo(f"{stack}: not even a tenth of the load brings it back ({of})")
    else:
        beyond = "" if load.not_at is None else f", at {100 * load.not_at:g} % not in all"
        typer.echo(
            f"{stack}: it comes back within the window if the load falls to {100 * load.share:g} % of the "
            f"forecast once the trigger is gone: in all of {of}{beyond}; tenths were tried"
        )
    rows = [[p.policy, _band(p.after, "share") if p.after else "-", p.said] for p in found.policies]
    _table([f"with in every service, {of}", "goodput after", ""], rows)


def _say_losses(stack: str, result: Rehearsal) -> None:
    """Print what can be lost at the peak."""
    losses = (result.n_minus_one or {}).get(stack)
    if losses is None:
        return
    typer.echo(
        f"what can be lost at the peak, {losses.minutes} minutes from {losses.from_utc[:16]}, one at a time "
        f"({losses.replications} replications in a cell of {losses.scale:.3g})"
    )
    for line in _unasked(losses):
        typer.echo(line)
    nothing = losses.as_it_is
    missed = "; ".join(nothing.misses) or "-"
    first = ["nothing", "", _band(nothing.held, "share"), "", "", missed]
    heads = ["lost", "", "objectives hold", "", "goodput by", "missed besides"]
    _table(heads, [first, *(_loss_cells(row) for row in losses.rows)])


def _unasked(losses: StackLosses) -> Iterator[str]:
    """Yield what could not be asked at the peak."""
    if losses.alone:
        yield f"a zone is not asked for: {', '.join(losses.alone)} is in one alone"
    if losses.as_it_is.unmet:
        unmet = "; ".join(losses.as_it_is.unmet)
        yield f"not observed, nobody came to it in these minutes: {unmet}"


def _loss_cells(row: LossAnswer) -> list[str]:
    return [
        row.what,
        row.kind,
        _band(row.held, "share"),
        row.said,
        _points(row.goodput_change),
        "; ".join(row.misses_more) or "-",
    ]


def _say_variant(stack: str, model: StackAnswer, variant: Variant) -> None:
    """Print what a change does to a stack's services and objectives."""
    for line in variant.unseen.get(stack, ()):
        typer.echo(f"what if {variant.text}: {stack}: {line}")
    after, rows = variant.stacks[stack], []
    for change in variant.change[stack]:
        hours = (model.service(change.service).peak_hour, after.service(change.service).peak_hour)
        cells = [
            f"{' -> '.join(_number(_quantity(hour, name).mid, unit) for hour in hours)} "
            f"{_range(_quantity(change.peak_hour, name), unit, of_change=True)}"
            for name, unit in _UNITS.items()
        ]
        rows.append([change.service, *cells])
    _table([f"what if {variant.text}", *(f"{head} (change)" for head in _HEADS.values())], rows)
    objectives = zip(
        model.objectives, after.objectives, variant.objectives_change[stack], strict=True
    )
    rows = [
        [
            new.text,
            _band(old.value, new.unit),
            _band(new.value, new.unit),
            _range(moved.change, new.unit, of_change=True),
            f"{old.said} -> {new.said}",
        ]
        for old, new, moved in objectives
    ]
    if rows:
        _table(["objective", "as it is", "as it would be", "change", ""], rows)


def _say_checks(stack: str, model: StackAnswer, checks: tuple[QueueCheck, ...]) -> None:
    """Print whether accounts balance, and what paper says of the queues."""
    if not model.is_observed:
        return  # accounts of nobody balance, and say nothing
    books = "; ".join(model.imbalances) or "balance"
    typer.echo(
        f"{stack}: books {books}; Little's law holds to {model.little_residual:.0e} of the waiting"
    )
    exact = [check for check in checks if check.exact]
    agreeing = f"{sum(c.said == 'agrees' for c in exact)} of {len(exact)} exact forms agree"
    typer.echo(
        f"{stack}: on paper: {agreeing if exact else 'no service has an exact form'}, "
        f"{sum(check.said == 'near' for check in checks)} approximations are near, "
        f"{sum(check.form is None for check in checks)} services are not comparable"
    )
    for check in checks:
        if check.said in ("DISAGREES", "far") and check.simulated is not None:
            unit = "seconds" if check.unit == "s" else "share"
            typer.echo(
                f"{stack}: {check.service}: {check.form} says {_number(check.paper, unit)}, "
                f"simulated {_band(check.simulated, unit)}: "
                + ("DISAGREES" if check.exact else "the approximation is off here")
            )


def _quantity(quantities: Quantities, name: str) -> Interval:
    interval: Interval = getattr(quantities, name)
    return interval


def _number(value: float | None, unit: str) -> str:
    if value is None:
        return "-"
    if unit == "share":
        return f"{round(100 * value, 1) + 0.0:.1f} %"
    if unit == "seconds":
        return f"{1000 * value:.1f} ms" if value < 1 else f"{value:.2f} s"
    return f"{value:.3g}"


def _band(interval: Interval, unit: str) -> str:
    if interval.mid is None:
        return "not observed"
    return f"{_number(interval.mid, unit)} {_range(interval, unit)}"


def _points(change: Interval) -> str:
    if change.mid is None:
        return "not observed"
    mid = f"{round(100 * change.mid, 1) + 0.0:.1f}"
    return f"{mid} {_range(change, 'share', of_change=True)}"


def _range(interval: Interval, unit: str, *, of_change: bool = False) -> str:
    """Return an interval in the unit its value is printed in; a share changes by points."""
    if interval.low is None or interval.high is None:
        return "(no interval)"
    factor, name, digits = {
        "share": (100, " points" if of_change else " %", 1),
        "seconds": (1000, " ms", 1),
        "number": (1, "", 1),
    }[unit]
    if unit == "seconds" and not of_change and (interval.mid or 0.0) >= 1:
        factor, name, digits = 1, " s", 2
    ends = (interval.low, interval.high)
    low, high = (f"{round(factor * end, digits) + 0.0:.{digits}f}" for end in ends)
    return f"({low} to {high}{name})"


def _table(heads: list[str], rows: list[list[str]]) -> None:
    """Print a table in columns as wide as what is in them."""
    widths = [max(len(row[i]) for row in [heads, *rows]) for i in range(len(heads))]
    for row in [heads, *rows]:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        typer.echo("  ".join(cells).rstrip())
    typer.echo("")
