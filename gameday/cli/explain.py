"""`gameday forecast explain` and `outliers`: why a forecast is what it is, and what of the past was left out."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gameday.cli.options import EventOption, HistoryOption, SeedOption
from gameday.cli.past import told_past
from gameday.errors import UsageError

if TYPE_CHECKING:
    from gameday.scenario import Scenario

__all__ = ["KeepOption", "MaskOption", "add_to", "known_name", "with_stretches"]

MaskOption = Annotated[
    list[str] | None,
    typer.Option(
        "--mask", help="leave START/END of the past out, as 2026-11-02T10:00Z/2026-11-02T12:00Z"
    ),
]
KeepOption = Annotated[
    list[str] | None,
    typer.Option("--keep", help="learn from START/END whatever it looks like; repeatable"),
]


def add_to(group: typer.Typer) -> None:
    """Add this file's verbs."""
    group.command()(explain)
    group.command()(outliers)


def explain(
    event: EventOption,
    region: Annotated[str, typer.Option(help="whose customers")],
    step: Annotated[str, typer.Option(help="which step")],
    at: Annotated[
        str | None, typer.Option(help="as 2027-07-13T20:00, local; default the event's peak")
    ] = None,
    before: Annotated[
        str | None,
        typer.Option(
            help="compare with the forecast as it was known at this time; default a week before; or none"
        ),
    ] = None,
    mask: MaskOption = None,
    keep: KeepOption = None,
    history: HistoryOption = None,
    seed: SeedOption = 1,
    page: Annotated[Path | None, typer.Option(help="HTML file: the same with pictures")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="print JSON")] = False,
) -> None:
    """Explain one minute of a forecast: its ingredients, what changed since, how far off it was before.

    Example: gameday forecast explain --event primeday --region us --step checkout --at 2027-07-13T20:00
    """
    from gameday.forecast import demand_of, fit
    from gameday.forecast.publication import Question, explain_forecast
    from gameday.products import to_json
    from gameday.scenario import load_scenario
    from gameday.traffic.fit import event_demand

    scenario = with_stretches(load_scenario(event), mask, keep)
    known_name("--region", region, scenario.regions)
    known_name("--step", step, scenario.steps)
    instant = None if at is None else _instant("--at", at, scenario, region)
    earlier = _before(before, scenario, region)
    past = told_past(scenario, history, seed)
    fitted = fit(scenario, past)
    demand = event_demand(scenario, demand_of(scenario, fitted))
    if instant is None:
        instant = demand.grid.instant(demand.peak(region, step).slot)
    question = Question(region, step, instant, earlier)
    data = to_json(explain_forecast(scenario, past, question, demand, fitted), schema_version=2)
    if page is not None:
        from gameday.report import render_explanation

        typer.echo(f"{render_explanation(data, page)}", err=as_json)
    if as_json:
        typer.echo(json.dumps(data))
    else:
        _say(data)


def _instant(flag: str, text: str, scenario: Scenario, region: str) -> datetime:
    from gameday.scenario import local_to_utc

    try:
        moment = datetime.fromisoformat(text.replace("Z", "+00:00"))
        if moment.tzinfo is not None:
            return moment.astimezone(UTC)
        return local_to_utc(moment, scenario.regions[region].zone)
    except ValueError as error:
        raise UsageError(
            f"{flag}: must be a time such as 2027-07-13T20:00, local or with an offset (got '{text}'; {error})"
        ) from None


def _before(text: str | None, scenario: Scenario, region: str) -> datetime | None:
    if text == "none":
        return None
    if text is None:
        return scenario.history.until - timedelta(days=7)
    before = _instant("--before", text, scenario, region)
    if before >= scenario.history.until:
        raise UsageError(
            f"--before: must be earlier than history.until, {scenario.history.until:%Y-%m-%dT%H:%MZ} "
            f"(got '{text}')"
        )
    return before


def _say(data: dict[str, Any]) -> None:
    band = data["band"]
    typer.echo(
        f"{data['step']} in {data['region']}, {data['at_local']}: {data['forecast']:,.4g} a minute "
        f"(p10 {band['p10']:,.4g}, p90 {band['p90']:,.4g}, of that minute by itself)"
        + ("" if data["in_event"] else f"; outside the event in {data['region']}")
    )
    typer.echo(data["words"])
    so_far = 1.0
    for index, (name, factor) in enumerate(data["factors"]):
        so_far *= factor
        how = f"{factor:>12,.4g}" if not index else f"{'x':>5}{factor:>7.4f}"
        typer.echo(f"  {name:<28}{how}{so_far:>14,.5g}")
    if len(data["members"]) > 1:
        parts = (
            f"{100 * share:.0f} % {name} ({steps:,.4g})" for name, share, steps in data["members"]
        )
        typer.echo(f"  of which {' + '.join(parts)}")
    for name, steps in data["launches"].items():
        so_far += steps
        typer.echo(f"  {f'launch {name}':<28}{'+':>3}{steps:>9,.4g}{so_far:>14,.5g}")
    if moved := data["bridge"]:
        typer.echo(
            f"known up to {moved['until'][:16]}Z it was {moved['before']:,.4g}: {moved['words']}"
        )
    raced = [f"{name} {100 * s:.1f} %" for name, s in data["race"].items() if s is not None]
    typer.echo(f"error of each member on earlier forecasts (WAPE): {'; '.join(raced)}")
    typer.echo("earlier forecasts were off by (p10, p50, p90):")
    for row in data["spread"]:
        typer.echo(
            f"  {row['of']:<28}{100 * row['p10']:>+8.1f} %{100 * row['p50']:>+8.1f} %{100 * row['p90']:>+8.1f} %"
            f"  of {row['errors']}"
        )
    for note in data["notes"]:
        typer.echo(f"  {note}")
    hashes = data["hashes"]
    typer.echo(
        f"  data {hashes['data'][:12]}, masks {hashes['masks'][:12]}, calendar {hashes['calendar'][:12]}, "
        f"known until {data['until'][:16]}Z"
    )


def outliers(
    event: EventOption,
    region: Annotated[str | None, typer.Option(help="one region; default all")] = None,
    mask: MaskOption = None,
    keep: KeepOption = None,
    history: HistoryOption = None,
    seed: SeedOption = 1,
    as_json: Annotated[bool, typer.Option("--json", help="print JSON")] = False,
) -> None:
    """List what of the past is left out as robots, outages or glitches, why, and what that does to the forecast.

    To overrule: --keep and --mask, or forecast.keep and forecast.mask in the scenario.

    Example: gameday forecast outliers --event primeday
    """
    from gameday.forecast.evaluation import outlier_rows
    from gameday.products import to_json
    from gameday.scenario import load_scenario

    scenario = with_stretches(load_scenario(event), mask, keep)
    if region is not None:
        known_name("--region", region, scenario.regions)
    past = told_past(scenario, history, seed)
    rows = [r for r in outlier_rows(scenario, past) if region in (None, r.region)]
    if as_json:
        typer.echo(
            json.dumps(
                {
                    "schema_version": 1,
                    "event": scenario.event.name,
                    "rows": [to_json(row) for row in rows],
                }
            )
        )
        return
    typer.echo(
        f"{'region':<8}{'step':<12}{'from, UTC':<18}{'minutes':>8}  {'kind':<11}{'times':>8}{'effect':>10}"
    )
    for row in rows:
        times = "-" if row.times is None else f"{row.times:.2f}"
        typer.echo(
            f"{row.region:<8}{row.step:<12}{row.start[:16]:<18}{row.minutes:>8}  {row.kind:<11}"
            f"{times:>8}{100 * row.effect:>+9.3f} %"
        )
    typer.echo(
        f"{len(rows)} stretches; `times` what was expected; `effect` on the event's forecast, were it learned from"
    )


def with_stretches(scenario: Scenario, mask: list[str] | None, keep: list[str] | None) -> Scenario:
    """Return the scenario with stretches of the command's own to leave out and to keep; UsageError if misspelt."""
    from pydantic import ValidationError

    from gameday.scenario.blocks import Stretch

    found: dict[str, list[Stretch]] = {}
    for flag, texts in (("mask", mask), ("keep", keep)):
        for text in texts or ():
            start, _, end = text.partition("/")
            try:
                one = Stretch.model_validate({"start": start, "end": end, "why": f"--{flag}"})
            except ValidationError as error:
                why = "; ".join(e["msg"].removeprefix("Value error, ") for e in error.errors())
                raise UsageError(
                    f"--{flag}: must be START/END with offsets, as 2026-11-02T10:00Z/2026-11-02T12:00Z "
                    f"(got '{text}'; {why})"
                ) from None
            found.setdefault(flag, []).append(one)
    block = scenario.forecast
    more = {flag: [*getattr(block, flag), *stretches] for flag, stretches in found.items()}
    return (
        scenario.model_copy(update={"forecast": block.model_copy(update=more)})
        if more
        else scenario
    )


def known_name(flag: str, name: str, known: Any) -> None:
    """Raise UsageError where a flag names nothing that is."""
    from gameday.scenario import did_you_mean

    if name not in known:
        raise UsageError(f"{flag}: unknown '{name}'{did_you_mean(name, known)}")
