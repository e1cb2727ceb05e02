"""Where machine code is kept between runs, and under which name."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numba
import numpy as np

import gameday.run_record
import gameday.scenario.inverse
import gameday.scenario.policies
import gameday.vocabulary
from gameday.files import cache_folder

__all__ = ["keep_machine_code", "sources"]


def sources() -> list[Path]:
    """Return every file whose text goes into the machine code."""
    shared = (gameday.run_record, gameday.scenario.inverse, gameday.vocabulary)
    folders = (Path(__file__).parent, Path(str(gameday.scenario.policies.__file__)).parent)
    files = [Path(str(module.__file__)) for module in shared]
    return sorted(files + [file for folder in folders for file in folder.glob("*.py")])


def keep_machine_code() -> None:
    """Let numba keep what it compiles in our cache, under a hash of sources and compiler.

    To be called before a kernel is defined.
    """
    text = hashlib.sha256(f"{numba.__version__}|{np.__version__}".encode())
    for file in sources():
        text.update(file.read_bytes())
    numba.config.CACHE_DIR = str(cache_folder() / f"kernels-{text.hexdigest()[:16]}")
