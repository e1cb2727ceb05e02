"""For all tests: one BLAS thread, as the command itself sets; machine code made once for all of them."""

import os
from pathlib import Path

import hypothesis
import pytest

from gameday.files import cache_folder
from tests.support.counts import BY_DAY, NIGHT

hypothesis.settings.register_profile("night", deadline=None)  # a busy machine is no fault
hypothesis.settings.register_profile(
    "day",
    deadline=None,
    max_examples=BY_DAY,
    derandomize=True,  # the same by day, any by night
)
hypothesis.settings.load_profile("night" if NIGHT else "day")
os.environ.setdefault("NUMBA_CACHE_DIR", str(cache_folder()))
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put what runs the program itself before the rest, so that no long file is left at the end, alone.

    The engines come before it: they make the machine code that it would otherwise wait for.
    """

    def rank(item: pytest.Item) -> int:
        if item.nodeid.startswith("tests/simulate/"):
            return 0
        return 1 if item.get_closest_marker("slow") else 2

    items.sort(key=rank)


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Give every test a cache of its own."""
    monkeypatch.setenv("GAMEDAY_CACHE", str(tmp_path / "cache"))
