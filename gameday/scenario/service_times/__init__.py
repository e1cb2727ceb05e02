"""How long a service works on one visit: the laws a person may choose from, and their quantile functions."""

from typing import TYPE_CHECKING

from gameday.doors import opening

if TYPE_CHECKING:
    from gameday.scenario.service_times.laws import (
        Deterministic,
        Empirical,
        Erlang,
        Exponential,
        Gamma,
        LogNormal,
        Pareto,
        ServiceTime,
        with_mean_times,
    )
    from gameday.scenario.service_times.quantile_functions import (
        between,
        cubic,
        exponential,
        gamma_place,
        gamma_rows,
        lognormal,
        normal_quantile,
        pareto,
    )

__all__ = [
    "Deterministic",
    "Empirical",
    "Erlang",
    "Exponential",
    "Gamma",
    "LogNormal",
    "Pareto",
    "ServiceTime",
    "between",
    "cubic",
    "exponential",
    "gamma_place",
    "gamma_rows",
    "lognormal",
    "normal_quantile",
    "pareto",
    "with_mean_times",
]

if not TYPE_CHECKING:
    __getattr__ = opening(
        __name__,
        {
            "Deterministic": "laws",
            "Empirical": "laws",
            "Erlang": "laws",
            "Exponential": "laws",
            "Gamma": "laws",
            "LogNormal": "laws",
            "Pareto": "laws",
            "ServiceTime": "laws",
            "between": "quantile_functions",
            "cubic": "quantile_functions",
            "exponential": "quantile_functions",
            "gamma_place": "quantile_functions",
            "gamma_rows": "quantile_functions",
            "lognormal": "quantile_functions",
            "normal_quantile": "quantile_functions",
            "pareto": "quantile_functions",
            "with_mean_times": "laws",
        },
    )
