"""One trace as visits to services: who called whom, when by the caller's clock, and the own work of each."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from gameday.history.trace_formats import Span

__all__ = ["Call", "Visit", "covered_ns"]

_SAME_NS = 1_000
"""Clocks nearer than this are one: Jaeger and Zipkin tell whole microseconds."""


@dataclass(slots=True)
class Call:
    """What one visit asks of another service, as its caller sees it; one attempt."""

    service: str
    what: str
    """What is asked of it: the span's name and the template of a path."""
    start_ns: int
    """By the caller's clock, as `end_ns`."""
    end_ns: int
    has_failed: bool
    visit: Visit | None
    """What the called service tells of it; None: nothing."""
    is_asynchronous: bool = False
    """Nobody waits for it."""
    is_repeat: bool = False
    """It says that it was sent before."""
    error: str = ""
    """The kind of its failure as its caller tells it."""
    is_cached: bool = False
    """It was answered by a cache."""


@dataclass(slots=True)
class Visit:
    """One request at one service."""

    span: Span
    start_ns: int
    """By the clock of whoever began the trace, as `end_ns`."""
    end_ns: int
    has_failed: bool
    """Its answer was bad."""
    calls: list[Call] = field(default_factory=list)
    """By their start."""
    waits: list[tuple[int, int, str]] = field(default_factory=list)
    """Where it only waited, within its service; and what the span is called that says so."""
    _tries: list[list[Call]] | None = None

    @property
    def service(self) -> str:
        """The service that it is a request at."""
        return self.span.service

    def tries(self) -> list[list[Call]]:
        """Return the calls that it waited for, by their start, each with its retries.

        A retry asks the same of the same service after a failure, or says itself that it is one.
        """
        if self._tries is not None:
            return self._tries
        last: dict[tuple[str, str], list[Call]] = {}
        out: list[list[Call]] = []
        for call in self.calls:
            if call.is_asynchronous:
                continue
            before = last.get((call.service, call.what))
            if before is not None and _repeats(before[-1], call):
                before.append(call)
                continue
            last[call.service, call.what] = [call]
            out.append(last[call.service, call.what])
        self._tries = out
        return out

    def own_s(self) -> float:
        """Return the seconds of its own work: without waits for calls, between their retries, or for a place."""
        busy_with = [(attempts[0].start_ns, attempts[-1].end_ns) for attempts in self.tries()]
        busy_with += [(start, end) for start, end, _ in self.waits]
        lasted_ns = self.end_ns - self.start_ns
        return (lasted_ns - covered_ns(busy_with, self.start_ns, self.end_ns)) / 1e9

    def walk(self) -> Iterator[tuple[Visit, bool]]:
        """Yield this visit and every visit below it, each with whether somebody waits for it."""
        yield self, True
        for call in self.calls:
            if call.visit is not None:
                for visit, is_awaited in call.visit.walk():
                    yield visit, is_awaited and not call.is_asynchronous


def _repeats(before: Call, call: Call) -> bool:
    """Return whether a call is the retry of one before it."""
    return call.is_repeat or (before.has_failed and call.start_ns >= before.end_ns - _SAME_NS)


def covered_ns(intervals: list[tuple[int, int]], start_ns: int, end_ns: int) -> int:
    """Return the length of the union of intervals, within one."""
    covered, upto = 0, start_ns
    for begin, end in sorted(intervals):
        begin, end = max(begin, upto), min(end, end_ns)
        if end > begin:
            covered, upto = covered + end - begin, end
    return covered
