"""Many machines: replications run on a dask cluster, through joblib."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

import joblib

from gameday.errors import PreflightFailed, UsageError

__all__ = ["on_cluster"]

_CONNECT_S = 10.0
_ADDRESS = re.compile(r"[a-z+]+://[^/:]+(:\d+)?/?|[a-z+]+://\[[0-9a-f:]+\](:\d+)?/?")


@contextmanager
def on_cluster(address: str | None) -> Iterator[None]:
    """Let what is simulated inside run on the dask scheduler at `address`; None: on this machine.

    The cluster's machines need gameday and the same versions. UsageError without the extra `dask`,
    PreflightFailed where no scheduler answers.
    """
    if address is None:
        yield
        return
    try:
        from distributed import Client
    except ImportError:
        raise UsageError("--cluster needs dask: pip install 'gameday[dask]'") from None
    if not _ADDRESS.fullmatch(address):
        raise UsageError(f"--cluster: must read tcp://HOST:8786 (got '{address}')")
    try:
        client = Client(address, timeout=_CONNECT_S)
    except ValueError as error:
        raise UsageError(
            f"--cluster: must read tcp://HOST:8786 (got '{address}': {error})"
        ) from None
    except OSError as error:
        raise PreflightFailed(
            f"--cluster: no dask scheduler answers at {address} ({error}); start one with `dask scheduler`"
        ) from None
    with client, joblib.parallel_config(backend="dask"):
        yield
