"""Counts a minute from a Prometheus server: one PromQL range query a series."""

from __future__ import annotations

import http.client
import json
import math
from urllib.error import URLError
from urllib.parse import urlencode
from urllib.request import urlopen

import numpy as np

from gameday.errors import HistoryError
from gameday.vocabulary import Array

__all__ = ["minutes_from_prometheus"]

_TIMEOUT_S = 10.0
_STEP_S = 60
_MOST_POINTS = 10_000
"""Prometheus answers at most 11,000 points a series; longer stretches are asked for in parts."""


def minutes_from_prometheus(url: str, query: str, first_min: int, last_min: int) -> Array:
    """Return counts of the minutes from `first_min` up to, not including, `last_min` since 1970; NaN = no sample.

    `query` must tell the count of the minute that ends at each instant, as `sum(increase(orders_total[1m]))`;
    several series in an answer are added up. HistoryError where the server does not answer, or nothing usable.
    """
    out = np.full(max(0, last_min - first_min), np.nan)
    for begin in range(first_min, last_min, _MOST_POINTS):
        end = min(last_min, begin + _MOST_POINTS)
        asked = {
            "query": query, "start": 60 * (begin + 1), "end": 60 * end, "step": _STEP_S,
        }  # fmt: skip
        for series in _answer(url, asked):
            _add(out, series["values"], first_min)
    return out


def _answer(url: str, asked: dict[str, object]) -> list[dict[str, list[list[float | str]]]]:
    address = f"{url.rstrip('/')}/api/v1/query_range?{urlencode(asked)}"
    if not address.startswith(("http://", "https://")):
        raise HistoryError(
            f"{url}: must be a Prometheus server's address, as http://127.0.0.1:9090"
        )
    try:
        with urlopen(address, timeout=_TIMEOUT_S) as response:
            result = json.load(response)["data"]["result"]
    except URLError as error:
        said = getattr(error, "read", lambda: b"")().decode("utf-8", "replace")[:300]
        raise HistoryError(f"{url}: {asked['query']}: {error.reason} {said}".rstrip()) from None
    except (OSError, ValueError, KeyError, TypeError, http.client.HTTPException) as error:
        raise HistoryError(
            f"{url}: {asked['query']}: no answer of a Prometheus server ({error})"
        ) from None
    if not isinstance(result, list) or any("values" not in one for one in result):
        raise HistoryError(f"{url}: {asked['query']}: must tell series over time")
    return result


def _add(out: Array, values: list[list[float | str]], first_min: int) -> None:
    for at, text in values:
        slot, value = round(float(at) / 60) - 1 - first_min, float(text)
        if 0 <= slot < len(out) and math.isfinite(value):
            out[slot] = value if np.isnan(out[slot]) else out[slot] + value
