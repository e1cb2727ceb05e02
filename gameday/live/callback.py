"""Progress as lines, told to a function: for who imports the jobs and has no terminal."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from gameday.live.terminal import Show

__all__ = ["show_to"]


class _Lines(Show):
    """Tells each phase, and what is said within it, to a function."""

    def __init__(self, tell: Callable[[str], None]) -> None:
        super().__init__(quiet=True)
        self._tell, self._phase = tell, ""

    @contextmanager
    def phase(self, name: str, total: float | None = None) -> Iterator[None]:
        """Tell that a phase begins."""
        self._phase = name
        self._tell(name)
        yield

    def say(self, line: str) -> None:
        """Tell a line."""
        self._tell(line)

    def update(self, detail: str, done: float | None = None) -> None:
        """Tell how far the phase is."""
        self._tell(f"{self._phase}: {detail}")


def show_to(tell: Callable[[str], None] | None) -> Show:
    """Return what tells progress to a function, line by line; silent where there is none."""
    return Show(quiet=True) if tell is None else _Lines(tell)
