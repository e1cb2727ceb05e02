"""What was read of access logs: steps, requests folded into them, and what was left out with its share."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime

import pandas as pd

from gameday.history.importers.log_times import LogTimes
from gameday.history.log_lines import ClientChoice

__all__ = ["SHARED_BY", "LogSummary", "minute_table"]

SHARED_BY = 4
"""User agents from which on an address is no single household's. Ours."""


@dataclass(slots=True)
class LogSummary:
    """What was read."""

    layouts: list[str] = field(default_factory=list)
    """How lines were read: format strings, or fields and what each was taken for."""
    clients: list[ClientChoice] = field(default_factory=list)
    """By what customers were told apart."""
    lines: int = 0
    size: int = 0
    """Bytes, unpacked."""
    empty: list[str] = field(default_factory=list)
    """Files without a line."""
    malformed: int = 0
    quoted: str = ""
    """The first malformed line."""
    comments: int = 0
    """Lines that are empty, or begin with #."""
    other_heads: int = 0
    """Lines that say that other fields follow than those that are read."""
    not_http: int = 0
    """Lines of the layout whose request is none: broken connections, handshakes sent to the wrong port."""
    assets: int = 0
    """Pictures, styles, scripts."""
    unmapped: Counter[str] = field(default_factory=Counter)
    """Method and template of what the map does not know -> requests."""
    calls_of_pages: int = 0
    """Of `unmapped`: those right behind another request of the visitor, as a page's own calls are."""
    unmapped_of_robots: int = 0
    """Requests of no step by who names himself a robot."""
    unmapped_refused: int = 0
    """Requests of no step that were answered by 400 and above."""
    parts: Counter[str] = field(default_factory=Counter)
    """Step -> requests of its own right beside the one it is counted by: forms, calls of pages."""
    uncounted: Counter[str] = field(default_factory=Counter)
    """Step -> requests of the scenario's exchanges other than the one by which it is counted."""
    sent_on: Counter[int] = field(default_factory=Counter)
    """Number of a rule -> forms sent that were answered by a redirect."""
    shown: Counter[int] = field(default_factory=Counter)
    """Number of a rule -> forms sent that were answered by a page."""
    tried: set[str] = field(default_factory=set)
    """Steps that are done by sending something."""
    shown_again: Counter[str] = field(default_factory=Counter)
    """Step -> forms sent in vain: shown again where their like redirects."""
    zone: str = "UTC"
    """Of times that do not say their offset."""
    without_offset: bool = False
    """Times do not say how far from UTC they are."""
    unitless: list[str] = field(default_factory=list)
    """Columns of durations whose unit nothing tells: they are not read."""
    scenario_steps: tuple[str, ...] = ()
    """Those that the scenario's journeys come to; empty where there is none."""
    beside: Counter[str] = field(default_factory=Counter)
    """Step -> steps right behind the same step of one visitor, by another rule."""
    hops: int = 0
    """Requests folded into the step that sent them."""
    failed: int = 0
    """Steps answered by 500 and above: they are kept as steps."""
    refused: int = 0
    """Steps answered by 400 to 499: they are kept as steps."""
    declared_robots: int = 0
    """Steps of visitors whose user agent says that they are robots."""
    robot_words: Counter[str] = field(default_factory=Counter)
    """Word in a user agent -> steps."""
    app_words: Counter[str] = field(default_factory=Counter)
    """Library of apps in a user agent -> steps; they are customers'."""
    robots: set[int] = field(default_factory=set)
    """Visitors that are robots by their pace, or because they asked for robots.txt."""
    minutes: Counter[tuple[int, str, bool]] = field(default_factory=Counter)
    """(Minute since 1970, step, whether of robots) -> events."""
    proposed: dict[str, list[str]] = field(default_factory=dict)
    """Step -> rules, where there was no map."""
    notes: list[str] = field(default_factory=list)
    """What the proposal leaves out."""
    times: LogTimes = field(default_factory=LogTimes)
    """How long the server took for people's steps."""
    addresses: Counter[str] = field(default_factory=Counter)
    """Client address -> its steps, of the first; without robots that say so."""
    agents: dict[str, set[str]] = field(default_factory=dict)
    """Client address -> the user agents that came from it, no more than `SHARED_BY`."""

    @property
    def no_step(self) -> int:
        """Requests that are no step: pictures, pages the map does not know, parts of steps, forms in vain."""
        others = self.unmapped.total() + self.unmapped_of_robots + self.unmapped_refused
        of_steps = self.parts.total() + self.uncounted.total() + self.shown_again.total()
        return self.assets + others + of_steps

    def forms_that_redirect(self) -> list[int]:
        """Return the numbers of the rules whose forms mostly lead on to another page when they are sent."""
        return sorted(n for n, shown in self.shown.items() if self.sent_on[n] > shown)

    @property
    def of_robots(self) -> int:
        """Steps of robots."""
        return sum(n for (_, _, is_robot), n in self.minutes.items() if is_robot)

    @property
    def of_people(self) -> int:
        """Steps of people."""
        return self.minutes.total() - self.of_robots

    @property
    def pages(self) -> int:
        """Requests of people but for pictures, styles and scripts, as far as they were answered well."""
        return max(
            1, self.of_people + self.unmapped.total() + self.parts.total() + self.uncounted.total()
        )


def minute_table(summary: LogSummary) -> pd.DataFrame:
    """Return counts a minute, columns time, step, count, robots: a history file, robots apart.

    Every minute from the first step to the last is there: one without a row would be one without a log.
    """
    seen = summary.minutes
    minutes = {minute for minute, _, _ in seen}
    steps = sorted({step for _, step, _ in seen})
    every = range(min(minutes), max(minutes) + 1) if minutes else ()
    rows = [
        (
            datetime.fromtimestamp(60 * minute, UTC).isoformat(),
            step,
            seen[minute, step, False],
            seen[minute, step, True],
        )
        for minute in every
        for step in steps
    ]
    return pd.DataFrame(rows, columns=["time", "step", "count", "robots"])
