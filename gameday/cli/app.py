"""The command: its verbs, and the one place where an error becomes an exit code."""

from __future__ import annotations

import os
import signal
import sys
import threading
import traceback

import typer

from gameday.cli import (
    capacity,
    forecast,
    history,
    identity,
    learning,
    lives,
    loop,
    plan,
    replay,
    runs,
    scaffold,
    serve,
    simulate,
)
from gameday.cli.streams import flushed, guard_streams
from gameday.errors import GamedayError
from gameday.files import remove_scratch

__all__ = ["app", "main"]

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
"""Our matrices are small: more threads fight over the cores (a plan took 2.6 s, now 0.7 s)."""

app = typer.Typer(
    name="gameday",
    no_args_is_help=True,
    add_completion=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="""Rehearse a peak event, end to end.

    \b
    gameday replay --event primeday     the main job: forecast, model, swarm, findings, requests

    \b
    Exit codes, worst wins: 0 pass, 1 an objective missed, 2 usage or scenario wrong,
    3 stopped by a guardrail, 4 stopped by a person or signal, 5 pre-flight failed (nothing sent),
    6 refused for safety, 7 invalid result, 8 clean-up failed, 9 the embedded shop was lost, output
    was lost, or an internal error, 10 nothing missed, but not all is known or borne (WARN).
    """,
)

for module in (
    replay,
    loop,
    history,
    forecast,
    plan,
    simulate,
    learning,
    capacity,
    identity,
    lives,
    runs,
    serve,
    scaffold,
):
    module.add_to(app)


_ENDS_WITHIN_S = 4.0
_INTERRUPTED = 130
"""What typer makes of Ctrl-C."""


def main() -> None:
    """Run the command and leave with its exit code."""
    guard_streams()
    stopped_by = _listen_for_signals()
    try:
        code = app(standalone_mode=False)
    except GamedayError as error:
        sys.stderr.write(f"{error}\n")
        code = error.exit_code
    except typer.Exit as leave:
        code = leave.exit_code
    except typer.Abort:
        code = 4
    except KeyboardInterrupt:
        code = _INTERRUPTED
    except Exception as error:  # the program's own fault: say so, with the trace, never in silence
        code = _INTERRUPTED if _came_of_stopping(error) else _unforeseen(error)
    if code == _INTERRUPTED:
        sys.stderr.write(f"stopped by {stopped_by[0] if stopped_by else 'Ctrl-C'}\n")
        code = 4
    sys.exit(flushed(code or 0))


def _listen_for_signals() -> list[str]:
    """Let Ctrl-C and SIGTERM end what runs, within _ENDS_WITHIN_S; return where they leave their name.

    A library that is interrupted while it waits for its own processes may wait for ever.
    """
    stopped_by = list[str]()

    def stop(number: int, _: object) -> None:
        stopped_by.append({signal.SIGINT: "Ctrl-C"}.get(signal.Signals(number), "SIGTERM"))
        last = threading.Timer(_ENDS_WITHIN_S, _leave, stopped_by[:1])
        last.daemon = True
        last.start()
        raise KeyboardInterrupt

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, stop)
    return stopped_by


def _leave(stopped_by: str) -> None:
    sys.stderr.write(f"stopped by {stopped_by}\n")
    sys.stderr.flush()
    remove_scratch()
    os._exit(4)


def _came_of_stopping(error: BaseException | None) -> bool:
    """Return whether a library fell over because it was interrupted while it began or ended."""
    while error is not None and not isinstance(error, KeyboardInterrupt):
        error = error.__context__
    return error is not None


def _unforeseen(error: Exception) -> int:
    """Return 2 for what typer calls wrong usage, else 9 after printing the trace."""
    if hasattr(error, "format_message") and hasattr(error, "exit_code"):
        context = getattr(error, "ctx", None)
        usage = f"{context.get_usage()}\n" if context is not None else ""
        sys.stderr.write(f"{usage}Error: {error.format_message()}\n")
        return 2
    traceback.print_exc()
    sys.stderr.write("internal error: please report this trace\n")
    return 9
