"""Traces of OpenTelemetry, Jaeger, Tempo and Zipkin: what they tell of a system's services.

Job: spans become visits, visits the call graph of each kind of request and the law of each service's own work.
In: files, folders or addresses of traces; which request is which step. Out: `TraceStructure`.
Never: guesses what traces cannot tell (servers, queues, pools).
"""

from typing import TYPE_CHECKING

from gameday.doors import opening

if TYPE_CHECKING:
    from gameday.history.traces.laws import written_duration
    from gameday.history.traces.source import TraceSource, read_traces
    from gameday.history.traces.structure import (
        CallEdge,
        CallSeen,
        FittedLaw,
        RequestGraph,
        ServiceSeen,
        TraceCounts,
        TraceStructure,
    )

__all__ = [
    "CallEdge",
    "CallSeen",
    "FittedLaw",
    "RequestGraph",
    "ServiceSeen",
    "TraceCounts",
    "TraceSource",
    "TraceStructure",
    "read_traces",
    "written_duration",
]

if not TYPE_CHECKING:
    __getattr__ = opening(
        __name__,
        {
            "CallEdge": "structure",
            "CallSeen": "structure",
            "FittedLaw": "structure",
            "RequestGraph": "structure",
            "ServiceSeen": "structure",
            "TraceCounts": "structure",
            "TraceSource": "source",
            "TraceStructure": "structure",
            "read_traces": "source",
            "written_duration": "laws",
        },
    )
