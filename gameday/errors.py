"""The error tree. Rooms raise, `cli/` alone catches; each branch owns its exit code.

GamedayError                   9   an internal error: ours, please report
├── UsageError                 2   a flag or a command is wrong
│   ├── ScenarioError          2   the scenario is wrong (file:line:column, path, value, remedy)
│   └── HistoryError           2   the history file cannot be read as asked
├── StoppedByPerson            4   a person or a signal stopped the run
├── PreflightFailed            5   nothing was sent: the target or this machine is not ready
├── SafetyRefusal              6   refused: the target is not allowed
├── GeneratorFailed            7   the generator, not the target, failed: the result is invalid
├── ShopFailed                 9   the embedded shop, ours, died or fell silent: nothing was tested
├── CleanUpFailed              8   something we started could not be undone
└── OutputLost                 9   standard output is closed or full: what was to be printed is lost
"""

from __future__ import annotations

from typing import ClassVar

__all__ = [
    "CleanUpFailed",
    "GamedayError",
    "GeneratorFailed",
    "HistoryError",
    "OutputLost",
    "PreflightFailed",
    "SafetyRefusal",
    "ScenarioError",
    "ShopFailed",
    "StoppedByPerson",
    "UsageError",
]


class GamedayError(Exception):
    """Anything this program says it cannot do; `exit_code` is what the shell will see."""

    exit_code: ClassVar[int] = 9


class UsageError(GamedayError):
    """A flag, a name or a file given on the command line is wrong."""

    exit_code = 2


class ScenarioError(UsageError):
    """One or more faults in a scenario, one a line."""

    def __init__(self, faults: list[str]) -> None:
        super().__init__("\n".join(faults))
        self.faults = faults


class HistoryError(UsageError):
    """A history file that is missing, unreadable or not what the scenario says it is."""


class StoppedByPerson(GamedayError):
    """Ctrl-C, a signal, or `gameday stop`."""

    exit_code = 4


class PreflightFailed(GamedayError):
    """A check before the first request failed."""

    exit_code = 5


class SafetyRefusal(GamedayError):
    """The run would leave what is allowed."""

    exit_code = 6


class GeneratorFailed(GamedayError):
    """The load generator could not carry out its own plan."""

    exit_code = 7


class ShopFailed(GamedayError):
    """The embedded shop, which is ours, died or no longer answered: what it showed is no result."""

    exit_code = 9


class CleanUpFailed(GamedayError):
    """A process or a lock of ours could not be removed."""

    exit_code = 8


class OutputLost(GamedayError):
    """Standard output is closed, full or no longer read; a run's verdict stands all the same."""

    exit_code = 9
