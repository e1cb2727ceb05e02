"""Every part of every bench runs: each in a short form, listed from the benches' own tables."""

from __future__ import annotations

import importlib
import json
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

HERE = Path(__file__).parent

with pytest.MonkeyPatch.context() as patch:  # some parts run the engine in this process
    patch.setenv("LOCUST_SKIP_MONKEY_PATCH", "1")
    import locust  # noqa: F401

SIZES = {
    "swarm": 0.02,
    "simulate": 0.002,
    "forecast": 0.01,
    "forecast_sets": 0.01,
    "traffic": 0.002,
    "capacity": 0.05,
    "diagnosis": 0.01,
    "__main__": 0.1,
}
"""Bench -> the size of its short form, as a share of the whole."""
NIGHTLY = {
    "__main__": {"primeday"},
    "capacity": {"orders", "loops"},
    "diagnosis": {"predictions", "shop", "slower", "healthy", "ladder"},
    "forecast": {
        "traces",
        "orders",
        "longer_event",
        "robots",
        "refresh",
        "coverage",
        "thousand",
        "primeday",
    },
    "forecast_sets": {"windows", "lengths"},
    "simulate": {"all_features", "every_policy", "large", "long_event", "first_answer", "event"},
    "swarm": {"bare", "tls", "steady", "spike", "stall", "crowd", "statistics", "distributed"},
    "traffic": {"fit"},
}
"""What a forecast of the bundled event takes, or what is like another part, is run by `make nightly`."""


def benches() -> list[str]:
    """Return the modules that are run as benches."""
    return sorted(
        file.stem
        for file in HERE.glob("*.py")
        if "PARTS" in file.read_text() and not file.stem.startswith("test_")
    )


def parts_of(bench: str) -> dict[str, Callable[..., dict[str, Any]]]:
    return importlib.import_module(f"tests.bench.{bench}").PARTS


PARTS = [
    pytest.param(
        bench,
        part,
        id=f"{bench} {part}",
        marks=[pytest.mark.nightly] if part in NIGHTLY.get(bench, set()) else [],
    )
    for bench in benches()
    for part in parts_of(bench)
]


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    if shutil.which("nginx") is None or shutil.which("taskset") is None:
        pytest.skip("nginx or taskset is not installed: the swarm's benches are not run")
    if (os.cpu_count() or 1) < 2:
        pytest.skip("the swarm's benches need two cores")
    from tests.bench.swarm_target import running_target

    with running_target(tmp_path_factory.mktemp("nginx"), core=1) as running:
        yield running


def made_up_traces(folder: Path) -> None:
    """Write traces of the real ones' names and dates, made up: a day's wave with noise."""
    chance = np.random.default_rng(1)
    for name, first, last in (
        ("nasa95_minute", "1995-07-01", "1995-09-02"),
        ("wc98_minute", "1998-05-08", "1998-07-08"),
    ):
        minutes = pd.date_range(first, last, freq="min")
        level = 30 * (1.2 + np.sin(2 * np.pi * np.arange(len(minutes)) / 1440))
        pd.DataFrame({"ds": minutes, "y": chance.poisson(level)}).to_parquet(
            folder / f"{name}.parquet"
        )
    days = pd.date_range("2009-12-01", "2011-12-09", freq="D")
    orders = np.repeat(days, 40) + pd.to_timedelta(
        chance.integers(480, 1200, 40 * len(days)), "min"
    )
    pd.DataFrame({"ds": orders}).to_parquet(folder / "uci_retail2_orders.parquet")


def test_there_is_a_size_for_every_bench() -> None:
    assert set(benches()) == set(SIZES)
    assert set(NIGHTLY) <= set(SIZES)
    for bench, parts in NIGHTLY.items():
        assert parts < set(parts_of(bench)) | {"none"}, f"{bench}: a part that is not there"


def test_everything_that_make_runs_as_a_bench_has_a_table_of_parts() -> None:
    makefile = (HERE.parents[1] / "Makefile").read_text()
    run = {
        word.removeprefix("tests.bench").lstrip(".") or "__main__"
        for word in makefile.split()
        if word.startswith("tests.bench")
    }
    assert run == set(benches())


@pytest.mark.parametrize(("bench", "part"), PARTS)
def test_every_part_of_a_bench_runs_in_a_short_form(
    bench: str,
    part: str,
    request: pytest.FixtureRequest,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    module = importlib.import_module(f"tests.bench.{bench}")
    given: list[Any] = []
    if bench == "swarm":
        given = [request.getfixturevalue("target")]
    elif bench == "__main__":
        given = [tmp_path]
    elif bench == "forecast":
        made_up_traces(tmp_path)
        monkeypatch.setattr(module, "TRACES", tmp_path)
    try:
        row = module.PARTS[part](*given, size=SIZES[bench])
    except Exception as why:
        if type(why).__name__ == "NotInstalled":
            pytest.skip(str(why))
        raise
    assert json.loads(json.dumps(row)), "a part prints something"
