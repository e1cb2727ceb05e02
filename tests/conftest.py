"""For all tests: one BLAS thread, as the command itself sets; machine code made once for all of them."""

import os

from gameday.files import cache_folder

os.environ.setdefault("NUMBA_CACHE_DIR", str(cache_folder()))
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
