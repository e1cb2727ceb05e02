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
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import product
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from prometheus_client.parser import text_string_to_metric_families

from gameday.errors import PreflightFailed
from gameday.scenario import Scenario, filled_headers
from gameday.scenario.blocks import GAUGES
from gameday.swarm.tally.counters import Instances, instance_name

__all__ = ["Key", "Observer", "Sample", "fetch"]

_SELECTOR = re.compile(r"([a-zA-Z_:][\w:]*)\s*(?:\{(.*)\})?")
_LABEL = re.compile(r'([a-zA-Z_]\w*)\s*=\s*"((?:[^"\\]|\\.)*)"')
_GROUPED = r"(?:\s*\b(?:by|without)\s*\([^()]*\))?"
_SUM = re.compile(rf"sum{_GROUPED}\s*\(([^()]*)\){_GROUPED}")
_TIMEOUT_S = 2.0
_MOST_BYTES = 8 << 20
_AT_ONCE = 8
"""Questions that a Prometheus server is asked at one time. Ours: it takes twenty by default."""

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
    url: str,
    path: str,
    timeout_s: float = _TIMEOUT_S,
    *,
    tls: ssl.SSLContext | None = None,
    headers: Mapping[str, str] | None = None,
) -> bytes:
    """Return the body of a GET; OSError when there is none in time or its status is not 200.

    The whole answer has `timeout_s`, whatever the target dribbles, and at most 8 MiB. `tls` is how
    an https target is spoken to; default: as the system trusts.
    """
    connection = _connection(url, timeout_s, tls)
    answers: list[tuple[int, bytes] | Exception] = []

    def ask() -> None:
        try:
            connection.request("GET", path, headers=dict(headers or {}))
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


@dataclass(frozen=True, slots=True)
class _Question:
    """What a Prometheus server is asked of one service."""

    stack: str
    service: str
    series: str
    """Name under `observe.series`; empty: the histogram of visits."""
    promql: str


class Observer:
    """Reads the stacks' own metrics; what cannot be read is absent, never zero."""

    def __init__(
        self,
        scenario: Scenario,
        targets: dict[str, str],
        tls: ssl.SSLContext | None = None,
        metrics_ca_pem: str | None = None,
    ) -> None:
        """`tls`: how targets are spoken to; `metrics_ca_pem`: what a Prometheus server's certificate may be of.

        PreflightFailed where a header's secret is not there.
        """
        self.rules, self.targets, self._tls = scenario.observe, targets, tls
        self._metrics_tls: ssl.SSLContext | None = None
        if (self.rules.url or "").startswith("https:"):
            self._metrics_tls = ssl.create_default_context()
            if metrics_ca_pem:
                self._metrics_tls.load_verify_locations(cadata=metrics_ca_pem)
        try:
            filled_headers(self.rules.headers)
        except ValueError as error:
            raise PreflightFailed(f"observe.headers: {error}") from None
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
                text = self._fetch(url, self.rules.path, _TIMEOUT_S, self._tls).decode(
                    "utf-8", "replace"
                )
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
        questions = list(self._questions())
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            answers = pool.map(lambda asked: self._ask(asked, span), questions)
            for asked, found in zip(questions, answers, strict=True):
                for series, instants in found.items():
                    for instant_s, instances in instants.items():
                        key = asked.stack, asked.service, series
                        values_at.setdefault(instant_s, {})[key] = instances
        return [Sample(instant_s, values) for instant_s, values in sorted(values_at.items())]

    def _questions(self) -> Iterator[_Question]:
        """Yield what a Prometheus server is asked."""
        histogram = self.rules.latency and _with_suffix(self.rules.latency)
        templates = [*self.rules.series.items(), *([("", histogram)] if histogram else [])]
        for stack, services in self.services.items():
            for service, (name, template) in product(services, templates):
                query = template.replace("$service", service).replace("$stack", stack)
                yield _Question(stack, service, name, query if name in GAUGES else unsummed(query))

    def _ask(self, asked: _Question, span: dict[str, float]) -> _Answer:
        """Return the series that are the answer; empty, and a fault noted, where it cannot be read."""
        parameters = urlencode({"query": asked.promql, **span})
        url, path = self.rules.url or "", f"/api/v1/query_range?{parameters}"
        try:
            body = self._fetch(url, path, self.rules.timeout, self._metrics_tls)
            result = json.loads(body)["data"]["result"]
            if asked.series:
                return {asked.series: _range_of(result)}
            return _buckets_of(result)
        except _UNREADABLE as error:
            self.faults[asked.stack] = f"{self.rules.url}: {asked.promql}: {error}"
            return {}

    def _fetch(self, url: str, path: str, timeout_s: float, tls: ssl.SSLContext | None) -> bytes:
        """Return what is answered; OSError where nothing is, ValueError where a header's secret went."""
        return fetch(url, path, timeout_s, tls=tls, headers=filled_headers(self.rules.headers))

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


_Answer = dict[str, dict[float, Instances]]
"""Name of a series -> instant -> its instances."""


def _with_suffix(latency: str) -> str:
    """Return a histogram's name, with a selector behind it or not, as the selector of its buckets."""
    name, brace, selector = latency.partition("{")
    return f"{name.strip()}_bucket" + (brace + selector if brace else '{service="$service"}')


def _buckets_of(result: list[dict[str, Any]]) -> _Answer:
    """Return the buckets of a histogram by their upper bounds, of the result of a Prometheus range query."""
    by_bound: dict[str, list[dict[str, Any]]] = {}
    for series in result:
        labels = {name: text for name, text in series["metric"].items() if name != "le"}
        if _is_bound(bound := series["metric"].get("le", "")):
            by_bound.setdefault(bound, []).append({**series, "metric": labels})
    return {f"le={bound}": _range_of(found) for bound, found in by_bound.items()}


def _range_of(result: list[dict[str, Any]]) -> dict[float, Instances]:
    """Return instant -> its series by labels, of the result of a Prometheus range query."""
    if not isinstance(result, list):
        raise TypeError("result is no list")
    found: dict[float, dict[str, float]] = {}
    names = set[str]()
    for number, series in enumerate(result):
        labels = {name: text for name, text in series["metric"].items() if name != "__name__"}
        name = instance_name(labels)
        if not labels or name in names:
            name = str(number)
        names.add(name)
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
        name = instance_name(labels)
        out[name] = value if out.get(name, value) == value else float("nan")
    return out


def _buckets(families: _Families, latency: str | None, service: str) -> dict[str, Instances]:
    """Return upper bound -> a service's series of a histogram, by their other labels."""
    rows: dict[str, list[tuple[dict[str, str], float]]] = {}
    found = _SELECTOR.fullmatch(_with_suffix(latency or "").replace("$service", service))
    wanted = dict(_LABEL.findall(found[2] or "")) if found else {}
    for labels, value in families.get(found[1], []) if found else ():
        bound = labels.get("le", "")
        if wanted.items() <= labels.items() and _is_bound(bound):
            rows.setdefault(bound, []).append(
                ({name: text for name, text in labels.items() if name != "le"}, value)
            )
    return {bound: _by_labels(found) for bound, found in rows.items()}


def unsummed(query: str) -> str:
    """Return the selector inside a plain PromQL sum: only single series show that an instance restarted."""
    found = _SUM.fullmatch(query.strip())
    return found[1].strip() if found and _SELECTOR.fullmatch(found[1].strip()) else query
