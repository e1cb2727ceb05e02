"""Journeys whose walks would be cut off, or whose session starts would take too much memory to solve for."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from gameday.scenario.blocks.journeys import EXIT, Journey, walked_visits
from gameday.scenario.faults import Fault
from gameday.scenario.model import Scenario
from gameday.vocabulary import LONGEST_WALK, SLOT_S

__all__ = ["long_walk_faults", "share_cut"]

_MOST_CUT = 0.01
"""Share of a journey's sessions, or of its steps. Default: ours; `gameday plan` shows what is cut below it."""
_SURELY_SHORT = LONGEST_WALK / 2
"""In shortest mean pauses: if all but one in a thousand sessions are shorter, none comes to the last step."""
_ENDED = 9.21
"""Mean session lengths after which 1e-4 of an exponential law is left: the reach of a lag kernel."""
_MARGIN_SLOTS = 360
"""Minutes forecast around an event."""
_MOST_BYTES = 4 << 30
"""Of memory for the system of equations that session starts are solved from. Default: ours."""


def share_cut(journey: Journey) -> float:
    """Return the share of sessions, or of their steps if that is more, that is cut off after LONGEST_WALK."""
    steps = _named(journey)
    if journey.sessions is not None:
        return 0.0
    if journey.length is not None and journey.length.duration is not None:
        return _cut_in_time(journey, steps)
    if journey.length is not None:
        return 0.0
    moves, start = journey.transition_matrix(steps), journey.entry_vector(steps)
    sessions = float((start @ np.linalg.matrix_power(moves, LONGEST_WALK)).sum())
    whole = float(np.linalg.solve((np.eye(len(start)) - moves).T, start).sum())
    return max(sessions, 1 - float(walked_visits(moves, start).sum()) / whole)


def _named(journey: Journey) -> tuple[str, ...]:
    return tuple(sorted({*journey.start, *journey.next, *_followers(journey)} - {EXIT}))


def _followers(journey: Journey) -> set[str]:
    return {step for row in journey.next.values() for step in row}


def _cut_in_time(journey: Journey, steps: tuple[str, ...]) -> float:
    """Return the share of sessions whose time would let them go beyond LONGEST_WALK steps."""
    from gameday.scenario.renewal import length_law, quantiles, steps_in_time  # scipy, if asked

    assert journey.length is not None
    assert journey.length.duration is not None
    longest_s = float(quantiles(length_law(journey.length.duration), np.array([0.999]))[0])
    shortest_s = min(journey.think_s(step) for step in journey.next)
    if longest_s < _SURELY_SHORT * shortest_s:
        return 0.0
    law = steps_in_time(journey, steps)
    return float(law[LONGEST_WALK]) if len(law) > LONGEST_WALK else 0.0


def long_walk_faults(scenario: Scenario) -> Iterator[Fault]:
    """Yield journeys of which more than 1 % is cut, and those that would take too much memory to solve for."""
    lasting_s = {}
    for name, journey in scenario.journeys.items():
        if not _is_whole(journey):
            continue  # a fault that journey_checks reports
        cut = share_cut(journey)
        if cut > _MOST_CUT:
            yield (
                ("journeys", name),
                f"a session ends after {LONGEST_WALK} steps at most; {cut:.1%} of its sessions, "
                "or of their steps if that is more, would be cut off: lead to exit sooner, or give a `length`",
            )
        elif journey.launch is None:
            lasting_s[name] = _mean_s(journey)
    slots = scenario.event.duration / SLOT_S + _MARGIN_SLOTS
    lags = _ENDED * max(lasting_s.values(), default=0.0) / SLOT_S
    needed = 2 * 8 * len(lasting_s) ** 2 * lags * (lags + slots)
    if needed > _MOST_BYTES:
        longest = max(lasting_s, key=lasting_s.__getitem__)
        yield (
            ("journeys", longest),
            f"its sessions last {lasting_s[longest] / 3600:.3g} h on average; to solve for their starts would "
            f"take {needed / 2**30:,.0f} GiB of memory: shorten the pauses (`think`), or give a `length`",
        )


def _is_whole(journey: Journey) -> bool:
    """Return whether every step that is reached has a row, and every row its pauses."""
    pauses = set(journey.next) <= set(journey.think) or "other" in journey.think
    by_next = all(
        "other" in pause or set(journey.next.get(step, {})) <= set(pause)
        for step, pause in journey.think.items()
        if isinstance(pause, dict)
    )
    other = journey.think.get("other")
    if isinstance(other, dict) and "other" not in other:
        by_next = by_next and _followers(journey) <= set(other)
    return pauses and by_next and journey.reached() - {EXIT} <= set(journey.next)


def _mean_s(journey: Journey) -> float:
    """Return how long a session lasts on average if replies take no time, s of event time."""
    if journey.length is not None and journey.length.duration is not None:
        pause = journey.length.duration
        return pause if isinstance(pause, float) else pause.mean
    steps = _named(journey)
    visits = dict(zip(steps, journey.visits_per_session(steps), strict=True))
    laws = (
        (visits[step] * chance, journey.think_law(step, to))
        for step, row in journey.next.items()
        for to, chance in row.items()
        if to != EXIT
    )
    return float(sum(count * law.mean for count, law in laws if law is not None and count > 0))
