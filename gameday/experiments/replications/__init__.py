"""One replication of one stack, reduced to numbers: what every answer of the model is made of."""

from typing import TYPE_CHECKING

from gameday.doors import opening

if TYPE_CHECKING:
    from gameday.experiments.replications.replication import (
        QUANTITIES,
        SPANS,
        UNITS,
        Look,
        Replication,
        first_run,
        peak_hour,
    )

__all__ = [
    "Look",
    "QUANTITIES",
    "Replication",
    "SPANS",
    "UNITS",
    "first_run",
    "peak_hour",
]

__getattr__ = opening(
    __name__,
    {
        "Look": "replication",
        "QUANTITIES": "replication",
        "Replication": "replication",
        "SPANS": "replication",
        "UNITS": "replication",
        "first_run": "replication",
        "peak_hour": "replication",
    },
)
