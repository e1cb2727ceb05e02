"""The room with the door: arguments in, exit code out.

Job:   parse a command, call the rooms, print what they say, end with the right code.
In:    argv.    Out: text or JSON, an exit code.
Never: compute; be imported by a room. The only print, the only `except GamedayError`.
"""

from typing import TYPE_CHECKING

from gameday.doors import opening

if TYPE_CHECKING:
    from gameday.cli.app import main

__all__ = ["main"]

if not TYPE_CHECKING:
    __getattr__ = opening(__name__, {"main": "app"})
