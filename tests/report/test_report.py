"""The report: one page that opens offline, says everything, and never what it was told to say."""

from __future__ import annotations

import json
import re
import shutil
from copy import deepcopy
from dataclasses import replace
from datetime import UTC, datetime
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import jinja2
import numpy as np
import pytest

from gameday.capacity import request_capacity
from gameday.capacity.order import Withheld
from gameday.capacity.request import Proof, ProofRow
from gameday.findings import find, judge, run_rules, unmeasured_objectives, validity
from gameday.history import History
from gameday.record.run_record import Orders
from gameday.report import Judged, RunAbout, gather, render_remains, render_report, summary_json
from gameday.report.render import SECTIONS
from gameday.swarm import End, Health
from tests.support.small_runs import as_measured, busy_shop, evidence_of, played, records_of
from tests.support.small_shop import flat_demand

HOSTILE = "<script>alert(1)</script>"
ABOUT = RunAbout(
    run_id="20260310T000000-ab12",
    event="small",
    started_utc="2026-03-10T00:00:00+00:00",
    version="0.1.0",
    command="gameday replay --event small",
    target="the embedded shop",
)
MOST_BYTES = 3 << 20


def summary_of(folder: Path, changes: dict[str, Any], *, end: End = "complete") -> dict[str, Any]:
    """Return the summary of a small run, SimPy's first replication used as the swarm's."""
    scenario = busy_shop(folder, changes)
    plan = played(scenario)
    runs = records_of(scenario, plan, range(4))
    measured = replace(as_measured(runs[0]), orders=Orders(40, 1, 41, 0, 0), notes=("a note",))
    evidence = evidence_of(scenario, plan, measured, runs[1:])
    demand = flat_demand(
        scenario,
        plan.forecast[:, :, 2:3].repeat(90, axis=2),
        notes=("a prior",),
        benchmark=(("ridge", 0.1),),
        strength_sigma=0.0,
    )
    history = History(
        demand.grid.part(0, 30),
        demand.regions,
        demand.steps,
        np.full((1, 3, 30), 600.0, np.float32),
        "synthetic",
        "0" * 64,
    )
    tests = run_rules(evidence)
    findings = find(evidence, tests)
    now = datetime(2026, 3, 1, tzinfo=UTC)
    requests = request_capacity(scenario, demand, findings, run="r1", now=now)
    row = ProofRow("1", "0", "-1", "holds", holds_after=True)
    proof = Proof("p90, a zone lost", objectives={"p99 of checkout < 2s": row})
    requests = tuple(replace(r, proof=proof) for r in requests)
    withheld = (Withheld("main", "pay", ("p50 of pay: predicted 1 ms, measured 9 ms",)),)
    valid = validity(measured, health=Health(0.2), end=end, why="asked to")
    verdict = judge(
        findings,
        end=end,
        why="asked to",
        faults=valid.faults,
        unmeasured=unmeasured_objectives(evidence),
    )
    judged = Judged(
        evidence=evidence,
        run=measured,
        demand=demand,
        history=history,
        tests=tests,
        findings=findings,
        requests=requests,
        withheld=withheld,
        verdict=verdict,
        validity=valid,
    )
    return summary_json(gather(judged, ABOUT), scenario)


DROWNED = {
    "services": {
        "edge": {"stacks": {"main": {"instances": 60, "zones": 3}}},
        "stock": {"stacks": {"main": {"instances": 1, "zones": 1}}, "queue_per_server": 10},
    }
}


@pytest.fixture(scope="module")
def passed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return summary_of(tmp_path_factory.mktemp("passed"), {})


@pytest.fixture(scope="module")
def failed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return summary_of(tmp_path_factory.mktemp("failed"), DROWNED)


@pytest.fixture(scope="module")
def folder(failed: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of the failed run's documents, a hostile title in its first finding."""
    hostile = deepcopy(failed)
    hostile["findings"][0]["title"] = HOSTILE
    hostile["verdict"]["reasons"] = [HOSTILE, *hostile["verdict"]["reasons"]]
    hostile["notes"] = [HOSTILE]
    hostile["command"] = HOSTILE
    folder = tmp_path_factory.mktemp("report")
    assert render_report(hostile, folder) == folder / "report.html"
    return folder


class Page(HTMLParser):
    """The page as a browser reads it: attributes, style and text outside scripts, ids."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: list[tuple[str, str]] = []
        self.ids: list[str] = []
        self.texts: dict[str, list[str]] = {"script": [], "style": [], "": []}
        self._open: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in ("script", "style"):
            self._open.append(tag)
        for name, value in attrs:
            if name in ("src", "href", "srcset", "action", "data", "poster"):
                self.links.append((name, value or ""))
            if name == "id":
                self.ids.append(value or "")

    def handle_endtag(self, tag: str) -> None:
        if self._open and self._open[-1] == tag:
            self._open.pop()

    def handle_data(self, data: str) -> None:
        self.texts[self._open[-1] if self._open else ""].append(data)


@pytest.fixture(scope="module")
def page(folder: Path) -> Page:
    return Page((folder / "report.html").read_text(encoding="utf-8"))


def test_the_page_refers_to_nothing_outside_itself(page: Page) -> None:
    assert [link for link in page.links if not link[1].startswith("#")] == []
    for style in page.texts["style"]:
        assert "@import" not in style
        assert re.findall(r"url\(\s*['\"]?\s*(?:https?:)?//", style) == []


def test_our_own_script_asks_for_nothing(page: Page) -> None:
    ours = page.texts["script"][-1]
    for word in ("fetch(", "XMLHttpRequest", "import(", "http://", "https://", "WebSocket"):
        assert word not in ours


def test_the_page_is_small_enough_to_mail(folder: Path) -> None:
    assert (folder / "report.html").stat().st_size <= MOST_BYTES


def test_every_section_is_in_the_page_once_and_not_empty(page: Page, folder: Path) -> None:
    assert [name for name in page.ids if name in SECTIONS] == list(SECTIONS)
    text = (folder / "report.html").read_text(encoding="utf-8")
    for section in SECTIONS:
        body = text.split(f'<section id="{section}">')[1].split("</section>")[0]
        assert "<h2>" in body
        assert len(re.sub(r"<[^>]*>", "", body).split()) >= 2


def test_every_section_has_its_template_and_every_template_is_used() -> None:
    import gameday.report

    held = {p.name for p in (Path(gameday.report.__file__).parent / "templates").glob("*.j2")}
    assert held == {f"{s}.html.j2" for s in SECTIONS} | {
        "report.html.j2",
        "summary.md.j2",
        "style.html.j2",
        "rehearsal.html.j2",
        "n_minus_one.html.j2",
        "plan.html.j2",
        "import.html.j2",
        "waterfall.html.j2",
        "explanation.html.j2",
        "finding.html.j2",
        "backtest.html.j2",
        "team.html.j2",
        "service.html.j2",
        "review.html.j2",
    }


def test_hostile_text_is_shown_and_not_run(page: Page, folder: Path) -> None:
    assert HOSTILE not in (folder / "report.html").read_text(encoding="utf-8")
    assert "".join(page.texts[""]).count(HOSTILE) >= 4
    assert not any("alert(1)" in script for script in page.texts["script"])


def test_hostile_words_in_charts_do_not_end_the_script(
    failed: dict[str, Any], tmp_path: Path
) -> None:
    hostile = deepcopy(failed)
    services = hostile["series"]["stacks"]["main"]["services"]
    services["</script><script>alert(1)</script>"] = services.pop("pay")
    page = Page(render_report(hostile, tmp_path).read_text(encoding="utf-8"))
    assert not any(text.strip().startswith("alert(1)") for text in page.texts["script"])


@pytest.mark.parametrize("name", ["verdict", "followed", "books", "validity", "forecast"])
def test_a_number_that_upstream_owes_stops_the_report(
    name: str, failed: dict[str, Any], tmp_path: Path
) -> None:
    lacking = {key: value for key, value in failed.items() if key != name}
    with pytest.raises((jinja2.UndefinedError, KeyError)):
        render_report(lacking, tmp_path)


def test_the_summary_is_json_that_any_program_reads(folder: Path) -> None:
    text = (folder / "summary.json").read_text()

    def refuse(word: str) -> float:
        raise AssertionError(f"{word} is not JSON")

    assert json.loads(text, parse_constant=refuse)["schema_version"] == 1


def test_a_run_stopped_before_its_first_reply_leaves_a_report_and_sound_json(
    tmp_path: Path,
) -> None:
    scenario = busy_shop(tmp_path)
    plan = played(scenario)
    runs = records_of(scenario, plan, range(2))
    from gameday.record.run_record import blank_record

    axes = (runs[0].stacks, runs[0].steps, runs[0].services)
    nothing = blank_record("swarm", plan.grid, plan.lead_in, plan.slot_wall_s, axes)
    evidence = evidence_of(scenario, plan, nothing, runs)
    demand = flat_demand(scenario, plan.forecast[:, :, 2:3].repeat(90, axis=2))
    history = History(
        demand.grid.part(0, 1),
        demand.regions,
        demand.steps,
        np.ones((1, 3, 1), np.float32),
        "s",
        "",
    )
    valid = validity(nothing, health=Health(0.0), end="person", why="stopped by SIGINT")
    verdict = judge((), end="person", why="stopped by SIGINT", faults=valid.faults, unmeasured=())
    assert verdict.exit_code == 4
    judged = Judged(
        evidence=evidence,
        run=nothing,
        demand=demand,
        history=history,
        tests=run_rules(evidence),
        findings=(),
        requests=(),
        withheld=(),
        verdict=verdict,
        validity=valid,
    )
    summary = summary_json(gather(judged, ABOUT), scenario)
    page = render_report(summary, tmp_path)
    json.loads((tmp_path / "summary.json").read_text(), parse_constant=pytest.fail)
    visible = "".join(Page(page.read_text(encoding="utf-8")).texts[""])
    assert re.search(r"\bnan\b", visible) is None


def test_rendering_again_from_the_summary_gives_the_same_bytes(
    folder: Path, tmp_path: Path
) -> None:
    render_report(json.loads((folder / "summary.json").read_text()), tmp_path)
    for name in ("summary.json", "summary.md", "junit.xml", "report.html"):
        assert (tmp_path / name).read_bytes() == (folder / name).read_bytes(), name


def test_the_documents_are_whole_files_and_nothing_else_is_left(folder: Path) -> None:
    names = {"report.html", "summary.json", "summary.md", "junit.xml"}
    assert {p.name for p in folder.iterdir()} == names


def test_the_short_summary_names_verdict_findings_and_requests(
    failed: dict[str, Any], tmp_path: Path
) -> None:
    render_report(failed, tmp_path)
    text = (tmp_path / "summary.md").read_text(encoding="utf-8")
    assert text.startswith(f"# FAIL: small, run {ABOUT.run_id}\n")
    for heading in ("## Findings", "## Capacity requests", "## Validity"):
        assert heading in text
    for finding in failed["findings"]:
        assert finding["title"] in text
    for request in failed["requests"]:
        assert f"main {request['service']}: {request['instances_from']} ->" in text
    assert "not observed" not in text.split("## Validity")[1]


def test_a_passed_run_says_so_in_every_document(passed: dict[str, Any], tmp_path: Path) -> None:
    assert passed["verdict"]["name"] == "PASS"
    text = render_report(passed, tmp_path).read_text(encoding="utf-8")
    assert "<title>PASS" in text
    assert (tmp_path / "summary.md").read_text(encoding="utf-8").startswith("# PASS")


def suite_of(summary: dict[str, Any], folder: Path) -> ElementTree.Element:
    render_report(summary, folder)
    return ElementTree.parse(folder / "junit.xml").getroot()


def counts(suite: ElementTree.Element) -> tuple[int, int, int]:
    """Return tests, failures and errors as declared, having held them to the cases."""
    cases = suite.findall("testcase")
    declared = tuple(int(suite.attrib[name]) for name in ("tests", "failures", "errors"))
    found = (
        len(cases),
        sum(c.find("failure") is not None for c in cases),
        sum(c.find("error") is not None for c in cases),
    )
    assert declared == found
    return found


def test_junit_of_a_passed_run_has_no_failure(passed: dict[str, Any], tmp_path: Path) -> None:
    assert counts(suite_of(passed, tmp_path)) == (3, 0, 0)  # two objectives and the verdict


def test_junit_of_a_failed_run_fails_the_missed_objectives_alone(
    failed: dict[str, Any], tmp_path: Path
) -> None:
    suite = suite_of(failed, tmp_path)
    assert counts(suite) == (3, 2, 1)  # the other has too few replies for a p99
    failing = {c.attrib["name"] for c in suite if c.find("failure") is not None}
    assert failing == {"error rate of all steps < 1%", "verdict"}


@pytest.mark.parametrize("name", ["INVALID", "ABORTED", "ERROR"])
def test_junit_of_a_run_that_says_nothing_passes_nothing(
    name: str, failed: dict[str, Any], passed: dict[str, Any], tmp_path: Path
) -> None:
    verdict = {"name": name, "exit_code": 7, "reasons": ["the generator was late"]}
    assert counts(suite_of(passed | {"verdict": verdict}, tmp_path)) == (3, 0, 3)
    assert counts(suite_of(failed | {"verdict": verdict}, tmp_path)) == (3, 1, 2)


def test_junit_takes_words_that_xml_has_signs_for(passed: dict[str, Any], tmp_path: Path) -> None:
    verdict = {"name": "INVALID", "exit_code": 7, "reasons": ['<a> & "b" \x1b[31m']}
    assert counts(suite_of(passed | {"verdict": verdict}, tmp_path)) == (3, 0, 3)


def test_an_objective_that_was_not_observed_is_in_the_table_and_in_junit(tmp_path: Path) -> None:
    """Left out, it would look as if nobody had asked for it."""
    summary = summary_of(
        tmp_path, {"objectives": ["error rate of all steps < 1%", "utilisation of pay < 90%"]}
    )
    assert len(summary["objectives"]) == 2
    from gameday.findings.tables.objectives import objective_rows

    scenario = busy_shop(tmp_path, {"objectives": ["utilisation of pay < 90%"]})
    plan = played(scenario)
    run = as_measured(records_of(scenario, plan, range(1))[0])
    run.loads[0, 2] = np.nan
    evidence = evidence_of(scenario, plan, run, ())
    [row] = objective_rows(evidence, (), run_rules(evidence))
    assert not row.measured


def test_a_killed_run_leaves_a_page_with_its_journal(tmp_path: Path) -> None:
    manifest = {"run_id": "r1", "event": HOSTILE, "command": f"gameday {HOSTILE}"}
    (tmp_path / "run.json").write_text(json.dumps(manifest))
    (tmp_path / "journal.jsonl").write_text('{"at": "now", "what": "targets"}\n{"at": "no')
    (tmp_path / "plan.parquet").write_bytes(b"PAR1")
    page = render_remains(tmp_path, verdict="ABORTED")
    text = page.read_text(encoding="utf-8")
    shown = "".join(Page(text).texts[""])
    assert HOSTILE not in text
    for word in ("ABORTED", "r1", "targets", "plan.parquet", HOSTILE, "Nothing was judged"):
        assert word in shown
    assert Page(text).links == []


def test_a_run_killed_before_its_journal_leaves_a_page_too(tmp_path: Path) -> None:
    manifest = {"run_id": "r1", "event": "small", "command": "gameday replay"}
    (tmp_path / "run.json").write_text(json.dumps(manifest))
    assert "empty" in render_remains(tmp_path, verdict="ABORTED").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def chromium() -> str:
    found = shutil.which("chromium") or shutil.which("chromium-browser")
    if found is None:
        pytest.skip("no chromium on this machine: the report was not opened in a browser")
    return found


def test_the_page_opens_in_a_browser_light_and_dark_asks_for_nothing_and_fits(
    folder: Path, chromium: str
) -> None:
    sync = pytest.importorskip("playwright.sync_api")
    url = (folder / "report.html").as_uri()
    with sync.sync_playwright() as play:
        browser = play.chromium.launch(
            executable_path=chromium,
            args=["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"],
        )
        try:
            for scheme in ("light", "dark"):
                look(browser, url, scheme)
        finally:
            browser.close()


def look(browser: Any, url: str, scheme: str) -> None:
    """Open the page once and hold it to what a reader expects."""
    page = browser.new_page(color_scheme=scheme, viewport={"width": 1200, "height": 900})
    asked: list[str] = []
    wrong: list[str] = []
    page.on("request", lambda r: asked.append(r.url))
    page.on("console", lambda m: wrong.append(m.text) if m.type in ("error", "warning") else None)
    page.on("pageerror", lambda e: wrong.append(str(e)))

    def refuse(dialog: Any) -> None:
        wrong.append(dialog.message)
        dialog.dismiss()

    page.on("dialog", refuse)
    page.goto(url)
    page.wait_for_function(DRAWN)
    assert wrong == []
    assert [a for a in asked if a != url and not a.startswith(("data:", "blob:"))] == []
    wide = page.evaluate("[document.body.scrollWidth, document.documentElement.clientWidth]")
    assert wide[0] <= wide[1]
    colours = page.evaluate(
        "[getComputedStyle(document.body).color, getComputedStyle(document.body).backgroundColor]"
    )
    ink, ground = (sum(map(int, re.findall(r"\d+", c)[:3])) for c in colours)
    assert (ink < ground) == (scheme == "light")
    page.close()


DRAWN = """() => {
  const canvases = [];
  const search = (root) => {
    for (const node of root.querySelectorAll("*")) {
      if (node.tagName === "CANVAS") canvases.push(node);
      if (node.shadowRoot) search(node.shadowRoot);
    }
  };
  search(document);
  return canvases.length >= 5 && canvases.every((c) => c.width > 0);
}"""


def test_what_is_withheld_or_proven_is_said_in_the_page_and_the_summary(folder: Path) -> None:
    for name in ("report.html", "summary.md"):
        text = (folder / name).read_text(encoding="utf-8")
        assert "model refuted by this run" in text
        assert "p50 of pay: predicted 1 ms, measured 9 ms" in text
        assert "p90, a zone lost" in text
