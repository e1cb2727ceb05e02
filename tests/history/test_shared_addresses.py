"""Who came, where addresses are those of proxies, balancers and delivery networks."""

from __future__ import annotations

import json
import zlib
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from gameday.history.importers import read_access_logs, shared_addresses
from tests.support.log_layouts import Asked, crowd, written_as


def told_of(requests: list[Asked], layout: str, folder: Path) -> str | None:
    """Return what is said of addresses that many share."""
    file = folder / "access.log"
    file.write_text(written_as(layout, sorted(requests, key=lambda asked: asked.at)))
    return shared_addresses(read_access_logs([file], None, folder / "events.parquet"))


@pytest.mark.parametrize("edges", [1, 3, 12, 100])
@pytest.mark.parametrize("layout", ["combined", "common"])
def test_addresses_that_many_share_are_doubted(edges: int, layout: str, tmp_path: Path) -> None:
    requests = [
        replace(asked, client=f"172.70.200.{zlib.crc32(asked.client.encode()) % edges + 1}")
        for asked in crowd(4_000)
    ]
    shared = told_of(requests, layout, tmp_path)
    assert shared is not None
    assert "--client" in shared
    assert "one address" in shared if edges == 1 else f"{edges} addresses" in shared


def test_addresses_of_customers_robots_and_an_office_are_not_doubted(tmp_path: Path) -> None:
    requests = crowd(2_000)
    robot = [replace(asked, client="66.249.66.1", agent="Googlebot/2.1") for asked in requests]
    office = [replace(asked, client="192.0.2.7") for asked in requests[:600]]
    assert told_of([*requests, *robot, *office], "combined", tmp_path) is None


def test_the_client_behind_balancers_is_told_by_a_second_address(tmp_path: Path) -> None:
    lines = [
        json.dumps(
            {
                "ts": asked.at.timestamp(),
                "request": {
                    "remote_ip": f"10.0.5.{n % 3 + 1}",
                    "client_ip": asked.client,
                    "method": asked.method,
                    "uri": asked.target,
                    "headers": {"User-Agent": [asked.agent]},
                },
                "status": asked.status,
            }
        )
        for n, asked in enumerate(crowd(200))
    ]
    file = tmp_path / "caddy.log"
    file.write_text("\n".join(lines))
    summary = read_access_logs([file], None, tmp_path / "events.parquet")
    assert [choice.name for choice in summary.clients] == ["request.client_ip"]
    assert pd.read_parquet(tmp_path / "events.parquet")["user_id"].nunique() == 200
