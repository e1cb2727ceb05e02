"""What `gameday simulate` prints: tables of what the model says, and of what a change does."""

from __future__ import annotations

from typing import Any

import typer

from gameday.experiments.rehearsal import FEW_SERVERS, NOBODY

__all__ = ["drawn", "say"]

_MOST_DRAWN = 4

_UNITS = {"utilisation": "share", "wait_s": "seconds", "p99_s": "seconds", "turned_away": "share"}
_HEADS = {
    "utilisation": "utilisation",
    "wait_s": "mean wait",
    "p99_s": "p99 visit",
    "turned_away": "turned away",
}


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
            f"{stack}: a small cell: fewer than {FEW_SERVERS} servers of {', '.join(names)} are in it, "
            "which wait longer than the whole would: an objective that holds is on the safe side, a latency "
            "missed may be the cell's own; a larger --budget gives a larger cell"
        )
    for stack, model in result["stacks"].items():
        for note in model["notes"]:
            typer.echo(f"{stack}: {note}")
        _say_stack(result, stack, model)
        _say_sell_out(stack, result)
        _say_recovery(stack, result)
        _say_cures(stack, result)
        _say_losses(stack, result)
        for variant in result["what_ifs"]:
            _say_variant(stack, model, variant)
        for row in result["full_scale"][stack]:
            typer.echo(
                f"{stack}: {row['service']} alone at full scale, peak hour: mean wait "
                f"{_band(row['wait_s'], 'seconds')}, in the cell {_band(row['cell_wait_s'], 'seconds')}"
            )
        _say_checks(stack, model, result["cross_check"][stack])


def _say_stack(result: dict[str, Any], stack: str, model: dict[str, Any]) -> None:
    if not model["is_observed"]:
        typer.echo(
            f"{stack}: {NOBODY} in any of {result['replications']} replications: the forecast has none, or so few "
            "that none falls into the window; what breaks, holds or can be lost is not known"
        )
    heads = [f"{stack}, peak hour", "breaks first", "when (UTC)", *_HEADS.values()]
    rows = []
    for bottleneck in model["bottlenecks"]:
        hour = _service(model, bottleneck["service"])["peak_hour"]
        rows.append(
            [
                bottleneck["service"],
                _band(bottleneck["is_first"], "share"),
                bottleneck["when"],
                *(_band(hour[quantity], unit) for quantity, unit in _UNITS.items()),
            ]
        )
    if model["is_observed"]:
        _table(heads, rows)
    if not model["objectives"]:
        return
    rows = []
    for number, objective in enumerate(model["objectives"]):
        share = objective["fails_in_some_minute"]["mid"]
        first = "-" if objective["said"] == NOBODY else "in no single minute"
        if objective["at_utc"]:
            first = f"{objective['when']} in {100 * share:.0f} %"
        row = [
            objective["text"],
            _band(objective["value"], objective["unit"]),
            objective["said"],
            first,
        ]
        if result["headroom"]:
            row.append(result["headroom"][stack][number]["said"])
        rows.append(row)
    heads = ["objective", "in the model", "", "first fails (UTC)"]
    _table(heads + ["bears, x the forecast"] * bool(result["headroom"]), rows)


def _say_sell_out(stack: str, result: dict[str, Any]) -> None:
    """Print when what is limited is gone, variant by variant."""
    variants = [("as it is", result), *((v["text"], v) for v in result["what_ifs"])]
    for name, variant in variants:
        for row in variant["sell_out"][stack]:
            of = f"{stack}: {row['product']} sold out, {name}: "
            share = (
                ""
                if row["said"] == NOBODY
                else f"{_band(row['sells_out'], 'share')} of replications; "
            )
            typer.echo(f"{of}{share}{row['said']}")


def _say_recovery(stack: str, result: dict[str, Any]) -> None:
    """Print goodput before, in and after what was injected, variant by variant."""
    if not result["injected"] or stack not in result["recovery"]:
        return
    rows = []
    variants = [("as it is", result), *((v["text"], v) for v in result["what_ifs"])]
    for name, variant in variants:
        seen = variant["recovery"][stack]
        parts = [
            _band(seen[part], "share") if seen[part] else "-" for part in ("before", "in", "after")
        ]
        minutes, share = seen["minutes_to_recover"], seen["recovers"]
        soon = f"{minutes['mid']:.0f} min {_range(minutes, 'number')}" if minutes else "-"
        rows.append([name, *parts, _band(share, "share") if share else "-", soon, seen["said"]])
    typer.echo(f"injected: {'; '.join(result['injected'])}")
    _table(["goodput", "before", "in", "after", "comes back", "within", ""], rows)


def _say_cures(stack: str, result: dict[str, Any]) -> None:
    """Print what brings back a stack that stays down."""
    if not (result["cures"] or {}).get(stack):
        return
    found = result["cures"][stack]
    load = found["load"]
    of = f"{found['replications']} replications"
    if load is None:
        typer.echo(f"{stack}: not even a tenth of the load brings it back ({of})")
    else:
        beyond = "" if load["not_at"] is None else f", at {100 * load['not_at']:g} % not in all"
        typer.echo(
            f"{stack}: it comes back within the window if the load falls to {100 * load['share']:g} % of the "
            f"forecast once the trigger is gone: in all of {of}{beyond}; tenths were tried"
        )
    rows = [[row["policy"], _band(row["after"], "share"), row["said"]] for row in found["policies"]]
    _table([f"with in every service, {of}", "goodput after", ""], rows)


def _say_losses(stack: str, result: dict[str, Any]) -> None:
    """Print what can be lost at the peak."""
    if not (result["n_minus_one"] or {}).get(stack):
        return
    answer = result["n_minus_one"][stack]
    rows = [
        [
            row["what"],
            row["kind"],
            _band(row["held"], "share"),
            row["said"],
            _points(row["goodput_change"]),
            "; ".join(row["misses_more"]) or "-",
        ]
        for row in answer["rows"]
    ]
    typer.echo(
        f"what can be lost at the peak, {answer['minutes']} minutes from {answer['from_utc'][:16]}, one at a time "
        f"({answer['replications']} replications in a cell of {answer['scale']:.3g})"
    )
    if answer["alone"]:
        typer.echo(f"a zone is not asked for: {', '.join(answer['alone'])} is in one alone")
    nothing = answer["as_it_is"]
    if nothing["unmet"]:
        typer.echo(
            f"not observed, nobody came to it in these minutes: {'; '.join(nothing['unmet'])}"
        )
    missed = "; ".join(nothing["misses"]) or "-"
    first = ["nothing", "", _band(nothing["held"], "share"), "", "", missed]
    _table(["lost", "", "objectives hold", "", "goodput by", "missed besides"], [first, *rows])


def _say_variant(stack: str, model: dict[str, Any], variant: dict[str, Any]) -> None:
    for line in variant["unseen"].get(stack, ()):
        typer.echo(f"what if {variant['text']}: {stack}: {line}")
    after, rows = variant["stacks"][stack], []
    for change in variant["change"][stack]:
        old, new = (_service(m, change["service"])["peak_hour"] for m in (model, after))
        cells = []
        for quantity, unit in _UNITS.items():
            shown = f"{_one(old[quantity]['mid'], unit)} -> {_one(new[quantity]['mid'], unit)}"
            cells.append(f"{shown} {_range(change['peak_hour'][quantity], unit, of_change=True)}")
        rows.append([change["service"], *cells])
    _table([f"what if {variant['text']}", *(f"{head} (change)" for head in _HEADS.values())], rows)
    rows = [
        [
            new["text"],
            _band(old["value"], new["unit"]),
            _band(new["value"], new["unit"]),
            _range(change["change"], new["unit"], of_change=True),
            f"{old['said']} -> {new['said']}",
        ]
        for old, new, change in zip(
            model["objectives"],
            after["objectives"],
            variant["objectives_change"][stack],
            strict=True,
        )
    ]
    if rows:
        _table(["objective", "as it is", "as it would be", "change", ""], rows)


def _say_checks(stack: str, model: dict[str, Any], checks: list[dict[str, Any]]) -> None:
    if not model["is_observed"]:
        return  # books of nobody balance, and say nothing
    books = "; ".join(model["imbalances"]) or "balance"
    typer.echo(
        f"{stack}: books {books}; Little's law holds to {model['little_residual']:.0e} of the waiting"
    )
    exact = [row for row in checks if row["exact"]]
    wrong = [row for row in checks if row["said"] in ("DISAGREES", "far")]
    near = [row for row in checks if row["said"] == "near"]
    exactly = f"{sum(r['said'] == 'agrees' for r in exact)} of {len(exact)} exact forms agree"
    typer.echo(
        f"{stack}: on paper: {exactly if exact else 'no service has an exact form'}, "
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
        return f"{round(100 * value, 1) + 0.0:.1f} %"
    if unit == "seconds":
        return f"{1000 * value:.1f} ms" if value < 1 else f"{value:.2f} s"
    return f"{value:.3g}"


def _band(band: dict[str, Any], unit: str) -> str:
    if band["mid"] is None:
        return "not observed"
    return f"{_one(band['mid'], unit)} {_range(band, unit)}"


def _points(change: dict[str, Any]) -> str:
    if change["mid"] is None:
        return "not observed"
    mid = f"{round(100 * change['mid'], 1) + 0.0:.1f}"
    return f"{mid} {_range(change, 'share', of_change=True)}"


def _range(band: dict[str, Any], unit: str, *, of_change: bool = False) -> str:
    """Return an interval in the unit its value is printed in; a share changes by points."""
    if band["low"] is None or band["high"] is None:
        return "(no interval)"
    factor, name, digits = {
        "share": (100, " points" if of_change else " %", 1),
        "seconds": (1000, " ms", 1),
        "number": (1, "", 1),
    }[unit]
    if unit == "seconds" and not of_change and band["mid"] >= 1:
        factor, name, digits = 1, " s", 2
    low, high = (f"{round(factor * band[end], digits) + 0.0:.{digits}f}" for end in ("low", "high"))
    return f"({low} to {high}{name})"


def _table(heads: list[str], rows: list[list[str]]) -> None:
    widths = [max(len(row[i]) for row in [heads, *rows]) for i in range(len(heads))]
    for row in [heads, *rows]:
        typer.echo(
            "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        )
    typer.echo("")
