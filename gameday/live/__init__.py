"""The room that shows a run while it goes on.

Job:   show phases and progress: on a terminal, as plain lines, on a page.
In:    phases and numbers as they come.    Out: text on standard error, HTML on loopback.
Never: decide, store, print the result (that is the command's).
"""

from typing import TYPE_CHECKING

from gameday.doors import opening

if TYPE_CHECKING:
    from gameday.live.callback import show_to
    from gameday.live.terminal import Show
    from gameday.live.web import serve_page

__all__ = [
    "Show",
    "serve_page",
    "show_to",
]

if not TYPE_CHECKING:
    __getattr__ = opening(
        __name__,
        {
            "Show": "terminal",
            "serve_page": "web",
            "show_to": "callback",
        },
    )
