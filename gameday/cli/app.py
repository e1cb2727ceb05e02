"""The command: its verbs, and the one place where an error becomes an exit code."""

from __future__ import annotations

import os
import signal
import sys
import traceback

import typer

from gameday.cli import capacity, forecast, inspect, plan, replay, runs, serve, simulate
from gameday.errors import GamedayError

__all__ = ["app", "main"]

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
"""Our matrices are small: more threads fight over the cores (a plan took 2.6 s, now 0.7 s)."""

app = typer.Typer(
    name="gameday", no_args_is_help=True, add_completion=True, rich_markup_mode=None,
    pretty_exceptions_enable=False, context_settings={"help_option_names": ["-h", "--help"]},
    help="""Rehearse a peak event, end to end.

    \b
    gameday replay --event primeday     the main job: forecast, model, swarm, findings, requests

    \b
    Exit codes, worst wins: 0 pass, 1 an objective missed, 2 usage or scenario wrong,
    3 stopped by a guardrail, 4 stopped by a person or signal, 5 pre-flight failed (nothing sent),
    6 refused for safety, 7 invalid result, 8 clean-up failed, 9 internal error.
    """,
)  # fmt: skip

for module in (replay, forecast, plan, simulate, capacity, runs, serve, inspect):
    module.add_to(app)


_INTERRUPTED = 130
"""What typer makes of Ctrl-C."""


def main() -> None:
    """Run the command and leave with its exit code; SIGTERM stops it as Ctrl-C does."""
    stopped_by = ["Ctrl-C"]

    def terminated(*_: object) -> None:
        stopped_by[0] = "SIGTERM"
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, terminated)
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
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 141  # as a shell says of SIGPIPE; never a pass
    except Exception as error:  # the program's own fault: say so, with the trace, never in silence
        code = _INTERRUPTED if _came_of_stopping(error) else _unforeseen(error)
    if code == _INTERRUPTED:
        sys.stderr.write(f"stopped by {stopped_by[0]}\n")
        code = 4
    sys.exit(code or 0)


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
