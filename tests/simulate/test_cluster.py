"""Replications on a dask cluster: the same bits as at home, and clear words where there is none."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from gameday.errors import PreflightFailed, UsageError
from gameday.simulate import RunControl, simulate
from gameday.simulate.cluster import on_cluster
from gameday.vocabulary import Seed
from tests.support.small_shop import flat_plan, load_small, small_shop


@pytest.mark.nightly
def test_a_local_cluster_gives_the_same_bits(tmp_path: Path) -> None:
    distributed = pytest.importorskip("distributed", reason="the extra `dask` is not installed")
    scenario = load_small(tmp_path, small_shop())
    plan = flat_plan(scenario, 2.0, slots=2)
    at_home = simulate(scenario, plan, seed=Seed(4), control=RunControl(replications=3))
    with (
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, dashboard_address=":0"
        ) as cluster,
        on_cluster(cluster.scheduler_address),
    ):
        away = simulate(scenario, plan, seed=Seed(4), control=RunControl(replications=3))
    assert len(away) == len(at_home) == 3
    for one, other in zip(at_home, away, strict=True):
        np.testing.assert_array_equal(one.loads, other.loads)
        np.testing.assert_array_equal(one.latency, other.latency)


def test_a_scheduler_that_is_not_there_is_a_failed_preflight(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("gameday.simulate.cluster._CONNECT_S", 0.5)
    with (
        pytest.raises(PreflightFailed, match="no dask scheduler answers"),
        on_cluster("tcp://127.0.0.1:9"),
    ):
        pass


@pytest.mark.parametrize("address", ["nonsense", "tcp://", "127.0.0.1"])
def test_an_address_that_is_none_is_said_so(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gameday.simulate.cluster._CONNECT_S", 0.5)
    with pytest.raises(UsageError, match="--cluster: must read tcp"), on_cluster(address):
        pass
