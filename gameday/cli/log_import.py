"""Access logs for `gameday history import`: how their events are read, and what is said of them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from gameday.errors import HistoryError, UsageError

if TYPE_CHECKING:
    from gameday.history.importers import Clickstream
    from gameday.scenario import Scenario

__all__ = ["events_of_log", "order_step", "read_logs"]


def events_of_log(scenario: Scenario | None) -> Clickstream:
    """Return how events of an access log are read: the map has named their steps already."""
    from gameday.history.importers import Clickstream

    every = {step: step for step in scenario.steps} if scenario is not None else {}
    has_cart = scenario is None or "cart" in scenario.steps
    needs = {"checkout": "cart"} if has_cart else {}
    return Clickstream(session=None, category=None, steps=every, needs=needs)


def order_step(scenario: Scenario | None) -> str:
    """Return the step that orders: what the scenario says of its steps, else what they are called."""
    steps = {} if scenario is None else scenario.steps
    placing = [name for name, step in steps.items() if step.places_order]
    named = [name for name in ("checkout", "order") if name in (placing or steps)]
    return next(iter([*named, *placing]), "checkout")


def read_logs(files: list[Path], scenario: Scenario | None, events: Path) -> dict[str, Any]:
    """Turn access logs into events; return what to say of them, the map that was proposed, and counts a minute."""
    from gameday.history.importers import minute_table, read_access_logs

    if missing := [file for file in files if not file.is_file()]:
        raise UsageError(f"{missing[0]}: no such file; check --access-log")
    summary = read_access_logs(files, scenario, events)
    if summary.of_people == 0:
        raise HistoryError(
            f"{files[0]}: no step of a customer is left; "
            + "; ".join(line.strip() for line in summary.describe())
        )
    told = {
        "lines": summary.lines,
        "malformed": summary.malformed,
        "first_malformed": summary.quoted,
        "no_step": summary.no_step,
        "redirects_folded": summary.hops,
        "failed": summary.failed,
        "steps_of_people": summary.of_people,
        "steps_of_robots": summary.of_robots,
        "robots_by_behaviour": len(summary.robots),
        "robots_by_name": dict(summary.robot_words),
        "pictures_styles_scripts": summary.assets,
        "of_no_step": dict(summary.unmapped.most_common(20)),
        "folded_into_steps": dict(summary.parts),
        "refused": summary.refused,
        "one_address": summary.one_address(),
        "proposed": summary.proposed,
    }
    said = [*summary.describe()]
    if summary.proposed:
        said.append(
            "  no --event: a map was proposed; read it over under history.urls of what is written"
        )
        said += [f"  {step}: {', '.join(rules)}" for step, rules in summary.proposed.items()]
        said += [f"  {note}" for note in summary.notes]
    proposed = {"history": {"urls": summary.proposed}} if summary.proposed else {}
    return {"told": told, "said": said, "map": proposed, "minutes": minute_table(summary)}
