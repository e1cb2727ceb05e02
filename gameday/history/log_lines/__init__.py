"""Lines of access logs, in any layout: detected, or as a server's own format string says.

Job: a line of text becomes a request: when, who, what, how it was answered, how long it took.
In: first lines of a file, what a person says of them (`Hints`).
Out: `Layout`, which reads lines; `ClientChoice`, which tells who came.
Never: knows which request is a step.
"""

from typing import TYPE_CHECKING

from gameday.doors import opening

if TYPE_CHECKING:
    from gameday.history.log_lines.clients import ClientChoice, choose_client
    from gameday.history.log_lines.columns import Hints
    from gameday.history.log_lines.detection import Layout, layout_of
    from gameday.history.log_lines.format_strings import NAMED_FORMATS
    from gameday.history.log_lines.request_lines import RequestLine

__all__ = [
    "ClientChoice",
    "Hints",
    "Layout",
    "NAMED_FORMATS",
    "RequestLine",
    "choose_client",
    "layout_of",
]

if not TYPE_CHECKING:
    __getattr__ = opening(
        __name__,
        {
            "ClientChoice": "clients",
            "Hints": "columns",
            "Layout": "detection",
            "NAMED_FORMATS": "format_strings",
            "RequestLine": "request_lines",
            "choose_client": "clients",
            "layout_of": "detection",
        },
    )
