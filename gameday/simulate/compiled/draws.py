"""Random numbers and service times for the kernels: `vocabulary.draw` and the laws, bit for bit."""

from __future__ import annotations

import math

import numpy as np

from gameday.record import one_bin
from gameday.scenario.service_times import quantile_functions as quantiles
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

_normal, _exponential = inlined(quantiles.normal_quantile), inlined(quantiles.exponential)
_lognormal, _pareto = inlined(quantiles.lognormal), inlined(quantiles.pareto)
_gamma_place, _cubic, _between = (
    inlined(quantiles.gamma_place),
    inlined(quantiles.cubic),
    inlined(quantiles.between),
)
_, _EXPONENTIAL, _LOGNORMAL, _GAMMA, _PARETO, _EMPIRICAL = range(len(LAWS))


@inlined
def _mix(x):
    x = (x ^ (x >> _S30)) * _FIRST
    x = (x ^ (x >> _S27)) * _SECOND
    return x ^ (x >> _S31)


@inlined
def session_key(root, session):
    """Return the key of a session's draws, as `vocabulary.session_key`."""
    return _mix(np.uint64(root) + _GOLDEN * (np.uint64(session) + _ONE))


@inlined
def keyed(key, step, attempt, purpose):
    """Return a uniform number in (0, 1), as `vocabulary.draw_keyed`."""
    number = np.uint64((step << 20) + (attempt << 4) + purpose + 1)
    x = _mix(key + _GOLDEN * number)
    return (np.float64(x >> _S12) + 0.5) * 2.0**-52


@inlined
def numbered(key, number):
    """Return the uniform number in (0, 1) at position `number` of the stream of a key."""
    return (np.float64(_mix(key + _GOLDEN * np.uint64(number)) >> _S12) + 0.5) * 2.0**-52


@inlined
def request_uniform(spec, session, line, position, exchange, visit, number, purpose):
    """Return the uniform number in (0, 1) of one request, for a purpose."""
    key = session_key(spec.root, session + (line << 32))
    part = visit_at(spec, visit).number + 64 * exchange + 2048 * number
    return keyed(key, position, part, purpose)


@inlined
def uniform_of(spec, call, number, purpose):
    """Return the uniform number in (0, 1) of one request of a call, for a purpose."""
    return request_uniform(
        spec, call.session, call.line, call.position, call.exchange, call.visit, number, purpose
    )


@inlined
def seconds_of(spec, visit, uniform):
    """Return a visit's service time, s, as `ServiceTime.seconds` of its law."""
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
    position = _gamma_place(_normal(uniform))
    row = int(position)
    first = visit.row_from + row - 1
    return math.exp(
        _cubic(
            law_row(spec, first),
            law_row(spec, first + 1),
            law_row(spec, first + 2),
            law_row(spec, first + 3),
            position - row,
        )
    )


@inlined
def _empirical(spec, visit, uniform):
    """Return a quantile of an empirical law, s: its rows are (level, seconds), between them it is linear."""
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
