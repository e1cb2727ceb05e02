"""Where the small scenarios and runs are, and a cache of the tests' own."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

for room in ("simulate", "findings", "swarm"):
    sys.path.append(str(Path(__file__).parents[1] / room))

with pytest.MonkeyPatch.context() as patch:  # the engine runs inside Locust; the tests do not
    patch.setenv("LOCUST_SKIP_MONKEY_PATCH", "1")
    import locust  # noqa: F401


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GAMEDAY_CACHE", str(tmp_path / "cache"))
