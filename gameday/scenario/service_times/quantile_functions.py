"""Quantile functions for drawing by inverse transform: one uniform number in, one quantile out.

They use scalar `math` alone. The laws of service time call them and the compiled engine jits them, so that the
same uniform gives the same seconds in every engine, to the last bit.
"""

from __future__ import annotations

import math
from functools import cache
from itertools import pairwise

__all__ = [
    "GAMMA_ROWS",
    "between",
    "cubic",
    "exponential",
    "gamma_place",
    "gamma_rows",
    "lognormal",
    "normal_quantile",
    "pareto",
]


def exponential(uniform: float, mean: float) -> float:
    """Return the quantile of the exponential law."""
    return -math.log1p(-uniform) * mean


def lognormal(z: float, mean: float, sigma: float) -> float:
    """Return the log-normal quantile that belongs to the standard normal one `z`."""
    return mean * math.exp(sigma * z - sigma * sigma / 2)


def pareto(uniform: float, low: float, share: float, shape: float) -> float:
    """Return the quantile of a truncated Pareto law; `share`: the part of the whole law below the cut."""
    return low * math.exp(-math.log1p(-uniform * share) / shape)


def between(
    uniform: float, level: float, value: float, next_level: float, next_value: float
) -> float:
    """Return the quantile by linear interpolation between two known ones."""
    return value + (uniform - level) / (next_level - level) * (next_value - value)


_FIRST_Z, _PER_Z = -8.5, 32.0
GAMMA_ROWS = 545
"""Rows of a gamma law's table: z from -8.5 to 8.5, beyond the outermost uniform, near 8.2."""


def gamma_place(z: float) -> float:
    """Return the position of a normal quantile in the table, in rows; its fraction lies between two rows."""
    return (z - _FIRST_Z) * _PER_Z


def cubic(before: float, first: float, second: float, behind: float, part: float) -> float:
    """Return the cubic (Lagrange) interpolation through four rows, at `part` (0-1) from `first` to `second`."""
    a1 = second - before / 3 - first / 2 - behind / 6
    a2 = (before + second) / 2 - first
    a3 = (behind - before) / 6 + (first - second) / 2
    return ((a3 * part + a2) * part + a1) * part + first


@cache
def gamma_rows(shape: float) -> tuple[float, ...]:
    """Return log(gamma quantile / mean) at the z of every row.

    As a function of z it is smooth for every shape: cubic interpolation errs by less than 1e-6 of the quantile.
    Where the quantile underflows, the leading term u^(1/shape) of the lower tail stands in.
    """
    from scipy.special import gammainccinv, gammaincinv, gammaln, log_ndtr, ndtr

    rows = []
    for row in range(GAMMA_ROWS):
        z = _FIRST_Z + row / _PER_Z
        ratio = gammaincinv(shape, ndtr(z)) if z < 0 else gammainccinv(shape, ndtr(-z))
        leading = (log_ndtr(z) + gammaln(shape + 1)) / shape
        rows.append(float(math.log(ratio) if ratio > _TINY else leading) - math.log(shape))
    assert all(low < high for low, high in pairwise(rows))
    return tuple(rows)


_TINY = 1e-200


_MIDDLE = (
    (
        2509.0809287301226727,
        33430.575583588128105,
        67265.770927008700853,
        45921.953931549871457,
        13731.693765509461125,
        1971.5909503065514427,
        133.14166789178437745,
        3.387132872796366608,
    ),
    (
        5226.495278852545925,
        28729.085735721942674,
        39307.89580009271061,
        21213.794301586595867,
        5394.1960214247511077,
        687.1870074920579083,
        42.313330701600911252,
        1.0,
    ),
)
_NEAR = (
    (
        7.7454501427834140764e-4,
        0.0227238449892691845833,
        0.24178072517745061177,
        1.27045825245236838258,
        3.64784832476320460504,
        5.7694972214606914055,
        4.6303378461565452959,
        1.42343711074968357734,
    ),
    (
        1.05075007164441684324e-9,
        5.475938084995344946e-4,
        0.0151986665636164571966,
        0.14810397642748007459,
        0.68976733498510000455,
        1.6763848301838038494,
        2.05319162663775882187,
        1.0,
    ),
)
_FAR = (
    (
        2.01033439929228813265e-7,
        2.71155556874348757815e-5,
        0.0012426609473880784386,
        0.026532189526576123093,
        0.29656057182850489123,
        1.7848265399172913358,
        5.4637849111641143699,
        6.6579046435011037772,
    ),
    (
        2.04426310338993978564e-15,
        1.4215117583164458887e-7,
        1.8463183175100546818e-5,
        7.868691311456132591e-4,
        0.0148753612908506148525,
        0.13692988092273580531,
        0.59983220655588793769,
        1.0,
    ),
)
"""AS 241's rational functions, highest power first: above and below the line."""


def normal_quantile(p: float) -> float:
    """Return the standard normal quantile of p in (0, 1).

    Source: Wichura (1988), algorithm AS 241, PPND16; about 1e-16 relative.
    """
    q = p - 0.5
    middle = abs(q) <= 0.425
    if middle:
        r, tops, bottoms = 0.180625 - q * q, _MIDDLE[0], _MIDDLE[1]
    else:
        r = math.sqrt(-math.log(p if q < 0 else 1.0 - p))
        tops, bottoms = (_NEAR[0], _NEAR[1]) if r <= 5.0 else (_FAR[0], _FAR[1])
        r -= 1.6 if r <= 5.0 else 5.0
    top = bottom = 0.0
    for number in tops:
        top = top * r + number
    for number in bottoms:
        bottom = bottom * r + number
    if middle:
        return q * top / bottom
    return -top / bottom if q < 0 else top / bottom
