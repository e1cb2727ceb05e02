"""Chance and service times for the kernels: `vocabulary.draw` and the laws, bit for bit."""

from __future__ import annotations

import math

import numpy as np

from gameday.record import one_bin
from gameday.scenario import service_times as inverse
from gameday.simulate.compiled.inlined import inlined
from gameday.simulate.compiled.layout import LAWS
from gameday.simulate.compiled.tables_at import law_row, visit_at

__all__ = [
    "bin_of",
    "keyed",
    "numbered",
    "request_uniform",
    "seconds_of",
    "session_key",
    "uniform_of",
]

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_FIRST, _SECOND = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)
_S30, _S27, _S31, _S12, _ONE = (np.uint64(n) for n in (30, 27, 31, 12, 1))

_normal, _exponential = inlined(inverse.normal_quantile), inlined(inverse.exponential)
_lognormal, _pareto = inlined(inverse.lognormal), inlined(inverse.pareto)
_gamma_place, _cubic, _between = (
    inlined(inverse.gamma_place),
    inlined(inverse.cubic),
    inlined(inverse.between),
)
_, _EXPONENTIAL, _LOGNORMAL, _GAMMA, _PARETO, _EMPIRICAL = range(len(LAWS))


@inlined
def _mix(x):
    x = (x ^ (x >> _S30)) * _FIRST
    x = (x ^ (x >> _S27)) * _SECOND
    return x ^ (x >> _S31)


@inlined
def session_key(root, session):
    """As `vocabulary.session_key`."""
    return _mix(np.uint64(root) + _GOLDEN * (np.uint64(session) + _ONE))


@inlined
def keyed(key, step, attempt, purpose):
    """As `vocabulary.draw_keyed`."""
    place = np.uint64((step << 20) + (attempt << 4) + purpose + 1)
    x = _mix(key + _GOLDEN * place)
    return (np.float64(x >> _S12) + 0.5) * 2.0**-52


@inlined
def numbered(key, number):
    """Return the uniform number in (0, 1) of this number in a stream of one's own."""
    return (np.float64(_mix(key + _GOLDEN * np.uint64(number)) >> _S12) + 0.5) * 2.0**-52


@inlined
def request_uniform(spec, session, line, place, exchange, visit, number, purpose):
    """Return the uniform number of one request."""
    key = session_key(spec.root, session + (line << 32))
    part = visit_at(spec, visit).number + 64 * exchange + 2048 * number
    return keyed(key, place, part, purpose)


@inlined
def uniform_of(spec, call, number, purpose):
    """Return the uniform number of one request of a call."""
    return request_uniform(
        spec, call.session, call.line, call.place, call.exchange, call.visit, number, purpose
    )


@inlined
def seconds_of(spec, visit, uniform):
    """As `ServiceTime.seconds` of a visit's law."""
    if visit.law == _EXPONENTIAL:
        return _exponential(uniform, visit.mean_s)
    if visit.law == _LOGNORMAL:
        return _lognormal(_normal(uniform), visit.mean_s, visit.second)
    if visit.law == _GAMMA:
        return visit.mean_s * _gamma(spec, visit, uniform)
    if visit.law == _PARETO:
        return _pareto(uniform, visit.mean_s, visit.second, visit.third)
    if visit.law == _EMPIRICAL:
        return _empirical(spec, visit, uniform)
    return visit.mean_s


@inlined
def _gamma(spec, visit, uniform):
    place = _gamma_place(_normal(uniform))
    row = int(place)
    first = visit.row_from + row - 1
    return math.exp(
        _cubic(
            law_row(spec, first),
            law_row(spec, first + 1),
            law_row(spec, first + 2),
            law_row(spec, first + 3),
            place - row,
        )
    )


@inlined
def _empirical(spec, visit, uniform):
    """Rows are (level, seconds) in turn; the first level beyond the uniform ends its line."""
    row = visit.row_from + 2
    while row < visit.row_to - 2 and law_row(spec, row) <= uniform:
        row += 2
    return _between(
        uniform,
        law_row(spec, row - 2),
        law_row(spec, row - 1),
        law_row(spec, row),
        law_row(spec, row + 1),
    )


bin_of = inlined(one_bin)
