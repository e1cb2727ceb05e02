"""What `gameday simulate` prints: tables of what the model says, and of what a change does."""

from __future__ import annotations

from typing import Any

import typer

from gameday.findings.small_cells import FEW_SERVERS

__all__ = ["drawn", "say"]

_MOST_DRAWN = 4

_UNITS = {"utilisation": "share", "wait_s": "seconds", "p99_s": "seconds", "turned_away": "share"}
_HEADS = {"utilisation": "utilisation", "wait_s": "mean wait", "p99_s": "p99 visit",
          "turned_away": "turned away"}  # fmt: skip


def drawn(result: dict[str, Any]) -> dict[str, list[str]]:
    """Return stack -> the services worth a picture: what breaks first, what a change moves, the busiest."""
    out = {}
    for stack, model in result["stacks"].items():
        moved = {row["service"]: 0.0 for row in model["services"]}
        for variant in result["what_ifs"]:
            for row in variant["change"][stack]:
                moved[row["service"]] += abs(row["peak_hour"]["utilisation"]["mid"] or 0.0)
        first = {row["service"]: row["is_first"]["mid"] for row in model["bottlenecks"]}
        busy = {
            r["service"]: r["peak_hour"]["utilisation"]["mid"] or 0.0 for r in model["services"]
        }
        names = sorted(busy, key=lambda n: (-first[n], -round(moved[n], 2), -busy[n]))
        out[stack] = names[:_MOST_DRAWN]
    return out


def say(result: dict[str, Any]) -> None:
    """Print the result of a rehearsal."""
    typer.echo(
        f"{result['event']}: {result['window_start']} to {result['window_end']}, real speed after "
        f"{result['lead_in_slots']} min of warm-up, cell of {result['scale']:g} of full scale, "
        f"p{100 * result['quantile']:g}, seed {result['seed']}; mean and 95 % interval of "
        f"{result['replications']} replications"
    )
    for stack, names in result["small_stations"].items():
        typer.echo(
            f"{stack}: a small cell: {', '.join(names)} have fewer than {FEW_SERVERS} servers in it and "
            "wait longer than the whole would; a larger --budget gives a larger cell"
        )
    for stack, model in result["stacks"].items():
        for note in model["notes"]:
            typer.echo(f"{stack}: {note}")
        _say_stack(result, stack, model)
        for variant in result["what_ifs"]:
            _say_variant(stack, model, variant)
        for row in result["full_scale"][stack]:
            typer.echo(
                f"{stack}: {row['service']} alone at full scale, peak hour: mean wait "
                f"{_band(row['wait_s'], 'seconds')}, in the cell {_band(row['cell_wait_s'], 'seconds')}"
            )
        _say_checks(stack, model, result["cross_check"][stack])
    typer.echo(f"pictures: {result['page']}")


def _say_stack(result: dict[str, Any], stack: str, model: dict[str, Any]) -> None:
    heads = [f"{stack}, peak hour", "breaks first", "when (UTC)", *_HEADS.values()]
    rows = []
    for bottleneck in model["bottlenecks"]:
        hour = _service(model, bottleneck["service"])["peak_hour"]
        rows.append([
            bottleneck["service"], _band(bottleneck["is_first"], "share"),
            _when(bottleneck["at_utc"], bottleneck["minutes_to_break"]),
            *(_band(hour[quantity], unit) for quantity, unit in _UNITS.items()),
        ])  # fmt: skip
    _table(heads, rows)
    if not model["objectives"]:
        return
    rows = []
    for number, objective in enumerate(model["objectives"]):
        share = objective["fails_in_some_minute"]["mid"]
        first = "in no single minute"
        if objective["at_utc"]:
            when = _when(objective["at_utc"], objective["minutes_to_breach"])
            first = f"{when} in {100 * share:.0f} %"
        row = [
            objective["text"],
            _band(objective["value"], objective["unit"]),
            objective["said"],
            first,
        ]
        if result["headroom"]:
            row.append(_headroom(result["headroom"][stack][number]))
        rows.append(row)
    heads = ["objective", "in the model", "", "first fails (UTC)"]
    _table(heads + ["bears, x the forecast"] * bool(result["headroom"]), rows)


def _when(at_utc: str | None, minutes: dict[str, Any] | None) -> str:
    """Return an instant with the interval of its minutes from the window's start, where it is known."""
    if at_utc is None or minutes is None:
        return "-"
    if minutes["mid"] == 0.0:
        return f"{at_utc[:16]} or before"
    low, high = minutes["low"], minutes["high"]
    if low is None or high is None:
        return f"{at_utc[:16]} (once)"
    return f"{at_utc[:16]} (+{max(0.0, low):.0f} to +{high:.0f} min)"


def _headroom(row: dict[str, Any]) -> str:
    if row["fails"] is None:
        return f"{row['holds']:g}x and more" if row["holds"] else "not observed"
    if row["holds"] is None:
        return f"fails at {row['fails']:g}x already"
    sure = f", surely {row['surely_holds']:g}x" if row["surely_holds"] else ""
    return f"{row['holds']:g}x to {row['fails']:g}x{sure}"


def _say_variant(stack: str, model: dict[str, Any], variant: dict[str, Any]) -> None:
    for line in variant["unseen"].get(stack, ()):
        typer.echo(f"what if {variant['text']}: {stack}: {line}")
    after, rows = variant["stacks"][stack], []
    for change in variant["change"][stack]:
        old, new = (_service(m, change["service"])["peak_hour"] for m in (model, after))
        cells = []
        for quantity, unit in _UNITS.items():
            shown = f"{_one(old[quantity]['mid'], unit)} -> {_one(new[quantity]['mid'], unit)}"
            cells.append(f"{shown} {_range(change['peak_hour'][quantity], unit)}")
        rows.append([change["service"], *cells])
    _table([f"what if {variant['text']}", *(f"{head} (change)" for head in _HEADS.values())], rows)
    rows = [
        [new["text"], _band(old["value"], new["unit"]), _band(new["value"], new["unit"]),
         _range(change["change"], new["unit"]), f"{old['said']} -> {new['said']}"]
        for old, new, change in zip(
            model["objectives"], after["objectives"], variant["objectives_change"][stack], strict=True
        )
    ]  # fmt: skip
    if rows:
        _table(["objective", "as it is", "as it would be", "change", ""], rows)


def _say_checks(stack: str, model: dict[str, Any], checks: list[dict[str, Any]]) -> None:
    books = "; ".join(model["imbalances"]) or "balance"
    typer.echo(
        f"{stack}: books {books}; Little's law holds to {model['little_residual']:.0e} of the waiting"
    )
    exact = [row for row in checks if row["exact"]]
    wrong = [row for row in checks if row["said"] in ("DISAGREES", "far")]
    near = [row for row in checks if row["said"] == "near"]
    typer.echo(
        f"{stack}: on paper: {sum(r['said'] == 'agrees' for r in exact)} of {len(exact)} exact forms agree, "
        f"{len(near)} approximations are near, "
        f"{sum(r['form'] is None for r in checks)} services are not comparable"
    )
    for row in wrong:
        unit = "seconds" if row["unit"] == "s" else "share"
        typer.echo(
            f"{stack}: {row['service']}: {row['form']} says {_one(row['paper'], unit)}, "
            f"simulated {_band(row['simulated'], unit)}: "
            + ("DISAGREES" if row["exact"] else "the approximation is off here")
        )


def _service(model: dict[str, Any], name: str) -> dict[str, Any]:
    return next(row for row in model["services"] if row["service"] == name)


def _one(value: float | None, unit: str) -> str:
    if value is None:
        return "-"
    if unit == "share":
        return f"{100 * value:.1f} %"
    if unit == "seconds":
        return f"{1000 * value:.1f} ms" if value < 1 else f"{value:.2f} s"
    return f"{value:.3g}"


def _band(band: dict[str, Any], unit: str) -> str:
    if band["mid"] is None:
        return "not observed"
    return f"{_one(band['mid'], unit)} {_range(band, unit)}"


def _range(band: dict[str, Any], unit: str) -> str:
    if band["low"] is None or band["high"] is None:
        return "(no interval)"
    factor, name = {"share": (100, "%"), "seconds": (1000, "ms"), "number": (1, "")}[unit]
    return f"({factor * band['low']:.1f} to {factor * band['high']:.1f}{' ' * bool(name)}{name})"


def _table(heads: list[str], rows: list[list[str]]) -> None:
    widths = [max(len(row[i]) for row in [heads, *rows]) for i in range(len(heads))]
    for row in [heads, *rows]:
        typer.echo(
            "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        )
    typer.echo("")
