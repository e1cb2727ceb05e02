"""Counts a minute from a Prometheus server: one PromQL range query a series, several at a time."""

from __future__ import annotations

import math
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np

from gameday.errors import HistoryError
from gameday.history.http_api import ApiServer, NotAnswered
from gameday.vocabulary import Array

__all__ = ["minutes_from_prometheus"]

Sample = tuple[float, str]
"""Instant since 1970, s, and the value as text: JSON has no NaN."""

_STEP_S = 60
_LEAST_POINTS = 30
"""So many minutes that only grow are a counter's: in independent counts one such run in 10^32 is chance. Ours."""
_AT_ONCE = 4
"""Questions at one time. Ours: a server takes twenty by default, and has others to answer."""
_MOST_POINTS = 10_000
"""Prometheus answers at most 11,000 points a series; longer stretches are asked for in parts."""


@dataclass(frozen=True, slots=True)
class _Series:
    """One series of an answer."""

    labels: dict[str, str]
    samples: list[Sample]


@dataclass(frozen=True, slots=True)
class _Query:
    """A range query, https://prometheus.io/docs/prometheus/latest/querying/api/#range-queries."""

    server: ApiServer
    promql: str

    def __str__(self) -> str:
        return f"{self.server.url}: {self.promql}"

    def ask(self, first_s: int, last_s: int) -> list[_Series]:
        """Return samples a minute apart, from `first_s` to `last_s` since 1970, both included.

        HistoryError where the server does not answer, or with something else.
        """
        fields = {"query": self.promql, "start": first_s, "end": last_s, "step": _STEP_S}
        try:
            answer = self.server.ask("/api/v1/query_range", fields)
        except NotAnswered as error:
            raise HistoryError(f"{self.promql}: asked of {error}") from None
        self._require_whole(answer)
        try:
            result = answer["data"]["result"]
            return [_Series(series.get("metric", {}), series["values"]) for series in result]
        except (KeyError, TypeError, AttributeError):
            raise HistoryError(f"{self}: must tell series over time") from None

    def _require_whole(self, answer: Any) -> None:
        """Raise HistoryError where the server says that it tells only a part, or warns of what it tells."""
        if not isinstance(answer, dict):
            return
        warnings = answer.get("warnings") or ()
        if warnings or answer.get("isPartial"):
            said = "; ".join(map(str, warnings)) or "isPartial"
            raise HistoryError(
                f"{self}: the server warns that its answer may not be whole: {said}; ask again when it is, or ask "
                "another server"
            )


def minutes_from_prometheus(
    server: ApiServer, queries: Mapping[str, str], first_min: int, last_min: int
) -> dict[str, Array]:
    """Return name -> counts of the minutes from `first_min` up to, not including, `last_min` since 1970.

    NaN: no sample. `queries`: name -> PromQL that tells the count of the minute that ends at each instant, as
    `sum(increase(orders_total[1m]))`; several series in an answer are added up. A minute in which one of them is
    no count (NaN, or below 0, as where a counter began anew) is not known. HistoryError where the server does not
    answer, nothing is usable, series of several regions or steps would be added up, or numbers are a counter's.
    """
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        asked = {
            name: pool.submit(_minutes, _Query(server, promql), first_min, last_min)
            for name, promql in queries.items()
        }
        return {name: future.result() for name, future in asked.items()}


def _minutes(query: _Query, first_min: int, last_min: int) -> Array:
    """Return the counts of one query."""
    out = np.full(max(0, last_min - first_min), np.nan)
    is_wrong = np.zeros(len(out), bool)
    for begin in range(first_min, last_min, _MOST_POINTS):
        end = min(last_min, begin + _MOST_POINTS)
        answer = query.ask(60 * (begin + 1), 60 * end)
        _require_one_label(answer, query)
        for series in answer:
            _add(out, is_wrong, series.samples, first_min)
    out[is_wrong] = np.nan
    _require_counts(out, query)
    return out


def _require_one_label(answer: list[_Series], query: _Query) -> None:
    """Raise HistoryError where a label says that series of several regions or steps would be added up."""
    for label in ("region", "step", "team"):
        if len(found := sorted({series.labels.get(label, "") for series in answer})) > 1:
            raise HistoryError(
                f"{query}: answers series of several {label}s ({', '.join(found[:5])}), which are not one count: "
                f'ask for one, as {label}="${label}", or sum over them'
            )


def _require_counts(counts: Array, query: _Query) -> None:
    """Raise HistoryError where numbers only grow: they are a counter's own, not what came in each minute."""
    known = counts[~np.isnan(counts)]
    rises = np.diff(known)
    if len(known) >= _LEAST_POINTS and (rises >= 0).all() and (rises > 0).mean() > 0.5:
        raise HistoryError(
            f"{query}: its {len(known)} minutes only grow, as a counter does ({known[0]:g} to {known[-1]:g}); "
            "write what each minute adds: sum(increase(NAME[1m]))"
        )


def _add(out: Array, is_wrong: Array, samples: list[Sample], first_min: int) -> None:
    """Add one series to `out`; where it has no count, mark the minute in `is_wrong`."""
    for instant, text in samples:
        slot, value = round(float(instant) / 60) - 1 - first_min, float(text)
        if not 0 <= slot < len(out):
            continue
        if math.isfinite(value) and value >= 0:
            out[slot] = value if np.isnan(out[slot]) else out[slot] + value
        else:
            is_wrong[slot] = True
