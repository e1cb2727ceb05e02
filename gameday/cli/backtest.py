"""`gameday forecast backtest`: how good it would have been, beside what people would use instead."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gameday.cli.options import JsonOption, RivalsOption, SeedOption
from gameday.errors import UsageError
from gameday.history.readers import readable_kinds

if TYPE_CHECKING:
    from gameday.jobs.backtest import BacktestAnswer

__all__ = ["add_to"]

_SHOWN = (
    ("wape", "WAPE"),
    ("mase", "MASE"),
    ("rmsse", "RMSSE"),
    ("wql", "wQL"),
    ("coverage_80", "in 80 %"),
    ("coverage_95", "in 95 %"),
    ("bias", "bias"),
    ("peak_size", "peak"),
    ("peak_minutes", "off, min"),
)
"""Scores that are printed, and their heads."""

CalendarOption = Annotated[str | None, typer.Option(help="whose calendar counts; default none")]
PastOption = Annotated[
    Path | None, typer.Option(help=f"{readable_kinds()}; default the scenario's own")
]
OriginsOption = Annotated[int, typer.Option(min=1, max=50, help="how many, a horizon apart")]
ZoneOption = Annotated[str, typer.Option(help="clock of the customers, without a scenario")]
CountryOption = Annotated[
    str | None, typer.Option(help="whose public holidays, without a scenario, as GB")
]


def add_to(group: typer.Typer) -> None:
    """Add this file's verbs."""
    group.command()(backtest)


def backtest(
    event: CalendarOption = None,
    history: PastOption = None,
    horizon: Annotated[str, typer.Option(help="how far ahead, as 7d")] = "7d",
    origins: OriginsOption = 3,
    grain: Annotated[str, typer.Option(help="minute or day")] = "minute",
    rivals: RivalsOption = "installed",
    zone: ZoneOption = "UTC",
    country: CountryOption = None,
    seed: SeedOption = 1,
    page: Annotated[Path | None, typer.Option(help="HTML file: the same with a picture")] = None,
    as_json: JsonOption = False,
) -> None:
    """Score the forecast on a history, from several origins, beside seasonal naive and what else is installed.

    Example: gameday forecast backtest --history counts.parquet --horizon 7d --origins 3
    """
    from gameday.jobs.backtest import BacktestOrder
    from gameday.jobs.backtest import backtest as score
    from gameday.vocabulary import Seed

    order = BacktestOrder(
        horizon_min=_horizon_min(horizon, grain),
        event=event,
        history=history,
        seed=Seed(seed),
        origins=origins,
        by_day=grain == "day",
        rivals=rivals,
        zone=zone,
        country=country,
    )
    _tell(score(order), page, as_json=as_json)


def _horizon_min(text: str, grain: str) -> int:
    """Return minutes; UsageError says how it is written and what the least is."""
    from gameday.scenario import parse_duration

    if grain not in ("minute", "day"):
        raise UsageError(f"--grain: must be minute or day (got '{grain}')")
    try:
        ahead = round(parse_duration(text) / 60)
    except ValueError as error:
        raise UsageError(f"--horizon: {error} (got '{text}')") from None
    least = 1440 if grain == "day" else 60
    if ahead < least:
        raise UsageError(
            f"--horizon: must be at least {least // 60}h by the {grain} (got '{text}')"
        )
    return ahead


def _tell(answer: BacktestAnswer, page: Path | None, *, as_json: bool) -> None:
    """Draw the scores where that is asked for, and print them."""
    from gameday.jobs.backtest import backtest_json
    from gameday.report import render_backtest

    told = backtest_json(answer)
    if page is not None:
        typer.echo(f"{render_backtest(told, page)}", err=as_json)
    if as_json:
        typer.echo(json.dumps(told))
    else:
        _say(answer)


def _say(answer: BacktestAnswer) -> None:
    from gameday.forecast.evaluation import benchmark_words

    typer.echo(
        f"{answer.history}: {len(answer.origins)} origins, {answer.horizon_days:g} days ahead by the "
        f"{answer.grain}, {answer.series} series; fitted anew at each; all scored over the same minutes"
    )
    typer.echo(f"{'model':<18}" + "".join(f"{title:>10}" for _, title in _SHOWN))
    for name, scores in answer.models.items():
        cells = (_score(getattr(scores, score), score) for score, _ in _SHOWN)
        typer.echo(f"{name:<18}" + "".join(f"{cell:>10}" for cell in cells))
    if answer.own is not None:
        typer.echo(
            "of the event's own forecast, on its own origins: "
            f"{answer.own.untold or benchmark_words(answer.own.race)}"
        )
    for note in answer.notes:
        typer.echo(f"  {note}")


def _score(value: float | None, name: str) -> str:
    if value is None:
        return "-"
    return f"{value:.0f}" if name == "peak_minutes" else f"{value:.3f}"
