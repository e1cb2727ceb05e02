"""Queues that have an answer on paper: they size services and check the engines.

`offered` is everywhere the offered load in erlangs: arrival rate x mean service time.
"""

from typing import TYPE_CHECKING

from gameday.doors import opening

if TYPE_CHECKING:
    from gameday.queueing.closed_forms.bounded import bounded_queue
    from gameday.queueing.closed_forms.erlang import (
        erlang_b,
        erlang_c,
        mean_wait_s,
        mixed_moments,
        servers_for,
        wait_quantile_s,
    )
    from gameday.queueing.closed_forms.impatient import impatient_queue

__all__ = [
    "bounded_queue",
    "erlang_b",
    "erlang_c",
    "impatient_queue",
    "mean_wait_s",
    "mixed_moments",
    "servers_for",
    "wait_quantile_s",
]

if not TYPE_CHECKING:
    __getattr__ = opening(
        __name__,
        {
            "bounded_queue": "bounded",
            "erlang_b": "erlang",
            "erlang_c": "erlang",
            "impatient_queue": "impatient",
            "mean_wait_s": "erlang",
            "mixed_moments": "erlang",
            "servers_for": "erlang",
            "wait_quantile_s": "erlang",
        },
    )
