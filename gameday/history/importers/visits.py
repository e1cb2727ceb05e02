"""Requests of a log to steps of visitors: redirects and forms folded into their cause, robots told by their pace.

Memory does not grow with the log: it holds the visitors of the last half hour, and the robots found.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from hashlib import blake2b
from urllib.parse import urljoin, urlsplit

from gameday.history.importers.log_summary import SHARED_BY, LogSummary
from gameday.history.importers.robots import RobotRules, app_library
from gameday.history.importers.url_proposal import is_asset, template_of
from gameday.history.importers.urls import StepRule, Urls
from gameday.history.log_lines import RequestLine

__all__ = ["Event", "Seen", "Visits"]

Event = tuple[int, str, int, bool, float, float, int]
"""Microseconds since 1970, step, visitor, whether it names itself a robot; how long the server took for the
request, and the servers behind it, s; the number of the rule by which a form was sent and answered without a
redirect, else -1."""

Seen = tuple[str, RequestLine]
"""Who came, and what for."""
_SENDING = frozenset(("POST", "PUT", "PATCH"))
_HOPS = frozenset((301, 302, 303, 307, 308))
_HOP_S, _NAMED_HOP_S = 5.0, 60.0
"""A redirect's target is requested so soon: where the log does not name it, and where it does. Ours."""
_EARLY_S = 1.0
"""Lines are written when replies end, in whole seconds: a target may seem to precede its redirect by so much."""
_PAGE_S = 1.0
"""Requests of one step by another rule so soon are the page's own calls. Ours; recordings are read so too."""
_MOST_UNMAPPED = 2000
_FIRST_STEPS = 20_000
"""Steps by which it is told whether many customers share an address. Ours."""
_A_MINUTE = 90
"""More steps a minute are a robot's. Ours: one and a half a second, for a minute."""
_A_SITTING = 500
"""More steps without a pause of half an hour are a robot's, however slow. Ours."""
_SILENCE_S = 1800.0


@lru_cache(maxsize=100_000)
def _template(path: str) -> str | None:
    return template_of(path)


def _path_and_query(target: str) -> tuple[str, str]:
    """Return the two, without the session that a server of Java writes into a path."""
    path, _, query = target.partition("?")
    return (path.partition(";")[0] if ";jsessionid=" in path else path), query


@dataclass(slots=True)
class _Hop:
    """A redirect whose target was not requested yet."""

    at_s: float
    method: str
    target: str | None
    """Path and query it leads to; None: the log does not say."""
    is_counted: bool
    """Whether what sent it is a step, or of one: then its target is no step more."""

    def leads_to(self, at_s: float, method: str, target: str) -> bool:
        """Return whether a request is the target, and comes in time."""
        if method != self.method:
            return False
        if self.target is None:
            return at_s <= self.at_s + _HOP_S and not is_asset(target.partition("?")[0])
        path, _, query = target.partition("?")
        end_path, _, end_query = self.target.partition("?")
        is_query = query == end_query or not (query and end_query)
        return path.rstrip("/") == end_path.rstrip("/") and is_query


class _Visitor:
    """What is remembered of a customer, or a robot, who came lately."""

    __slots__ = (
        "hops",
        "last",
        "last_path",
        "last_sent",
        "minute",
        "number",
        "seen_s",
        "sitting",
        "stepped_s",
        "steps",
    )

    def __init__(self, number: int) -> None:
        self.number, self.minute, self.steps, self.sitting = number, -1, 0, 0
        self.seen_s = self.stepped_s = -1.0
        self.hops: list[_Hop] = []
        self.last: StepRule | None = None
        self.last_path, self.last_sent = "", False
        """Of the last step, and whether something was sent for it."""

    def ends_counted_hop(self, request: RequestLine) -> bool:
        """Return whether a step's redirect led to a request; whichever redirect did is forgotten then."""
        at_s, method, target = request.at_s, request.method, request.target
        self.hops = [h for h in self.hops if -_EARLY_S <= at_s - h.at_s <= _NAMED_HOP_S]
        found = next((hop for hop in self.hops if hop.leads_to(at_s, method, target)), None)
        if found is None:
            return False
        self.hops.remove(found)
        return found.is_counted


class Visits:
    """Lines in, events out."""

    def __init__(self, urls: Urls, summary: LogSummary, robots: RobotRules) -> None:
        self._urls, self._summary, self._robots = urls, summary, robots
        self._visitors: dict[tuple[str, str], _Visitor] = {}
        self._looked_at = 0

    def event(self, who: str, request: RequestLine) -> Event | None:
        """Return the step that a request is, None if it is none."""
        path, query = _path_and_query(request.target)
        found = self._urls.rule(request.method, path, query)
        if found is None and _template(path) is None and path != "/robots.txt":
            self._summary.assets += 1
            return None
        visitor = self._visitor((who, request.agent))
        is_call = 0 <= request.at_s - visitor.seen_s <= _PAGE_S
        visitor.seen_s = request.at_s
        if path == "/robots.txt":
            self._summary.robots.add(visitor.number)
        if visitor.hops and visitor.ends_counted_hop(request):
            self._summary.hops += 1
            self._send_on(visitor, request, is_counted=True)
        elif found is None:
            self._no_step(request, path, query, is_call=is_call)
        elif self._is_counted(found, visitor, request, path):
            if self._looked_at < _FIRST_STEPS:
                self._note_address(who, request.agent)
            return self._step(found, visitor, request)
        return None

    def _is_counted(
        self, found: StepRule, visitor: _Visitor, request: RequestLine, path: str
    ) -> bool:
        """Return whether a request is a step; else it is counted as a part of one."""
        self._send_on(visitor, request, is_counted=found.counts)
        if not found.counts:
            self._summary.uncounted[found.step] += 1
            return False
        if self._is_part(visitor, found, request, path):
            self._summary.parts[found.step] += 1
            return False
        return True

    def _note_address(self, who: str, agent: str) -> None:
        """Count whose step it is, in the first of those who do not call themselves robots."""
        if self._robots.word(agent) is None:
            self._looked_at += 1
            self._summary.addresses[who] += 1
            agents = self._summary.agents.setdefault(who, set())
            if len(agents) < SHARED_BY:
                agents.add(agent)

    def _step(self, found: StepRule, visitor: _Visitor, request: RequestLine) -> Event:
        """Return a visitor's step, counted; who is too fast for a person is a robot."""
        at_s, status = request.at_s, request.status
        minute = int(at_s // 60)
        visitor.steps = visitor.steps + 1 if minute == visitor.minute else 1
        visitor.minute = minute
        visitor.sitting = 1 if at_s - visitor.stepped_s > _SILENCE_S else visitor.sitting + 1
        visitor.stepped_s = at_s
        if visitor.steps > _A_MINUTE or visitor.sitting > _A_SITTING:
            self._summary.robots.add(visitor.number)
        self._summary.failed += status >= 500
        self._summary.refused += 400 <= status < 500
        word = self._robots.word(request.agent)
        if word is not None:
            self._summary.declared_robots += 1
            self._summary.robot_words[word] += 1
        elif (library := app_library(request.agent)) is not None:
            self._summary.app_words[library] += 1
        return (
            int(at_s * 1e6),
            found.step,
            visitor.number,
            word is not None,
            request.request_s,
            request.upstream_s,
            self._shown_by(found, request) if request.method in _SENDING else -1,
        )

    def _shown_by(self, found: StepRule, request: RequestLine) -> int:
        """Count a form that was sent; return its rule's number where a page answered it, else -1."""
        self._summary.tried.add(found.step)
        if request.status in _HOPS:
            self._summary.sent_on[found.number] += 1
        if not 200 <= request.status < 300:
            return -1
        self._summary.shown[found.number] += 1
        return found.number

    def _visitor(self, who: tuple[str, str]) -> _Visitor:
        known = self._visitors.get(who)
        if known is None:
            digest = blake2b("|".join(who).encode(), digest_size=8).digest()
            known = self._visitors[who] = _Visitor(int.from_bytes(digest) >> 1)
        return known

    def _send_on(self, visitor: _Visitor, request: RequestLine, *, is_counted: bool) -> None:
        """Remember where a redirect leads (RFC 9110 §15.4): 301, 302 and 303 turn a POST into a GET."""
        if request.status not in _HOPS:
            return
        was_sent = request.method == "POST"
        becomes_get = was_sent if request.status in (301, 302) else request.status == 303
        onward = None
        if request.location.startswith(("/", "http://", "https://", "?", ".")):
            parts = urlsplit(urljoin(f"http://host{request.target}", request.location))
            onward = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        method = "GET" if becomes_get else request.method
        visitor.hops.append(_Hop(request.at_s, method, onward, is_counted))

    def _is_part(self, visitor: _Visitor, found: StepRule, request: RequestLine, path: str) -> bool:
        """Return whether a request is of the step before: what its form sends, or a call of its page."""
        before, is_sent = visitor.last, request.method in _SENDING
        is_same = before is not None and before.step == found.step
        since_s = request.at_s - visitor.stepped_s
        is_form = before is found and not visitor.last_sent and path == visitor.last_path
        if is_form and is_sent and found.rule.method is None and since_s <= _SILENCE_S:
            visitor.last_sent = True
            return True
        if is_same and before is not found:
            if 0 <= since_s <= _PAGE_S:
                return True
            self._summary.beside[found.step] += since_s <= _SILENCE_S
        visitor.last, visitor.last_path, visitor.last_sent = found, path, is_sent
        return False

    def _no_step(self, request: RequestLine, path: str, query: str, *, is_call: bool) -> None:
        """Count a request of no step: by its template where a person asked for it and it was answered well.

        `is_call`: it came right behind another, as a page's own calls do.
        """
        if self._robots.word(request.agent) is not None:
            self._summary.unmapped_of_robots += 1
            return
        if request.status >= 400:
            self._summary.unmapped_refused += 1
            return
        known = self._summary.unmapped
        self._summary.calls_of_pages += is_call
        key = f"{request.method} {_template(path) or path}{self._urls.read_of(query)}"
        known[key if key in known or len(known) < _MOST_UNMAPPED else "others"] += 1

    def forget(self, now_s: float) -> None:
        """Forget visitors who were silent for half an hour: memory does not grow with the log."""
        gone = [who for who, v in self._visitors.items() if v.seen_s < now_s - _SILENCE_S]
        for who in gone:
            del self._visitors[who]
