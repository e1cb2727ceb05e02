"""Laws of service time as the compiled engine's numbers: one line a law."""

from __future__ import annotations

from gameday.scenario.service_times import (
    Empirical,
    Erlang,
    Exponential,
    Gamma,
    LogNormal,
    Pareto,
    ServiceTime,
    gamma_rows,
)
from gameday.simulate.compiled.layout import LAWS

__all__ = ["law_of"]


def law_of(time: ServiceTime) -> tuple[tuple[float, float, float], int, list[float]]:
    """Return a law's numbers, its place in LAWS, and its table."""
    numbers, rows, name = (time.mean, 0.0, 0.0), list[float](), "deterministic"
    if isinstance(time, Exponential):
        name = "exponential"
    elif isinstance(time, LogNormal):
        name, numbers = "lognormal", (time.mean, time.sigma, 0.0)
    elif isinstance(time, Gamma | Erlang):
        name, rows = "gamma", list(gamma_rows(time.shape))
    elif isinstance(time, Pareto):
        name, numbers = "pareto", (time.min, time.share, time.alpha)
    elif isinstance(time, Empirical):
        name, rows = "empirical", [number for row in time.rows for number in row]
    return numbers, LAWS.index(name), rows
