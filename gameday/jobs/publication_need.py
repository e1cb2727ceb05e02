"""What a new publication does to the requests of its event: whose need has left its band is in review again."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from gameday.capacity import CapacityRequest
from gameday.capacity.living import BAND, is_open, outdated
from gameday.jobs.living import REQUEST, known_requests, put_request, write_requests
from gameday.jobs.move_request import said_by
from gameday.jobs.publication_files import Publication
from gameday.ledger import Changing, Ledger, has_ledger
from gameday.safety.identity import Actor, Key, current_actor, read_operators
from gameday.scenario import Scenario

__all__ = ["meet_publication"]


def meet_publication(
    reports: Path, scenario: Scenario, publication: Publication
) -> tuple[str, ...]:
    """Return what a publication changes of the requests in a folder of runs, a line each; the ledger keeps it.

    Nothing where there is no ledger, or the publication is of teams that are no steps.
    """
    if not has_ledger(reports) or {p.team for p in publication.peaks} != set(scenario.step_names):
        return ()
    actor, key = current_actor(read_operators())
    ledger = Ledger(reports)
    try:
        with ledger.changing() as changing:
            left = list(_left(changing, scenario, publication, actor, key))
        write_requests(reports, {request.id: request for request in left})
    finally:
        ledger.close()
    return tuple(f"{r.id}, {r.state}: {r.history[-1].reason}" for r in left)


def _left(
    ledger: Changing,
    scenario: Scenario,
    publication: Publication,
    actor: Actor,
    key: Key | None,
) -> Iterator[CapacityRequest]:
    """Yield the requests whose need has left its band, as the ledger keeps them now."""
    known = known_requests(ledger.bodies(scenario.event.name, REQUEST))
    for request in (r for r in known.values() if is_open(r) and r.forecast_steps > 0):
        times = _steps(scenario, publication, request.stack) / request.forecast_steps
        if abs(times - 1) > BAND and request.history[-1].act != "outdated":
            what = (
                f"the publication known until {publication.until} expects {times:.2f} times the steps that it was "
                "sized for; `gameday replay` sizes it anew"
            )
            changed = outdated(request, said_by(request, "outdated", what, actor, key))
            put_request(ledger, changed, "outdated")
            yield changed


def _steps(scenario: Scenario, publication: Publication, stack: str) -> float:
    """Return the steps that a publication expects of a stack's customers in the event, on average."""
    regions = scenario.stack_regions(stack)
    return sum(peak.total_mean for peak in publication.peaks if peak.region in regions)
