"""One replication of one stack, reduced to numbers: what every answer of the model is made of."""

from typing import TYPE_CHECKING

from gameday.doors import opening

if TYPE_CHECKING:
    from gameday.experiments.replications.replication import (
        NOBODY,
        QUANTITIES,
        SPANS,
        UNITS,
        Look,
        Replication,
        Replications,
        first_run,
        peak_hour,
    )

__all__ = [
    "Look",
    "NOBODY",
    "QUANTITIES",
    "Replication",
    "Replications",
    "SPANS",
    "UNITS",
    "first_run",
    "peak_hour",
]

if not TYPE_CHECKING:
    __getattr__ = opening(
        __name__,
        {
            "Look": "replication",
            "NOBODY": "replication",
            "QUANTITIES": "replication",
            "Replication": "replication",
            "Replications": "replication",
            "SPANS": "replication",
            "UNITS": "replication",
            "first_run": "replication",
            "peak_hour": "replication",
        },
    )
