"""The run's key, with which workers prove that they may join. It is given, or made anew for the run.

It comes from a file or the environment, never from the command line; no run folder and no journal
holds it.
"""

from __future__ import annotations

import os
import secrets
from dataclasses import dataclass, field
from pathlib import Path

from gameday.errors import UsageError
from gameday.files import cache_folder, write_whole

__all__ = ["KEY_FILE_VARIABLE", "KEY_VARIABLE", "Listen", "given_key", "made_key", "worker_key"]

KEY_VARIABLE = "GAMEDAY_KEY"
"""Environment variable that holds the key."""

KEY_FILE_VARIABLE = "GAMEDAY_KEY_FILE"
"""Environment variable that names the file that holds the key."""

_SHORTEST = 16
"""Characters: whoever sees an answer to a challenge can try keys at leisure."""


@dataclass(frozen=True, slots=True)
class Listen:
    """Where workers on other machines join, and the key they must know."""

    host: str
    port: int
    key: str = field(repr=False)


def given_key(file: Path | None = None) -> str | None:
    """Return the key in `file`, in GAMEDAY_KEY, or in the file GAMEDAY_KEY_FILE names; None: none is given.

    UsageError where a file cannot be read or a key is too short.
    """
    if file is not None:
        return _key_in(file, "--key-file")
    if key := os.environ.get(KEY_VARIABLE):
        return _long_enough(key, KEY_VARIABLE)
    if name := os.environ.get(KEY_FILE_VARIABLE):
        return _key_in(Path(name), KEY_FILE_VARIABLE)
    return None


def made_key() -> tuple[str, Path]:
    """Return a new key, and the file it was written to: readable by its owner alone, one a user."""
    key = secrets.token_hex(32)

    def write(path: Path) -> None:
        path.touch(mode=0o600)
        path.write_text(f"{key}\n")

    write_whole(_made_file(), write)
    return key, _made_file()


def worker_key() -> str:
    """Return a worker's key: the one that is given, else the one that a run on this machine made."""
    key = given_key()
    if key is None and _made_file().is_file():
        key = _key_in(_made_file(), "the key of the last run here")
    if key is None:
        raise UsageError(
            f"the run asks for its key, and none is here: copy the file that `gameday replay --listen` named, "
            f"and name it by --key-file or {KEY_FILE_VARIABLE} (or set {KEY_VARIABLE})"
        )
    return key


def _made_file() -> Path:
    return cache_folder() / "run.key"


def _key_in(file: Path, source: str) -> str:
    try:
        return _long_enough(file.read_text(), f"{source}: {file}")
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or "is no text"
        raise UsageError(f"{source}: {file}: {why}; name a file that holds the run's key") from None


def _long_enough(text: str, where: str) -> str:
    key = text.strip()
    if len(key) < _SHORTEST:
        raise UsageError(
            f"{where}: the key must have at least {_SHORTEST} characters (got {len(key)}); make one with "
            "`openssl rand -hex 32`"
        )
    return key
