"""`gameday forecast publish` and `refresh`: forecasts of all regions and teams, kept, and moved on."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gameday.cli.backtest import RIVALS_HELP, chosen_rivals
from gameday.cli.options import EventOption, HistoryOption, SeedOption
from gameday.errors import HistoryError, UsageError
from gameday.history.readers import readable_kinds
from gameday.jobs.publication_files import write_publication

if TYPE_CHECKING:
    from gameday.forecast.model import State
    from gameday.history import History
    from gameday.scenario import Scenario
    from gameday.vocabulary import TimeGrid

__all__ = ["add_to", "kept_publication"]

_MOST_ROWS = 12


def add_to(group: typer.Typer) -> None:
    """Add this file's verbs."""
    group.command()(publish)
    group.command()(refresh)


def publish(
    event: EventOption,
    out: Annotated[Path, typer.Option(help="folder; what was published there is compared with")],
    teams: Annotated[
        Path | None, typer.Option(help="counts by time, region, team; default the steps")
    ] = None,
    cluster: Annotated[
        str | None, typer.Option(help="a dask scheduler, as tcp://HOST:8786")
    ] = None,
    rivals: Annotated[str, typer.Option(help=RIVALS_HELP)] = "last week,median of weeks",
    history: HistoryOption = None,
    seed: SeedOption = 1,
    as_json: Annotated[bool, typer.Option("--json", help="print JSON")] = False,
) -> None:
    """Publish the forecasts of an event for all regions and teams: Parquet, a page a team, the model to refresh.

    Example: gameday forecast publish --event primeday --out forecasts/primeday
    """
    from gameday.forecast import fit, model_notes, past_events
    from gameday.forecast.data import learn_launches
    from gameday.forecast.model import state_of, strength_sigma
    from gameday.scenario.reading import read_scenario
    from gameday.simulate import on_cluster

    if out.exists() and not out.is_dir():
        raise UsageError(f"--out: {out} is a file; name a folder")
    loaded, beside = read_scenario(event), chosen_rivals(rivals, by_day=False)
    scenario = loaded.written
    past = _past(scenario, teams, history, seed)
    with on_cluster(cluster):
        fitted = fit(scenario, past)
    known, models = fitted.known, fitted.models
    sigma, events = strength_sigma(models), past_events(scenario, models)
    states = [state_of(model, known.steps, sigma, events, beside) for model in models]
    learned = learn_launches(scenario, known, models) if known.steps == scenario.step_names else []
    notes = [*model_notes(scenario, models, fitted.masked, known.steps), *known.notes[:20]]
    kept = {
        "hashes": {"data": known.sha256},
        "scenario": loaded.text,
        "fitted": {"start": known.grid.start.isoformat(), "slots": known.grid.slots},
        "lessons": [asdict(one) for one in learned],
    }
    data = write_publication(scenario, states, out, notes, kept)
    _say(data, out, as_json=as_json)


def refresh(
    folder: Annotated[Path, typer.Argument(help="what `gameday forecast publish` wrote")],
    add: Annotated[
        Path,
        typer.Option(help=f"{readable_kinds()} with the new minutes, columns as published from"),
    ],
    as_json: Annotated[bool, typer.Option("--json", help="print JSON")] = False,
) -> None:
    """Add new minutes to a publication without starting over, and say what changed and why.

    Example: gameday forecast refresh forecasts/primeday --add yesterday.csv
    """
    from gameday.forecast.model import load_state, refreshed

    scenario, kept = kept_publication(folder)
    new = _read_new(add, scenario, tuple(kept["teams"]))
    states, notes, anything_new = [], list[str](), False
    for region, calendar in _calendars(scenario, kept).items():
        state = load_state(folder / "state" / kept["states"][region], calendar)
        part, told = _following(new, state, region)
        notes += told
        if part is None:
            states.append(state)
            continue
        moved, odd = refreshed(state, *part)
        states.append(moved)
        anything_new = True
        if odd:
            notes.append(
                f"{region}: {odd} new rows lie far off what was expected; left out until the next whole fit"
            )
    if not anything_new:
        raise HistoryError(f"{add}: ends before what was last known; nothing is new in it")
    number = sum(name.startswith("added") for name in kept["hashes"]) + 1
    kept["hashes"][f"added {number}"] = new.sha256
    data = write_publication(scenario, states, folder, notes, kept)
    _say(data, folder, as_json=as_json)


def _past(scenario: Scenario, teams: Path | None, history: Path | None, seed: int) -> History:
    from gameday.history import read_history
    from gameday.vocabulary import Seed

    if teams is None:
        return read_history(scenario, file=history, seed=Seed(seed))
    if history is not None:
        raise UsageError("--teams and --history both say where counts come from; give one")
    return _read_new(teams, scenario, None)


def _read_new(file: Path, scenario: Scenario, teams: tuple[str, ...] | None) -> History:
    """Return the file's counts by the scenario's regions; every team of the publication must be there."""
    from gameday.history import read_any_history

    block = scenario.history
    mapped = block.columns if block.columns.model_fields_set else None
    found = read_any_history(file, time_zone=block.time_zone, columns=mapped, absent=block.absent)
    if found.steps == ("count",) and teams is not None and len(teams) == 1:
        found = replace(found, steps=teams)
    if found.regions == ("all",) and len(scenario.regions) == 1:
        found = replace(found, regions=scenario.region_names)
    if set(found.regions) != set(scenario.regions):
        raise HistoryError(
            f"{file}: regions must be {', '.join(scenario.regions)} (got {', '.join(found.regions)})"
        )
    if teams is not None and set(found.steps) != set(teams):
        missing = sorted(set(teams) ^ set(found.steps))
        raise HistoryError(
            f"{file}: not the published teams: {', '.join(missing[:5])} on one side only"
        )
    order = [found.regions.index(name) for name in scenario.region_names]
    return replace(found, regions=scenario.region_names, counts=found.counts[order])


def kept_publication(folder: Path) -> tuple[Scenario, dict[str, Any]]:
    """Return a publication's scenario and manifest; HistoryError where there is no whole one."""
    from gameday.scenario.reading import scenario_of

    try:
        kept = json.loads((folder / "publication.json").read_text(encoding="utf-8"))
        scenario = scenario_of(kept["scenario"])
        if set(kept["states"]) != set(scenario.regions):
            raise KeyError("states")
        return scenario, kept
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise HistoryError(
            f"{folder}: holds no whole publication ({type(error).__name__}); `gameday forecast publish` makes one"
        ) from None


def _calendars(scenario: Scenario, kept: dict[str, Any]) -> dict[str, Any]:
    """Return the calendars that the published model was fitted with."""
    from datetime import datetime

    import numpy as np

    from gameday.forecast.data import region_calendars
    from gameday.history import History
    from gameday.vocabulary import TimeGrid

    span = kept["fitted"]
    grid = TimeGrid(datetime.fromisoformat(span["start"]), span["slots"])
    empty = np.empty((len(scenario.regions), len(kept["teams"]), 0))
    return region_calendars(
        scenario, History(grid, scenario.region_names, tuple(kept["teams"]), empty, "kept", "")
    )


def _following(
    new: History, state: State, region: str
) -> tuple[tuple[Any, TimeGrid] | None, list[str]]:
    """Return (counts, grid) of the minutes after the state's end, None where there are none, and notes."""
    import numpy as np

    from gameday.vocabulary import TimeGrid

    end = int(state.end_min)
    skip = end - new.grid.epoch_min
    last = new.grid.epoch_min + new.grid.slots
    if last <= end:
        return None, [f"{region}: was known further than the new minutes go; left as it was"]
    notes = (
        [f"{region}: {skip} minutes were known before and are left as they were"]
        if skip > 0
        else []
    )
    if skip < 0:
        notes.append(f"{region}: {-skip} minutes between are not known")
    order = [new.steps.index(name) for name in state.names]
    place = new.regions.index(region) if region in new.regions else 0
    counts = np.full((len(order), last - end), np.nan, np.float32)
    counts[:, max(0, -skip) :] = new.counts[place][order][:, max(0, skip) :]
    return (counts, TimeGrid(new.grid.instant(skip), last - end)), notes


def _say(data: dict[str, Any], folder: Path, *, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps({"schema_version": 2, "folder": str(folder), **data}))
        return
    teams = len({row["team"] for row in data["peaks"]})
    regions = len({row["region"] for row in data["peaks"]})
    typer.echo(f"{folder}: {teams} teams in {regions} regions, known until {data['until']}")
    largest = sorted(data["peaks"], key=lambda row: -row["size"]["p50"])[:_MOST_ROWS]
    typer.echo(
        f"  {'team':<14}{'region':<8}{'highest minute':<18}{'its p50':>12}{'its p90':>12}{'mean total':>16}"
        "  launches included"
    )
    for row in largest:
        high = f"{row['size']['p90']:>12,.0f}" if "p90" in row["size"] else f"{'-':>12}"
        added = f", {row['launch_mean']:,.0f} of them of launches" if row["launch_mean"] else ""
        typer.echo(
            f"  {row['team']:<14}{row['region']:<8}{row['at'][:16]}Z "
            f"{row['size']['p50']:>12,.0f}{high}{row['total_mean']:>16,.0f}{added}"
        )
    if len(largest) < len(data["peaks"]):
        typer.echo(f"  the {len(largest)} highest of {len(data['peaks'])}; --json has all")
    for row in data["changes"][:5]:
        typer.echo(
            f"  {row['team']} in {row['region']}: {row['before']:,.0f} -> {row['after']:,.0f}: {row['words']}"
        )
    for note in data["notes"]:
        typer.echo(f"  {note}")
