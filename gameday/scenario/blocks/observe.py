"""The block `observe`: which series of a stack are read, and from where."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Literal

from pydantic import Field, model_validator

from gameday.scenario.faults import Fault, unknown
from gameday.scenario.request_headers import HeaderName, HeaderValue
from gameday.scenario.units import Block, Duration, Name

if TYPE_CHECKING:
    from gameday.scenario.model import Scenario

__all__ = ["GAUGES", "Observe", "observe_faults"]

_GROWTH = re.compile(r"\b(?:i?rate|increase|i?delta|deriv)\s*\(")
GAUGES = frozenset({"in_use", "capacity", "queue", "in_flight"})
"""Names under `observe.series` of numbers that rise and fall; all others are counters, which only grow."""


class Observe(Block):
    """How a stack's own numbers are read; `$service` stands for a service's name."""

    source: Literal["metrics", "prometheus"] = "metrics"
    path: str = "/metrics"
    """Where the target exposes Prometheus text (source: metrics)."""
    url: str | None = None
    """A Prometheus server's address (source: prometheus)."""
    series: dict[Name, str]
    """in_use, capacity, queue, busy_seconds, arrived, done, ... -> series selector or PromQL.

    Counters (all but in_use, capacity, queue, in_flight) are given as they are, without rate(): their growth is
    computed for each instance, so a sum over a selector is read as that selector.
    """
    latency: str | None = None
    """Histogram of visits' seconds, without its _bucket suffix; a selector behind it where the service does not
    stand in a label `service`: `http_request_duration_seconds{app="$service"}`."""
    headers: dict[HeaderName, HeaderValue] = Field(default_factory=dict)
    """Of requests for numbers; `Bearer ${env:NAME}` and `${file:PATH}` are filled in when they are sent."""
    timeout: Duration = Field(default=10.0, gt=0, le=600)
    """Of one question to a Prometheus server. Default: ours."""
    ca_file: str | None = None
    """Certificates to trust beside the system's, PEM (source: prometheus); beside the scenario unless absolute."""
    orders: str | None = None
    """Path that lists the keys of the orders of a run."""
    services: list[Name] | None = None
    """Absent: all. A service left out is `not observed`."""

    @model_validator(mode="after")
    def _server_has_address(self) -> Observe:
        if self.source == "prometheus" and self.url is None:
            raise ValueError("source prometheus needs its url, as in http://127.0.0.1:9090")
        return self


def observe_faults(scenario: Scenario) -> Iterator[Fault]:
    """Yield services that do not exist, and counters given as rates."""
    for i, name in enumerate(scenario.observe.services or ()):
        yield from unknown(("observe", "services", i), "service", name, scenario.services)
    for name, query in scenario.observe.series.items():
        if name not in GAUGES and _GROWTH.search(query):
            yield (
                ("observe", "series", name),
                f"must be the counter itself, without rate() or increase() (got '{query}'); "
                "its growth is reckoned by the instance from one sample to the next",
            )
