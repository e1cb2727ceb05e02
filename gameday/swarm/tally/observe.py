"""The target's own metrics that the scenario's `observe` block names: scraped, or by PromQL."""

from __future__ import annotations

import contextlib
import http.client
import json
import re
import socket
import ssl
import threading
import time
from dataclasses import dataclass, field
from itertools import product
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from prometheus_client.parser import text_string_to_metric_families

from gameday.scenario import Scenario
from gameday.scenario.blocks import GAUGES
from gameday.swarm.tally.counters import Instances

__all__ = ["Key", "Observer", "Sample", "fetch"]

_SELECTOR = re.compile(r"([a-zA-Z_:][\w:]*)\s*(?:\{(.*)\})?")
_LABEL = re.compile(r'([a-zA-Z_]\w*)\s*=\s*"((?:[^"\\]|\\.)*)"')
_GROUPED = r"(?:\s*\b(?:by|without)\s*\([^()]*\))?"
_SUM = re.compile(rf"sum{_GROUPED}\s*\(([^()]*)\){_GROUPED}")
_TIMEOUT_S = 2.0
_MOST_BYTES = 8 << 20

Key = tuple[str, str, str]
"""(stack, service, name of the series or `le=<bound>`)."""


@dataclass(frozen=True, slots=True)
class Sample:
    """Every observed series at one instant."""

    at_s: float
    """Seconds since the epoch."""
    values: dict[Key, Instances] = field(repr=False)
    """Not summed: counters grow by the instance. What was not exposed is absent."""


ONLY_HTTP2 = "it speaks only HTTP/2"
"""What `fetch` says of such a target."""


def fetch(
    url: str, path: str, timeout_s: float = _TIMEOUT_S, *, tls: ssl.SSLContext | None = None
) -> bytes:
    """Return the body of a GET; OSError when there is none in time or its status is not 200.

    The whole answer has `timeout_s`, whatever the target dribbles, and at most 8 MiB. `tls` is how
    an https target is spoken to; default: as the system trusts.
    """
    connection = _connection(url, timeout_s, tls)
    answers: list[tuple[int, bytes] | Exception] = []

    def ask() -> None:
        try:
            connection.request("GET", path)
            response = connection.getresponse()
            answers.append((response.status, response.read(_MOST_BYTES)))
        except (OSError, http.client.HTTPException, ValueError) as error:
            answers.append(error)

    asking = threading.Thread(target=ask, daemon=True)
    asking.start()
    asking.join(timeout_s)
    if connection.sock is not None and asking.is_alive():
        with contextlib.suppress(OSError):
            connection.sock.shutdown(socket.SHUT_RDWR)  # wakes the thread, which then ends
    connection.close()
    if not answers:
        raise OSError(f"no whole answer within {timeout_s:g} s")
    return _good_body(answers[0])


def _connection(
    url: str, timeout_s: float, tls: ssl.SSLContext | None
) -> http.client.HTTPConnection:
    parts = urlsplit(url)
    host = parts.hostname or ""
    if parts.scheme == "https":
        return http.client.HTTPSConnection(host, parts.port or 443, timeout=timeout_s, context=tls)
    return http.client.HTTPConnection(host, parts.port or 80, timeout=timeout_s)


def _good_body(answer: tuple[int, bytes] | Exception) -> bytes:
    """Return the body of a reply with status 200; OSError says what came instead."""
    if isinstance(answer, Exception):
        raise OSError(_reason(answer)) from None
    status, body = answer
    if status != 200:
        raise OSError(f"status {status}")
    return body


def _reason(error: Exception) -> str:
    """Return why there is no reply, in words; a target that speaks only HTTP/2 is recognised."""
    if isinstance(error, http.client.BadStatusLine) and not isinstance(error, ConnectionError):
        # HTTP/2 begins with a SETTINGS frame: its type, 4, stands in the fourth byte (RFC 9113 §4.1)
        line = str(error.args[0])
        is_settings = line[:1] == "\0" and line[3:4] == "\4"
        return ONLY_HTTP2 if is_settings else "what came is not HTTP"
    is_tls = isinstance(error, ssl.SSLError) and "APPLICATION_PROTOCOL" in str(error)
    return ONLY_HTTP2 if is_tls else str(error) or type(error).__name__


class Observer:
    """Reads the stacks' own metrics; what cannot be read is absent, never zero."""

    def __init__(
        self, scenario: Scenario, targets: dict[str, str], tls: ssl.SSLContext | None = None
    ) -> None:
        self.rules, self.targets, self._tls = scenario.observe, targets, tls
        self.services = {
            stack: [
                name
                for name in scenario.stack_services(stack)
                if self.rules.services is None or name in self.rules.services
            ]
            for stack in targets
        }
        self.faults: dict[str, str] = {}
        """Stack -> why it could not be read the last time."""

    def read(self) -> Sample | None:
        """Return what the targets expose now; None if they are read by PromQL afterwards."""
        if self.rules.source != "metrics" or not self.rules.series:
            return None
        values: dict[Key, Instances] = {}
        for stack, url in self.targets.items():
            try:
                text = fetch(url, self.rules.path, tls=self._tls).decode("utf-8", "replace")
                values |= self._picked(stack, _series(text))
                self.faults.pop(stack, None)
            except (OSError, ValueError) as error:
                self.faults[stack] = f"{url}{self.rules.path}: {error}"
        return Sample(time.time(), values)

    def read_now(self) -> Sample | None:
        """Return what the targets expose now, by whichever way; None if nothing can be read."""
        if self.rules.source == "metrics":
            return self.read()
        now = time.time()
        samples = self.read_range(now - 1.0, now, 1.0)
        return samples[-1] if samples else None

    def read_range(self, start_s: float, end_s: float, step_s: float) -> list[Sample]:
        """Return samples from the Prometheus server at every `step_s` from start to end."""
        values_at: dict[float, dict[Key, Instances]] = {}
        span = {"start": start_s, "end": end_s, "step": step_s}
        for stack, services in self.services.items():
            for service, (name, template) in product(services, self.rules.series.items()):
                query = template.replace("$service", service).replace("$stack", stack)
                query = query if name in GAUGES else unsummed(query)
                for instant_s, instances in self._query(query, span, stack).items():
                    values_at.setdefault(instant_s, {})[stack, service, name] = instances
        return [Sample(instant_s, values) for instant_s, values in sorted(values_at.items())]

    def _query(self, query: str, span: dict[str, float], stack: str) -> dict[float, Instances]:
        """Return instant -> its series by labels; empty, and a fault noted, where the answer cannot be read."""
        parameters = urlencode({"query": query, **span})
        try:
            body = fetch(self.rules.url or "", f"/api/v1/query_range?{parameters}", 10.0)
            return _range_of(json.loads(body)["data"]["result"])
        except _UNREADABLE as error:
            self.faults[stack] = f"{self.rules.url}: {query}: {error}"
            return {}

    def _picked(self, stack: str, families: _Families) -> dict[Key, Instances]:
        picked: dict[Key, Instances] = {}
        for service in self.services[stack]:
            for name, selector in self.rules.series.items():
                if found := _select(families, selector.replace("$service", service)):
                    picked[stack, service, name] = found
            for bound, instances in _buckets(families, self.rules.latency, service).items():
                picked[stack, service, f"le={bound}"] = instances
        return picked

    def orders(self, run_id: str) -> dict[str, set[str]] | None:
        """Return each stack's order keys of a run; None where they cannot be read."""
        if self.rules.orders is None:
            return None
        keys = {}
        for stack, url in self.targets.items():
            try:
                path = f"{self.rules.orders}?run={quote(run_id)}"
                body = fetch(url, path, 10.0, tls=self._tls)
                keys[stack] = set(map(str, json.loads(body)["keys"]))
            except _UNREADABLE as error:
                self.faults[stack] = f"{url}{self.rules.orders}: {error}"
                return None
        return keys


_UNREADABLE = (OSError, ValueError, KeyError, TypeError, RecursionError, AttributeError)
"""What reading JSON of any shape from a target may raise."""


def _range_of(result: list[dict[str, Any]]) -> dict[float, Instances]:
    """Return instant -> its series by labels, of the result of a Prometheus range query."""
    if not isinstance(result, list):
        raise TypeError("result is no list")
    found: dict[float, dict[str, float]] = {}
    for number, series in enumerate(result):
        name = str(sorted(series["metric"].items())) if series.get("metric") else str(number)
        for instant_s, value in series["values"]:
            found.setdefault(float(instant_s), {})[name] = float(value)
    return dict(found)


def _is_bound(text: str) -> bool:
    """Return whether a bucket's label is a number; a target may expose anything."""
    try:
        return float(text) == float(text)
    except ValueError:
        return False


_Families = dict[str, list[tuple[dict[str, str], float]]]
"""Name of a series -> labels and value of each, as they stand in an exposition."""


def _series(text: str) -> _Families:
    out: _Families = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            out.setdefault(sample.name, []).append((dict(sample.labels), float(sample.value)))
    return out


def _select(families: _Families, selector: str) -> Instances:
    """Return the series that a selector matches, by their labels; empty if none does."""
    found = _SELECTOR.fullmatch(selector.strip())
    if not found:
        return {}
    wanted = dict(_LABEL.findall(found[2] or ""))
    if _LABEL.sub("", found[2] or "").strip(" ,"):
        return {}  # a matcher other than `=`: PromQL's, not a scrape's
    return _by_labels(
        [
            (labels, value)
            for labels, value in families.get(found[1], [])
            if all(labels.get(name) == text for name, text in wanted.items())
        ]
    )


def _by_labels(rows: list[tuple[dict[str, str], float]]) -> Instances:
    """Return labels as text -> value; NaN where one series stands there twice with two values."""
    out: dict[str, float] = {}
    for labels, value in rows:
        name = str(sorted(labels.items()))
        out[name] = value if out.get(name, value) == value else float("nan")
    return out


def _buckets(families: _Families, latency: str | None, service: str) -> dict[str, Instances]:
    """Return upper bound -> a service's series of a histogram, by their other labels."""
    rows: dict[str, list[tuple[dict[str, str], float]]] = {}
    for labels, value in families.get(f"{latency}_bucket", []):
        bound = labels.get("le", "")
        if labels.get("service") == service and _is_bound(bound):
            rows.setdefault(bound, []).append(
                ({name: text for name, text in labels.items() if name != "le"}, value)
            )
    return {bound: _by_labels(found) for bound, found in rows.items()}


def unsummed(query: str) -> str:
    """Return the selector inside a plain PromQL sum: only single series show that an instance restarted."""
    found = _SUM.fullmatch(query.strip())
    return found[1].strip() if found and _SELECTOR.fullmatch(found[1].strip()) else query
