"""Chance and service times for the kernels: `vocabulary.draw` and the laws, bit for bit."""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from gameday.scenario.service_times import normal_quantile

__all__ = ["bin_of", "keyed", "seconds_of", "session_key"]

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_FIRST, _SECOND = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)
_S30, _S27, _S31, _S12, _ONE = (np.uint64(n) for n in (30, 27, 31, 12, 1))

_normal = njit(normal_quantile)


@njit
def _mix(x):
    x = (x ^ (x >> _S30)) * _FIRST
    x = (x ^ (x >> _S27)) * _SECOND
    return x ^ (x >> _S31)


@njit
def session_key(root, session):
    """As `vocabulary.session_key`."""
    return _mix(np.uint64(root) + _GOLDEN * (np.uint64(session) + _ONE))


@njit
def keyed(key, step, attempt, purpose):
    """As `vocabulary.draw_keyed`."""
    place = np.uint64((step << 20) + (attempt << 4) + purpose + 1)
    x = _mix(key + _GOLDEN * place)
    return (np.float64(x >> _S12) + 0.5) * 2.0**-52


@njit
def seconds_of(visit, uniform):
    """As `ServiceTime.seconds` of a visit's law."""
    if visit.law == 1.0:
        return -math.log1p(-uniform) * visit.mean_s
    if visit.law == 2.0:
        return visit.mean_s * math.exp(visit.sigma * _normal(uniform) - visit.half_variance)
    return visit.mean_s


_FLOOR_S = 1e-4
_WIDTH = math.log(1.01)


@njit
def bin_of(seconds, bins):
    """As `run_record.bin_of`."""
    place = int(math.log(max(seconds, _FLOOR_S) / _FLOOR_S) / _WIDTH)
    return min(place, bins - 1)
