"""Kinds of event; one file a kind, and its name in KINDS.

Each knows its knots (the minutes at which its effect may change slope) and, for the synthetic past, one shape.
What an event really does is learned from history.
"""

from gameday.scenario.events.launch import Launch
from gameday.scenario.events.match import Match
from gameday.scenario.events.period import Period
from gameday.scenario.events.sale import Sale
from gameday.scenario.events.season import Season

__all__ = ["KINDS", "EventKind", "Launch"]

EventKind = type[Sale] | type[Match] | type[Season] | type[Period] | type[Launch]

KINDS: dict[str, EventKind] = {kind.name: kind for kind in (Sale, Match, Season, Period, Launch)}
"""Kind as written in a scenario -> its class."""
