"""The page of a run: served on loopback, drawn anew each second, looked at in a browser."""

from __future__ import annotations

import asyncio
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette

from gameday.live.web import page_of
from gameday.safety import Journal


def live(at_s: float, slot: int, p99: float | None) -> dict[str, Any]:
    """Return the numbers of a run at one second, as the swarm writes them."""
    return {
        "schema_version": 1,
        "run_id": "r-1",
        "at_s": at_s,
        "duration_s": 30.0,
        "sent": 10 * slot,
        "done": 9 * slot,
        "bad": slot,
        "planned": [10] * 12,
        "forecast": [15.0] * 12,
        "slot": slot,
        "achieved": [10] * slot + [0] * (12 - slot),
        "steps": [{"step": "home", "per_s": 5.0, "p50": 0.02, "p99": p99, "bad_share": 0.1}],
        "in_flight": 3,
        "waiting": 41,
        "sockets": 7,
        "queued": 0,
        "lateness_p99_s": 0.0012,
        "busy": [[0, 0.31]],
        "guardrails": [["p99 of home > 1s", "back off", 0.2]],
        "warnings": ["worker 0 uses 80% of a core"],
    }


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """Make the folder of a run that plays: its journal is held."""
    (tmp_path / "run.json").write_text(json.dumps({"verdict": "RUNNING"}))
    (tmp_path / "scenario.json").write_text(json.dumps({"steps": {"home": {}, "cart": {}}}))
    journal = Journal(tmp_path / "journal.jsonl")
    yield tmp_path
    journal.close()


def write(folder: Path, numbers: dict[str, Any]) -> None:
    (folder / "live.json").write_text(json.dumps(numbers))


class Tab:
    """Asks the page's application, without a socket."""

    def __init__(self, app: Starlette) -> None:
        self.app = app

    def get(self, path: str, headers: dict[str, str] | None = None) -> httpx.Response:
        async def ask() -> httpx.Response:
            transport = httpx.ASGITransport(app=self.app)
            async with httpx.AsyncClient(
                transport=transport, base_url="http://127.0.0.1"
            ) as client:
                return await client.get(path, headers=headers)

        return asyncio.run(ask())


@pytest.fixture
def page(folder: Path) -> Tab:
    return Tab(page_of(folder, ["home", "cart"]))


def test_before_load_goes_out_the_page_says_so_and_has_no_numbers(page: Tab) -> None:
    assert page.get("/live.json").json()["verdict"] == "RUNNING"
    assert "at_s" not in page.get("/live.json").json()
    assert page.get("/forecast.json").json() == {"slot": [], "steps": []}
    assert page.get("/latencies.json").json() == {"at_s": [], "home": [], "cart": []}


def test_the_numbers_are_those_of_the_run_s_latest_second(page: Tab, folder: Path) -> None:
    for at_s, slot in ((1.0, 4), (2.0, 5)):
        write(folder, live(at_s, slot, 0.1 * slot))
        assert page.get("/live.json").json()["slot"] == slot
    assert page.get("/forecast.json").json()["steps"] == [15.0] * 12, "the forecast, not the plan"
    assert page.get("/achieved.json").json()["steps"] == [10] * 5, "only slots that are over"
    assert page.get("/latencies.json").json() == {
        "at_s": [1.0, 2.0],
        "home": [400.0, 500.0],
        "cart": [None, None],
    }


def test_a_file_half_written_or_gone_is_no_error(page: Tab, folder: Path) -> None:
    (folder / "live.json").write_text('{"at_s": 1.0, "ste')
    assert page.get("/live.json").status_code == 200


def test_the_page_asks_nobody_else_and_answers_to_no_other_name(page: Tab) -> None:
    text = page.get("/").text
    assert re.findall(r'<(?:script|link|img)[^>]*(?:src|href)="?http', text) == []
    assert page.get("/live.json", headers={"Host": "evil.test"}).status_code == 400


def test_the_page_shows_each_second_in_a_browser(folder: Path) -> None:
    found = shutil.which("chromium") or shutil.which("chromium-browser")
    if found is None:
        pytest.skip("no chromium on this machine: the page was not looked at in a browser")
    sync = pytest.importorskip("playwright.sync_api")
    write(folder, live(1.0, 4, 0.4))
    code = (
        "import sys, pathlib; from gameday.live.web import serve_page; "
        "serve_page(pathlib.Path(sys.argv[1]), ['home', 'cart'], port=0, "
        "ready=lambda url: print(url, flush=True))"
    )
    server = subprocess.Popen(
        [sys.executable, "-c", code, str(folder)], stdout=subprocess.PIPE, text=True
    )
    try:
        assert server.stdout is not None
        url = server.stdout.readline().strip()
        with sync.sync_playwright() as play:
            browser = play.chromium.launch(
                executable_path=found,
                args=["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"],
            )
            try:
                _look(browser.new_page(viewport={"width": 1200, "height": 900}), url, folder)
            finally:
                browser.close()
    finally:
        server.terminate()
        server.wait(10)
        assert server.stdout is not None
        server.stdout.close()


def _look(tab: Any, url: str, folder: Path) -> None:
    wrong: list[str] = []
    tab.on("pageerror", lambda error: wrong.append(str(error)))
    tab.goto(url)
    tab.wait_for_function("document.getElementById('steps').textContent.includes('400 ms')")
    assert "waiting customers" in tab.text_content("#tiles")
    assert "worker 0 uses 80% of a core" in tab.text_content("#warnings")
    assert "back off" in tab.text_content("#guardrails")
    assert tab.locator(".bk-Figure").count() == 2
    write(folder, live(2.0, 5, 0.7))
    tab.wait_for_function(
        "document.getElementById('steps').textContent.includes('700 ms')", timeout=5000
    )
    (folder / "run.json").write_text(json.dumps({"verdict": "PASS"}))
    tab.wait_for_function(
        "document.getElementById('when').textContent.startsWith('PASS')", timeout=5000
    )
    assert wrong == []
    assert tab.evaluate("document.body.scrollWidth <= window.innerWidth")
