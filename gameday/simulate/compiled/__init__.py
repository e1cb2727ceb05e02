"""The compiled engine: the reference's rules over flat tables, some hundred times as fast.

Read `kernel.py` first: the loop and the table of events. `layout.py` describes the memory, `customers.py`,
`callers.py`, `stations.py` and `pools.py` hold the rules under the reference's names, `event_queue.py` the
order of events, `draws.py` random numbers. The machine code is kept on disk under a hash of all sources
that went into it: an edited helper is never served from a stale one.
"""

from typing import TYPE_CHECKING

import numba

from gameday.doors import opening
from gameday.simulate.machine_code import kept_folder

if TYPE_CHECKING:
    from gameday.simulate.compiled.engine import run_compiled
    from gameday.simulate.compiled.single_queue import SingleQueueRun, run_single_queue

numba.config.CACHE_DIR = str(kept_folder())  # before any kernel of this folder is declared

__all__ = ["SingleQueueRun", "run_compiled", "run_single_queue"]

if not TYPE_CHECKING:
    __getattr__ = opening(
        __name__,
        {
            "SingleQueueRun": "single_queue",
            "run_compiled": "engine",
            "run_single_queue": "single_queue",
        },
    )
