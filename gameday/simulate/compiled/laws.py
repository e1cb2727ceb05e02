"""Laws of service and think time as the compiled engine's numbers: one line a law."""

from __future__ import annotations

import numpy as np

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
from gameday.simulate.compiled.layout import LAWS, Row
from gameday.vocabulary import Array

__all__ = ["LawRows"]


class LawRows:
    """The table of numbers that laws are looked up in; each law has some rows of it, or none."""

    def __init__(self) -> None:
        self.numbers: list[float] = []

    def add(self, law: ServiceTime) -> Row:
        """Add a law's numbers to the table; return the fields of VISIT or PAUSE that describe it."""
        first = len(self.numbers)
        self.numbers += _numbers_of(law)
        return _parameters_of(law) | {"row_from": first, "row_to": len(self.numbers)}

    def array(self) -> Array:
        """Return the table, of one number at least."""
        return np.array(self.numbers or [0.0])


def _numbers_of(law: ServiceTime) -> list[float]:
    if isinstance(law, Gamma | Erlang):
        return list(gamma_rows(law.shape))
    if isinstance(law, Empirical):
        return [number for row in law.rows for number in row]
    return []


def _parameters_of(law: ServiceTime) -> Row:
    name, mean_s, second, third = "deterministic", law.mean, 0.0, 0.0
    if isinstance(law, Exponential):
        name = "exponential"
    elif isinstance(law, LogNormal):
        name, second = "lognormal", law.sigma
    elif isinstance(law, Gamma | Erlang):
        name = "gamma"
    elif isinstance(law, Pareto):
        name, mean_s, second, third = "pareto", law.min, law.share, law.alpha
    elif isinstance(law, Empirical):
        name = "empirical"
    return {"mean_s": mean_s, "second": second, "third": third, "law": LAWS.index(name)}
