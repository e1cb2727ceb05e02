"""An event's forecast given to others: every minute of every region and team, and the models to refresh it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from gameday.errors import UsageError
from gameday.forecast import demand_grid, event_spans, fit, model_notes, past_events
from gameday.forecast.data import learn_launches
from gameday.forecast.model import state_of, strength_sigma
from gameday.forecast.rivals import chosen_rivals
from gameday.history import History, read_history
from gameday.jobs.publication_files import Basis, Publication, write_publication
from gameday.jobs.team_counts import read_team_counts
from gameday.scenario import Scenario
from gameday.scenario.reading import read_scenario
from gameday.simulate import on_cluster
from gameday.vocabulary import Seed

__all__ = ["PublishOrder", "publish", "publish_order"]

_MOST_NOTES = 20
"""Of what was found and mended in the past."""


@dataclass(frozen=True, slots=True)
class PublishOrder:
    """A publication as it is asked for."""

    event: str
    """A bundled scenario's name, or a YAML file."""
    out: Path
    """Its folder."""
    seed: Seed
    teams: Path | None = None
    """Counts by time, region and team; None: the scenario's steps are the teams."""
    history: Path | None = None
    rivals: str = "last week,median of weeks"
    """As `chosen_rivals` reads them."""
    cluster: str | None = None
    """A dask scheduler, as tcp://HOST:8786; None: this machine."""


def publish(
    event: str,
    *,
    out: str | Path,
    teams: str | Path | None = None,
    history: str | Path | None = None,
    rivals: str = "last week,median of weeks",
    cluster: str | None = None,
    seed: int = 1,
) -> Publication:
    """Publish an event's forecast in the folder `out`; return it, compared with what was published there before.

    `event`: a bundled scenario's name, or a YAML file. `teams`: a table of counts by time, region and team; None:
    teams are the scenario's steps, and their past is `history`, or the scenario's own. `rivals`: what the forecast
    is benchmarked against: names with commas, `installed` or `none`. `cluster`: a dask scheduler, as
    tcp://HOST:8786. GamedayError says what is wrong.
    """
    order = PublishOrder(
        event=event,
        out=Path(out),
        seed=Seed(seed),
        teams=None if teams is None else Path(teams),
        history=None if history is None else Path(history),
        rivals=rivals,
        cluster=cluster,
    )
    return publish_order(order)


def publish_order(order: PublishOrder) -> Publication:
    """Fit the models, and write what they forecast with all that a refresh needs.

    UsageError, before anything is written, where the order cannot be carried out.
    """
    if order.out.exists() and not order.out.is_dir():
        raise UsageError(f"--out: {order.out} is a file; name a folder")
    loaded, rivals = read_scenario(order.event), chosen_rivals(order.rivals, by_day=False)
    scenario = loaded.written
    past = _past(order, scenario)
    with on_cluster(order.cluster):
        fitted = fit(scenario, past)
    known, models = fitted.known, fitted.models
    sigma, events = strength_sigma(models), past_events(scenario, models)
    states = [
        state_of(model, known.steps, sigma, events, span, rivals)
        for model, span in zip(models, _spans(scenario), strict=True)
    ]
    learned = learn_launches(scenario, known, models) if known.steps == scenario.step_names else []
    notes = model_notes(scenario, known, models, fitted.masked)
    basis = Basis(scenario, loaded.text, known.grid, tuple(learned), {"data": known.sha256})
    return write_publication(order.out, basis, states, [*notes, *known.notes[:_MOST_NOTES]])


def _spans(scenario: Scenario) -> list[tuple[float, float]]:
    """Return each region's span of the event, minutes since 1970 UTC."""
    grid = demand_grid(scenario)
    return [
        (float(grid.epoch_min + first), float(grid.epoch_min + last))
        for first, last in event_spans(scenario, grid)
    ]


def _past(order: PublishOrder, scenario: Scenario) -> History:
    """Return the past of the teams, or of the scenario's steps."""
    if order.teams is None:
        return read_history(scenario, file=order.history, seed=order.seed)
    if order.history is not None:
        raise UsageError("--teams and --history both say where counts come from; give one")
    return read_team_counts(order.teams, scenario)
