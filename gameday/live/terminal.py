"""Progress of a run: one line a phase, the running one alive on a terminal, plain elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress import BarColumn, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bar

from gameday.live.board import board_of, line_of
from gameday.swarm import Progress

__all__ = ["Show"]

_PLAIN_EVERY_S = 10.0


class Show:
    """Shows phases on standard error; silent when `quiet`."""

    def __init__(self, *, quiet: bool = False) -> None:
        self.console = Console(stderr=True, quiet=quiet, highlight=False)
        self.alive = self.console.is_terminal and not quiet
        self._detail = ""
        self._printed_s = 0.0
        self._bar: Bar | None = None
        self._board: RenderableType = ""

    @contextmanager
    def phase(self, name: str, total: float | None = None) -> Iterator[None]:
        """Show `name` while it goes on, with its time and last detail when it is over."""
        began_s, self._detail, self._board = time.monotonic(), "", ""
        if self.alive:
            self._bar = _new_bar()
            self._task = self._bar.add_task(name, total=total, detail="")
            with Live(get_renderable=self._drawn, console=self.console, transient=True):
                yield
            self._bar = None
        else:
            self.console.print(f"{name} ...", markup=False)
            yield
        took_s = time.monotonic() - began_s
        self.console.print(
            f"  {name:<34} {took_s:6.1f} s  {self._detail}", soft_wrap=True, markup=False
        )
        sys.stderr.flush()

    def _drawn(self) -> RenderableType:
        return Group(self._bar or "", self._board)

    def say(self, line: str) -> None:
        """Print a line that stays."""
        self.console.print(line, soft_wrap=True, markup=False)

    def update(self, detail: str, done: float | None = None) -> None:
        """Show where the running phase is."""
        self._detail = detail
        if self._bar is not None:
            self._bar.update(self._task, detail=detail, completed=done)
        elif time.monotonic() - self._printed_s > _PLAIN_EVERY_S:
            self._printed_s = time.monotonic()
            self.console.print(f"    {detail}", soft_wrap=True, markup=False)

    def watch(self, progress: Progress, done: float) -> None:
        """Show a run that plays: the board on a terminal, a line now and then elsewhere."""
        if self.alive:
            self._board = board_of(progress)
        self.update(line_of(progress), done)


def _new_bar() -> Bar:
    """Return the line of a phase that goes on: its name, how far it is, its time and last detail."""
    return Bar(
        SpinnerColumn(),
        TextColumn("{task.description:<34}"),
        BarColumn(bar_width=30),
        TimeElapsedColumn(),
        TextColumn("{task.fields[detail]}", markup=False),
    )
