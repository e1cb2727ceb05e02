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


class _Stations(Collector):
    def __init__(self, services: LiveServices) -> None:
        self.services = services

    def collect(self) -> Iterator[Metric]:
        stations = self.services.stations
        for station in stations.values():
            station.touch()
        gauges: dict[str, tuple[str, Callable[[LiveStation], float]]] = {
            "shop_in_use": ("servers at work", lambda s: s.in_use),
            "shop_capacity": ("servers", lambda s: s.servers),
            "shop_queue": ("requests waiting", lambda s: s.queued),
            "shop_in_flight": ("attempts not ended", lambda s: s.in_flight),
        }
        for name, (meaning, read) in gauges.items():
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
        busy = CounterMetricFamily("shop_busy_seconds", "server-seconds", labels=["service"])
        queued = CounterMetricFamily("shop_queue_seconds", "waiting-seconds", labels=["service"])
        looked = CounterMetricFamily(
            "shop_cache_lookups", "answers callers looked for in the cache", labels=["service"]
        )
        found = CounterMetricFamily("shop_cache_hits", "and found there", labels=["service"])
        again = CounterMetricFamily(
            "shop_repeats", "attempts at what had been asked before", labels=["service"]
        )
        ended = CounterMetricFamily(
            "shop_attempts", "attempts by how they ended", labels=["service", "outcome"]
        )
        for service, station in stations.items():
            busy.add_metric([service], station.busy_s)
            queued.add_metric([service], station.queue_s)
            looked.add_metric([service], station.lookups)
            found.add_metric([service], station.hits)
            again.add_metric([service], station.repeats)
            for outcome in OUTCOMES:
                ended.add_metric([service, outcome], station.counts[outcome])
        yield from (busy, queued, looked, found, again, ended)


def _cumulative(station: LiveStation) -> list[tuple[str, float]]:
    total, out = 0, []
    for bound, count in zip((*map(str, BUCKETS_S), "+Inf"), station.buckets, strict=True):
        total += count
        out.append((bound, float(total)))
    return out


def exposition(services: LiveServices) -> bytes:
    """Return every station's numbers as Prometheus text."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Stations(services))
    return bytes(generate_latest(registry))
