"""The room with a window: what a person watches while a run goes on.

Job:   show phases and progress: on a terminal, as plain lines, on a page.
In:    phases and numbers as they come.    Out: text on standard error, HTML on loopback.
Never: decide, store, print the result (that is the command's).
"""

from gameday.live.terminal import Show

__all__ = ["Show"]
