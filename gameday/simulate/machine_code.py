"""The compiled engine's machine code: made once for each version, kept where we may write.

numba's own cache does not notice that a function of another module has changed, and writes beside the
sources. So its folder is set here, and named by a hash of every source and compiler that goes into the code.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from importlib.metadata import version
from pathlib import Path

import gameday.record.histograms
import gameday.record.run_record
import gameday.scenario
import gameday.vocabulary
from gameday.files import cache_folder

__all__ = ["compiling", "forget_old", "kept_folder", "sources"]

_LARGEST = "kernel.run-*.nbc"
"""The largest kernel: it is made last, so the others are there too."""
_LAYOUT = ("policy.py", "blocks/services.py")
"""Files of the scenario by which the record of a service is laid out."""
_ARITHMETIC = ("caller_policies", "queue_policies", "server_policies", "service_times")
"""Folders of the scenario whose functions the kernel is compiled from."""
_OLD_S = 30 * 86400.0
_COMMAND = "from gameday.simulate.compiled.warm import make; make()"


def sources() -> list[Path]:
    """Return every file whose text goes into the machine code."""
    shared = (gameday.record.histograms, gameday.record.run_record, gameday.vocabulary)
    files = [Path(str(module.__file__)) for module in shared]
    scenario = Path(str(gameday.scenario.__file__)).parent
    files += [scenario / name for name in _LAYOUT]
    for folder in (Path(__file__).parent / "compiled", *(scenario / name for name in _ARITHMETIC)):
        files += folder.glob("*.py")
    return sorted(files)


@cache
def kept_folder() -> Path:
    """Return the folder of this version's machine code, in NUMBA_CACHE_DIR where that is set."""
    versions = [version(name) for name in ("numba", "llvmlite", "numpy")]
    text = hashlib.sha256("|".join([*versions, sys.version]).encode())
    for file in sources():
        text.update(file.read_bytes())
    chosen = os.environ.get("NUMBA_CACHE_DIR")
    base = Path(chosen) if chosen else cache_folder()
    return base / f"kernels-{text.hexdigest()[:16]}"


def forget_old() -> None:
    """Remove the folders of other versions to which nobody has written for a month."""
    for folder in kept_folder().parent.glob("kernels-*"):
        if folder != kept_folder() and time.time() - folder.stat().st_mtime > _OLD_S:
            shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def compiling() -> Iterator[Callable[[Callable[[str], None]], None]]:
    """Compile what is not kept yet, in a process of its own; yield a function that waits for it.

    That function is given what shows a progress text. A process that fails is not reported here: whoever
    simulates compiles again, and reports why that fails.
    """
    is_kept = any(kept_folder().rglob(_LARGEST))
    maker = None if is_kept else subprocess.Popen([sys.executable, "-c", _COMMAND])

    def wait(show: Callable[[str], None]) -> None:
        began = time.monotonic()
        while maker is not None and maker.poll() is None:
            show(f"compiling the engine, once for this version ({time.monotonic() - began:.0f} s)")
            time.sleep(0.1)

    try:
        yield wait
    finally:
        if maker is not None and maker.poll() is None:
            maker.terminate()
            maker.wait()
