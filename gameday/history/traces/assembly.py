"""Spans put together to traces, with no more in memory than the traces that are open within a window of time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from gameday.history.trace_formats import Span

__all__ = ["TraceAssembly"]

_LOOKS = 16
"""How often within a window it is looked for traces that are over. Ours."""


@dataclass(slots=True)
class _OpenTrace:
    """A trace of which more may come."""

    spans: list[Span]
    last_ns: int
    """When the latest of its spans ended."""


@dataclass(slots=True)
class TraceAssembly:
    """Collects spans by their trace; a trace is over when the stream is a window beyond its last span.

    The stream is where its latest batch begins: one clock that is far ahead within a batch moves nothing.
    """

    window_ns: int
    spans: int = 0
    impossible: int = 0
    """Spans that end before they begin, or at no instant that can be: left out."""
    late: int = 0
    """Spans that came after their trace was over."""
    most_open: int = 0
    """The most spans that were held at a time."""
    _open: dict[bytes, _OpenTrace] = field(default_factory=dict)
    _over: tuple[set[bytes], set[bytes]] = field(default_factory=lambda: (set(), set()))
    """Traces that are over, of this window and of the one before."""
    _held: int = 0
    _now_ns: int = 0
    _looked_ns: int = 0
    _turned_ns: int = 0

    def add(self, batch: list[Span]) -> Iterator[list[Span]]:
        """Take spans; yield the traces that are over since."""
        begins_ns = None
        for span in batch:
            self.spans += 1
            if not span.has_possible_times():
                self.impossible += 1
                continue
            begins_ns = span.start_ns if begins_ns is None else min(begins_ns, span.start_ns)
            opened = self._open.get(span.trace)
            if opened is not None:
                opened.spans.append(span)
                opened.last_ns = max(opened.last_ns, span.end_ns)
            elif span.trace in self._over[0] or span.trace in self._over[1]:
                self.late += 1
                continue
            else:
                self._open[span.trace] = _OpenTrace([span], span.end_ns)
            self._held += 1
        now = self._now_ns = max(self._now_ns, begins_ns or 0)
        self.most_open = max(self.most_open, self._held)
        if now - self._looked_ns > self.window_ns // _LOOKS:
            self._looked_ns = now
            yield from self._close(now - self.window_ns)

    def rest(self) -> Iterator[list[Span]]:
        """Yield what is still open: nothing more comes."""
        yield from (trace.spans for trace in self._open.values())
        self._open.clear()

    def _close(self, before_ns: int) -> Iterator[list[Span]]:
        """Yield, and forget, the traces whose last span ended before an instant."""
        if self._now_ns - self._turned_ns > self.window_ns:
            self._over, self._turned_ns = (set(), self._over[0]), self._now_ns
        ended = [name for name, trace in self._open.items() if trace.last_ns < before_ns]
        for name in ended:
            trace = self._open.pop(name)
            self._over[0].add(name)
            self._held -= len(trace.spans)
            yield trace.spans
