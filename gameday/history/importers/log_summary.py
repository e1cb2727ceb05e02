"""What was read of access logs: steps, requests folded into them, and what was left out with its share."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime

import pandas as pd

from gameday.history.importers.log_times import LogTimes
from gameday.history.log_lines import ClientChoice

__all__ = ["LogSummary", "minute_table"]

_SHOWN = 5
"""So many kinds of requests, or words of robots, are listed by name."""
_ONE_ADDRESS, _LEAST_REQUESTS = 0.5, 100
"""Share of the requests from one address, and their number, at which it is no customer's. Ours."""


_MANY_MALFORMED = 0.02
"""Share of malformed lines from which on the layout is doubted. Ours."""


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
    malformed: int = 0
    quoted: str = ""
    """The first malformed line."""
    comments: int = 0
    """Lines that are empty, or begin with #."""
    not_http: int = 0
    """Lines of the layout whose request is none: broken connections, handshakes sent to the wrong port."""
    assets: int = 0
    """Pictures, styles, scripts."""
    unmapped: Counter[str] = field(default_factory=Counter)
    """Method and template of what the map does not know -> requests."""
    parts: Counter[str] = field(default_factory=Counter)
    """Step -> requests of its own beside the one it is counted by: forms, calls of pages."""
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
    """Client address -> requests, of the first lines."""

    @property
    def no_step(self) -> int:
        """Requests that are no step: pictures, pages the map does not know, parts of steps."""
        return self.assets + self.unmapped.total() + self.parts.total()

    @property
    def of_robots(self) -> int:
        """Steps of robots."""
        return sum(n for (_, _, is_robot), n in self.minutes.items() if is_robot)

    @property
    def of_people(self) -> int:
        """Steps of people."""
        return self.minutes.total() - self.of_robots

    def one_address(self) -> str | None:
        """Return a sentence where most requests come from one address: customers cannot be told apart then."""
        [(address, count)] = self.addresses.most_common(1) or [("", 0)]
        share = count / max(1, self.addresses.total())
        if share < _ONE_ADDRESS or count < _LEAST_REQUESTS:
            return None
        return (
            f"{share:.0%} of the first {self.addresses.total()} requests come from one address, {address}, as "
            f"behind a proxy{self._other_ways()}: customers who share it and a user agent are told as one, or as "
            "a robot. Name another field with --client, or let the server log the client's own address, as nginx "
            'does by "$http_x_forwarded_for" behind the user agent'
        )

    def _other_ways(self) -> str:
        """Return how many customers each field of the log tells."""
        told = {way: count for choice in self.clients for way, count in choice.told.items()}
        return f" ({', '.join(f'{way} tells {n}' for way, n in told.items())})" if told else ""

    def doubts(self) -> Iterator[str]:
        """Yield why the result may be wrong, each with what to write to change it."""
        if sentence := self.one_address():
            yield sentence
        if not any(choice.name for choice in self.clients):
            yield "no field of the log tells customers apart: all with one user agent are told as one"
        read = max(1, self.lines - self.comments)
        if self.malformed > _MANY_MALFORMED * read:
            yield (
                f"{self.malformed} of {read} lines ({self.malformed / read:.1%}) are not of the layout that was "
                "read; write the server's own with --log-format"
            )

    def describe(self) -> Iterator[str]:
        """Yield the summary as lines of text."""
        steps = max(1, self.minutes.total())
        for layout in self.layouts:
            yield f"layout: {layout}"
        if names := [choice.name for choice in self.clients if choice.name]:
            yield f"customers are told apart by {', '.join(names)} and their user agent"
        yield (
            f"{self.lines} lines, {self.size / 1e6:.1f} MB: {self.of_people} steps of people, "
            f"{self.of_robots} of robots ({len(self.robots)} known by what they do), {self.no_step} requests "
            f"that are no step, {self.hops} redirects folded"
        )
        if self.of_robots:
            words = ", ".join(f"'{w}' {n}" for w, n in self.robot_words.most_common(_SHOWN))
            yield (
                f"  left out as robots: {self.of_robots} of {steps} steps ({self.of_robots / steps:.1%}): "
                f"{self.declared_robots} by their user agent{f' ({words})' if words else ''}, "
                f"{self.of_robots - self.declared_robots} by pace or for asking for robots.txt"
            )
        yield from self._describe_requests()
        if self.app_words:
            words = ", ".join(f"{word} {n}" for word, n in self.app_words.most_common(_SHOWN))
            yield (
                f"  kept as customers: {self.app_words.total()} steps by libraries of apps ({words}); leave them "
                f"out with --robots {self.app_words.most_common(1)[0][0]}=robot"
            )
        if self.malformed:
            yield f"  {self.malformed} malformed lines, the first: {self.quoted}"
        if self.not_http:
            yield f"  {self.not_http} lines without a request (broken connections, other protocols) are left out"
        if self.failed or self.refused:
            yield (
                f"  {self.failed} steps answered by 5xx and {self.refused} by 4xx are kept as steps "
                f"({(self.failed + self.refused) / steps:.1%})"
            )

    def _describe_requests(self) -> Iterator[str]:
        pages = max(1, self.lines - self.malformed - self.assets)
        if self.unmapped:
            total, shown = self.unmapped.total(), self.unmapped.most_common(_SHOWN)
            yield (
                f"  {total} requests are of no step ({total / pages:.1%} of all but {self.assets} pictures, "
                f"styles and scripts), most: {', '.join(f'{kind} {n}' for kind, n in shown)}; name them in "
                "history.urls if they are one"
            )
        if self.parts:
            yield (
                "  folded into the step they belong to: "
                + ", ".join(f"{step} {n}" for step, n in self.parts.items())
                + " requests, as forms before what sends them and calls of a page; `POST /path` in history.urls "
                "counts those alone that send"
            )
        for step, count in self.beside.items():
            yield (
                f"  {count} {step} came right behind another by a different rule of history.urls.{step}: if both "
                "are one action of a customer, keep one of the rules"
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
