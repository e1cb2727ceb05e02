"""Removes secrets from a run's folder: at the run's end, or by the next run where one was killed."""

from __future__ import annotations

import os
from contextlib import suppress
from functools import partial
from pathlib import Path

from gameday.errors import CleanUpFailed, PreflightFailed
from gameday.files import write_whole
from gameday.safety import is_playing
from gameday.scenario.reading import Secrets, secrets_of
from gameday.swarm.control.run_spec import read_run_spec

__all__ = ["RUN_SPEC_FILE", "forget_run_spec", "forget_killed", "masked"]

RUN_SPEC_FILE = "swarm.json"
"""Holds the scenario and its feeds while a run plays, its owner's alone to read."""
_TEXTS = frozenset({".json", ".jsonl", ".log", ".md", ".html", ".xml"})


def forget_killed(reports: Path) -> None:
    """Do as `forget_run_spec` does for every run under `reports` that nobody plays any more."""
    for folder in {file.parent for file in reports.glob("*/*/*swarm*.json")}:
        if not is_playing(folder):
            forget_run_spec(folder)


def forget_run_spec(run: Path) -> None:
    """Mask in every text of a run's folder what its specification shows to be secret, then remove that.

    One that was cut off while it was written is removed; nothing was played by it. CleanUpFailed where a text
    cannot be written anew; the specification is gone then, too.
    """
    try:
        if (run / RUN_SPEC_FILE).is_file():
            with suppress(ValueError, KeyError, TypeError):  # of a version that wrote it otherwise
                spec = read_run_spec(run / RUN_SPEC_FILE)
                masked(run, secrets_of(spec.loaded.written, spec.loaded.assets, os.environ))
    except PreflightFailed as error:
        raise CleanUpFailed(f"secrets may be left in {run}: {error}") from error
    finally:
        for file in (run / RUN_SPEC_FILE, *run.glob(".swarm.*.json")):
            with suppress(NotADirectoryError):  # what was to be the run's folder is a file
                file.unlink(missing_ok=True)


def masked(run: Path, secrets: Secrets) -> None:
    """Rewrite every text in a run's folder that holds a secret, with the secret masked."""
    for file in [f for f in run.rglob("*") if f.suffix in _TEXTS and f.name != RUN_SPEC_FILE]:
        text = file.read_text(encoding="utf-8", errors="surrogateescape")
        clean = _clean(file.suffix, text, secrets)
        if clean != text:
            write_whole(file, partial(_write, clean))


def _clean(suffix: str, text: str, secrets: Secrets) -> str:
    if secrets.mask(text) == text:
        return text
    try:
        if suffix == ".json":
            return secrets.mask_json(text)
        if suffix == ".jsonl":
            return "".join(f"{secrets.mask_json(line)}\n" for line in text.splitlines())
    except ValueError:
        pass  # a line that was cut off is masked as the text it is
    return secrets.mask(text)


def _write(text: str, part: Path) -> None:
    part.write_text(text, encoding="utf-8", errors="surrogateescape")
