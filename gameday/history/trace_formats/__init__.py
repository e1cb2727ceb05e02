"""Formats and sources of traces: OpenTelemetry, Jaeger, Zipkin; files, folders, and servers' query APIs.

Job: what a file or a server has becomes spans, in the order of their time.
In: paths, addresses. Out: batches of `Span`; what could not be read is counted.
Never: knows what spans mean together.
"""

from typing import TYPE_CHECKING

from gameday.doors import opening

if TYPE_CHECKING:
    from gameday.history.trace_formats.query_apis import Asked, batches_of_server
    from gameday.history.trace_formats.span import (
        CLIENT,
        CONSUMER,
        INTERNAL,
        PRODUCER,
        SERVER,
        UNNAMED,
        Span,
    )
    from gameday.history.trace_formats.trace_files import FilesRead, batches_of_files, files_of

__all__ = [
    "CLIENT",
    "CONSUMER",
    "INTERNAL",
    "PRODUCER",
    "SERVER",
    "UNNAMED",
    "Asked",
    "FilesRead",
    "Span",
    "batches_of_files",
    "batches_of_server",
    "files_of",
]

if not TYPE_CHECKING:
    __getattr__ = opening(
        __name__,
        {
            "CLIENT": "span",
            "CONSUMER": "span",
            "INTERNAL": "span",
            "PRODUCER": "span",
            "SERVER": "span",
            "UNNAMED": "span",
            "Asked": "query_apis",
            "FilesRead": "trace_files",
            "Span": "span",
            "batches_of_files": "trace_files",
            "batches_of_server": "query_apis",
            "files_of": "trace_files",
        },
    )
