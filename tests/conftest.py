"""For all tests: one BLAS thread, as the command itself sets (small matrices, few cores)."""

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
