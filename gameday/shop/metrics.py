"""The shop's own numbers as Prometheus text, read from its stations when asked."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from gameday.shop.station import BUCKETS_S, OUTCOMES, LiveServices, LiveStation

__all__ = ["exposition"]


_Read = Callable[[LiveStation], float]
_GAUGES: dict[str, tuple[str, _Read]] = {
    "shop_in_use": ("servers at work", lambda s: s.in_use),
    "shop_capacity": ("servers", lambda s: s.servers),
    "shop_queue": ("requests waiting", lambda s: s.queued),
    "shop_in_flight": ("attempts not ended", lambda s: s.in_flight),
}
"""Name -> its help text, and how it is read."""
_COUNTERS: dict[str, tuple[str, _Read]] = {
    "shop_busy_seconds": ("server-seconds", lambda s: s.busy_s),
    "shop_queue_seconds": ("waiting-seconds", lambda s: s.queue_s),
    "shop_cache_lookups": ("answers callers looked for in the cache", lambda s: s.lookups),
    "shop_cache_hits": ("and found there", lambda s: s.hits),
    "shop_repeats": ("attempts at what had been asked before", lambda s: s.repeats),
}


class _Stations(Collector):
    """Collects the numbers of every station at the moment they are read."""

    def __init__(self, services: LiveServices) -> None:
        self.services = services

    def collect(self) -> Iterator[Metric]:
        stations = self.services.stations
        for station in stations.values():
            station.touch()
        for name, (meaning, read) in _GAUGES.items():
            gauge = GaugeMetricFamily(name, meaning, labels=["service"])
            for service, station in stations.items():
                gauge.add_metric([service], read(station))
            yield gauge
        yield from self._counters(stations)
        visits = HistogramMetricFamily("shop_visit_seconds", "queue to reply", labels=["service"])
        for service, station in stations.items():
            visits.add_metric([service], _cumulative(station), station.visit_sum_s)
        yield visits

    def _counters(self, stations: dict[str, LiveStation]) -> Iterator[Metric]:
        for name, (meaning, read) in _COUNTERS.items():
            counter = CounterMetricFamily(name, meaning, labels=["service"])
            for service, station in stations.items():
                counter.add_metric([service], read(station))
            yield counter
        ended = CounterMetricFamily(
            "shop_attempts", "attempts by how they ended", labels=["service", "outcome"]
        )
        for service, station in stations.items():
            for outcome in OUTCOMES:
                ended.add_metric([service, outcome], station.counts[outcome])
        yield ended


def _cumulative(station: LiveStation) -> list[tuple[str, float]]:
    """Return (upper bound, visits up to it) of the visit histogram."""
    total, buckets = 0, []
    for bound, count in zip((*map(str, BUCKETS_S), "+Inf"), station.buckets, strict=True):
        total += count
        buckets.append((bound, float(total)))
    return buckets


def exposition(services: LiveServices) -> bytes:
    """Return every station's numbers as Prometheus text."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Stations(services))
    return bytes(generate_latest(registry))
