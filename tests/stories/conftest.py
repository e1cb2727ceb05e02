"""Benches, and runs that many stories look at."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.program import Bench, Run
from tests.support.small_fair import LONG, TRIPS_AT_ONCE


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    """Give a place of its own; whatever still runs in it at the end is ended."""
    own = Bench(tmp_path)
    yield own
    own.close()


@pytest.fixture(scope="module")
def kept_bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    """One place for a whole module: what many tests look at after one run."""
    own = Bench(tmp_path_factory.mktemp("kept"))
    yield own
    own.close()


@pytest.fixture(scope="module")
def sound(kept_bench: Bench) -> Run:
    """Give a run of the fair as it is, with every service large enough."""
    return kept_bench.replayed(kept_bench.scenario())


@pytest.fixture(scope="module")
def tripped(kept_bench: Bench) -> Run:
    """Give a run that its guardrail ended."""
    return kept_bench.replayed(kept_bench.scenario(TRIPS_AT_ONCE, LONG))
