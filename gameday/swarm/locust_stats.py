"""Our samples in Locust's own tables, in batches: its page, CSV, HTML and exit codes stay right."""

from __future__ import annotations

import time

import numpy as np
from locust.stats import RequestStats, StatsEntry, StatsError, bucket_response_time

from gameday.swarm.script.prepared_steps import PreparedExchange
from gameday.vocabulary import Array

__all__ = ["merge", "merge_faults"]


def merge(stats: RequestStats, exchanges: dict[int, PreparedExchange], samples: Array) -> None:
    """Add exchanges to `stats`; samples as Tally.count returns them: number, due, done, bytes."""
    numbers = samples[:, 0].astype(int)
    for number in np.flatnonzero(np.bincount(numbers)).tolist():
        own, exchange = samples[numbers == number], exchanges[number]
        response_ms = 1000.0 * (own[:, 2] - own[:, 1])
        buckets = _bucketed(response_ms)
        for entry in (stats.get(exchange.step, exchange.method), stats.total):
            _add(entry, response_ms, int(own[:, 3].sum()), buckets)


def _bucketed(response_ms: Array) -> dict[int, int]:
    """Return counts by Locust's own rounding, asked once for each whole millisecond."""
    whole = np.rint(np.maximum(response_ms, 0.0)).astype(np.int64)
    counts = np.bincount(whole)
    out: dict[int, int] = {}
    for value in np.flatnonzero(counts).tolist():
        key = bucket_response_time(value)
        out[key] = out.get(key, 0) + int(counts[value])
    return out


def _add(entry: StatsEntry, response_ms: Array, size: int, buckets: dict[int, int]) -> None:
    """Add requests that end now, as StatsEntry.log does one by one."""
    now, count = time.time(), len(response_ms)
    second = int(now)
    if entry.use_response_times_cache and second > int(entry.last_request_timestamp or 0):
        entry._cache_response_times(second - 1)
    entry.num_requests += count
    entry.num_reqs_per_sec[second] += count
    entry.last_request_timestamp = now
    entry.total_content_length += size
    entry.total_response_time += float(response_ms.sum())
    least, most = float(response_ms.min()), float(response_ms.max())
    entry.min_response_time = min(least, entry.min_response_time or least)
    entry.max_response_time = max(most, entry.max_response_time)
    for key, n in buckets.items():
        entry.response_times[key] += n


def merge_faults(
    stats: RequestStats,
    exchanges: dict[int, PreparedExchange],
    faults: dict[tuple[int, str], int],
) -> None:
    """Add failed exchanges, (number, why) -> how often, to Locust's failures."""
    now = time.time()
    for (number, why), count in faults.items():
        step, method = exchanges[number].step, exchanges[number].method
        for entry in (stats.get(step, method), stats.total):
            entry.num_failures += count
            entry.num_fail_per_sec[int(now)] += count
        key = StatsError.create_key(method, step, why)
        error = stats.errors.setdefault(key, StatsError(method, step, why, first_seen=now))
        error.occurrences += count
        error.last_seen = now
