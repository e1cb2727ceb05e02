"""One run of the swarm: its processes, master and workers, who may join, what watches over it."""

from typing import TYPE_CHECKING

from gameday.doors import opening

if TYPE_CHECKING:
    from gameday.swarm.control.forget import forget_killed, forget_run_spec
    from gameday.swarm.control.keys import (
        KEY_FILE_VARIABLE,
        KEY_VARIABLE,
        Listen,
        given_key,
        made_key,
    )
    from gameday.swarm.control.processes import check_listen, worker_command

__all__ = [
    "KEY_FILE_VARIABLE",
    "KEY_VARIABLE",
    "Listen",
    "check_listen",
    "forget_run_spec",
    "forget_killed",
    "given_key",
    "made_key",
    "worker_command",
]

if not TYPE_CHECKING:
    __getattr__ = opening(
        __name__,
        {
            "KEY_FILE_VARIABLE": "keys",
            "KEY_VARIABLE": "keys",
            "Listen": "keys",
            "check_listen": "processes",
            "forget_run_spec": "forget",
            "forget_killed": "forget",
            "given_key": "keys",
            "made_key": "keys",
            "worker_command": "processes",
        },
    )
