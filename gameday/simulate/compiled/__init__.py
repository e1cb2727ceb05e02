"""The compiled engine: the reference's rules over flat tables, some hundred times as fast.

Read `kernel.py` first: the loop and the table of events. `layout.py` is the map of the memory,
`customers.py` and `stations.py` hold the rules under the reference's names, `agenda.py` the order of
what happens, `draws.py` chance. What machine code was made is kept on disk under a hash of all
sources that went into it: an edited helper is never served from a stale one.
"""

import numba

from gameday.simulate.machine_code import kept_folder

numba.config.CACHE_DIR = str(kept_folder())

from gameday.simulate.compiled.engine import run_compiled  # noqa: E402
from gameday.simulate.compiled.single_queue import Alone, queue_alone  # noqa: E402

__all__ = ["Alone", "queue_alone", "run_compiled"]
