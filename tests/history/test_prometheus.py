"""A real Prometheus tells the past: Debian's package, filled from a text, asked over loopback."""

from __future__ import annotations

import io
import json
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace
from urllib.request import urlopen

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from gameday.cli.app import app
from gameday.errors import HistoryError, UsageError
from gameday.history import ApiServer, minutes_from_prometheus, minutes_of_table
from gameday.jobs.import_metrics import MetricsOrder, import_metrics

needs_prometheus = pytest.mark.skipif(
    shutil.which("prometheus") is None or shutil.which("promtool") is None,
    reason="Debian's package prometheus is not installed",
)


def asked(url: str, query: str, first_min: int, last_min: int) -> np.ndarray:
    """Return the counts of one query."""
    return minutes_from_prometheus(ApiServer(url), {"q": query}, first_min, last_min)["q"]


START_MIN = 29_500_000
"""A minute of 2026."""
MINUTES = 90


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server whose two counters grow by 100 and 20 a minute, 300 from minute 60 on."""
    folder = tmp_path_factory.mktemp("prometheus")
    lines = ["# HELP orders_total Orders.", "# TYPE orders_total counter"]
    for stack, each in (("us", 100), ("in", 20)):
        total = 0
        for minute in range(MINUTES + 1):
            lines.append(f'orders_total{{stack="{stack}"}} {total} {60 * (START_MIN + minute)}')
            total += 300 if minute >= 60 else each
    lines.append("# EOF")
    (folder / "past.txt").write_text("\n".join(lines) + "\n")
    (folder / "prometheus.yml").write_text("global: {scrape_interval: 1h}\n")
    data = folder / "data"
    command = [
        "promtool",
        "tsdb",
        "create-blocks-from",
        "openmetrics",
        str(folder / "past.txt"),
        str(data),
    ]
    subprocess.run(command, check=True, capture_output=True)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = subprocess.Popen(
        [
            "prometheus",
            f"--config.file={folder / 'prometheus.yml'}",
            f"--storage.tsdb.path={data}",
            f"--web.listen-address=127.0.0.1:{port}",
            "--storage.tsdb.retention.time=100y",
            "--log.level=error",
        ]
    )
    url = f"http://127.0.0.1:{port}"
    try:
        for _ in range(300):
            try:
                with urlopen(f"{url}/-/ready", timeout=1):
                    break
            except OSError:
                time.sleep(0.1)
        yield url
    finally:
        process.terminate()
        process.wait(20)


QUERY = 'orders_total{stack="$S"} - orders_total{stack="$S"} offset 1m'


@needs_prometheus
@pytest.mark.parametrize(("stack", "each"), [("us", 100), ("in", 20)])
def test_counts_of_each_minute_come_back(server: str, stack: str, each: int) -> None:
    found = asked(server, QUERY.replace("$S", stack), START_MIN, START_MIN + MINUTES)
    np.testing.assert_allclose(found[:60], each)
    np.testing.assert_allclose(found[60:], 300)


@needs_prometheus
def test_several_series_are_added_up(server: str) -> None:
    found = asked(server, "orders_total - orders_total offset 1m", START_MIN, START_MIN + 30)
    np.testing.assert_allclose(found, 120)


@needs_prometheus
def test_minutes_without_a_sample_are_not_known(server: str) -> None:
    found = asked(server, "nothing_total", START_MIN, START_MIN + 5)
    assert np.isnan(found).all()


@needs_prometheus
def test_a_query_it_does_not_understand_is_told_in_its_own_words(server: str) -> None:
    with pytest.raises(HistoryError, match=r"sum\(: .*parse error"):
        asked(server, "sum(", START_MIN, START_MIN + 5)


@needs_prometheus
def test_actuals_of_a_server_are_tracked_against_a_plan_region_by_region(
    server: str, tmp_path: Path
) -> None:
    at = pd.date_range(
        pd.Timestamp(60 * START_MIN, unit="s", tz="UTC"), periods=MINUTES, freq="min"
    )
    parts = [
        pd.DataFrame(
            {
                "region": region,
                "step": "checkout",
                "slot_utc": at,
                "p10": 0.9 * each,
                "p50": each,
                "p90": 1.1 * each,
                "organic_p10": 0.9 * each,
                "organic_p90": 1.1 * each,
                "launch_p50": 0.0,
            }
        )
        for region, each in (("us", 100.0), ("in", 20.0))
    ]
    pd.concat(parts).to_parquet(tmp_path / "plan.parquet")
    query = QUERY.replace("$S", "$region")
    result = CliRunner().invoke(
        app,
        [
            "forecast",
            "track",
            "--plan",
            str(tmp_path / "plan.parquet"),
            "--prometheus",
            server,
            "--query",
            query,
            "--json",
        ],
        catch_exceptions=False,
    )
    assert result.exit_code == 0
    *alerts, summary = [json.loads(line) for line in result.output.splitlines()]
    assert set(summary["series"]) == {"us checkout", "in checkout"}
    assert {row["minutes"] for row in summary["series"].values()} == {MINUTES}
    edges = {row["series"]: row["at"] for row in alerts if row["kind"] == "edge"}
    for series in ("us checkout", "in checkout"):
        late = (pd.Timestamp(edges[series]) - at[60]) / pd.Timedelta(minutes=1)
        assert 0 <= late <= 1  # minute 60 tripled: said with it or with the one after


def test_a_server_that_is_not_there_is_one_clear_error() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(HistoryError, match="refused"):
        asked(f"http://127.0.0.1:{port}", "up", 0, 5)
    with pytest.raises(HistoryError, match="must be a server's address"):
        asked("ftp://127.0.0.1", "up", 0, 5)


def answering(
    monkeypatch: pytest.MonkeyPatch, *series: tuple[dict[str, str], Sequence[float | str]]
) -> None:
    """Let every server answer with these series, a value a minute from minute 0 on."""
    rows = [
        {"metric": labels, "values": [[60 * (n + 1), str(v)] for n, v in enumerate(values)]}
        for labels, values in series
    ]
    text = json.dumps({"data": {"result": rows}}).encode()
    opener = SimpleNamespace(open=lambda *_, **__: io.BytesIO(text))
    monkeypatch.setattr("gameday.history.http_api.build_opener", lambda *_: opener)


URL = "http://127.0.0.1:9"


def test_a_minute_in_which_one_instance_has_no_count_is_not_known(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    answering(monkeypatch, ({"pod": "a"}, [1, "NaN", 3, 4]), ({"pod": "b"}, [10, 20, -50, "+Inf"]))
    found = asked(URL, "q", 0, 5)
    np.testing.assert_array_equal(found, [11, np.nan, np.nan, np.nan, np.nan])


def test_a_counter_s_own_value_is_no_count_and_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    answering(monkeypatch, ({}, [5_000 + 7 * n for n in range(40)]))
    with pytest.raises(HistoryError, match=r"only grow, as a counter does.*sum\(increase\("):
        asked(URL, "orders_total", 0, 40)
    answering(monkeypatch, ({}, [100] * 20 + [300] * 20))
    assert asked(URL, "orders", 0, 40).sum() == 8000


@pytest.mark.parametrize("label", ["region", "step"])
def test_series_of_several_regions_or_steps_are_not_added_up(
    label: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    answering(monkeypatch, ({label: "a"}, [1, 2]), ({label: "b"}, [1, 2]))
    with pytest.raises(HistoryError, match=rf"several {label}s \(a, b\)"):
        asked(URL, "q", 0, 2)


def test_a_query_that_gives_two_regions_the_same_counts_is_refused(tmp_path: Path) -> None:
    at = pd.date_range("2026-01-05", periods=5, freq="min", tz="UTC")
    parts = [
        pd.DataFrame(
            {
                "region": r,
                "step": "s",
                "slot_utc": at,
                "p10": 1.0,
                "p50": 2.0,
                "p90": 3.0,
                "organic_p10": 1.0,
                "organic_p90": 3.0,
                "launch_p50": 0.0,
            }
        )
        for r in ("us", "in")
    ]
    pd.concat(parts).to_parquet(tmp_path / "plan.parquet")
    asked = [
        "forecast",
        "track",
        "--plan",
        str(tmp_path / "plan.parquet"),
        "--prometheus",
        URL,
        "--query",
        "q",
    ]
    result = CliRunner().invoke(app, asked)
    assert isinstance(result.exception, UsageError)
    assert "says nothing of $region" in str(result.exception)


# --- imported as a history ----------------------------------------------------------------------


def imported(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["history", "import", *arguments], catch_exceptions=False)
    return result.exit_code, result.output


@needs_prometheus
def test_a_server_s_counts_become_a_history_that_is_read_again(server: str, tmp_path: Path) -> None:
    order = MetricsOrder(
        ApiServer(server),
        {"checkout": QUERY.replace("$S", "us"), "home": QUERY.replace("$S", "in")},
        tmp_path / "past.csv",
        last_s=3600.0 * 24,
        now_s=60.0 * (START_MIN + MINUTES),
    )
    told = import_metrics(order)
    assert [(row.step, row.minutes, row.unknown) for row in told.series] == [
        ("checkout", MINUTES, 0),
        ("home", MINUTES, 0),
    ]
    assert told.doubts == ()
    minutes, _ = minutes_of_table(pd.read_csv(tmp_path / "past.csv"), "past.csv", "UTC")
    by_step = minutes.groupby("name")["count"].sum()
    assert by_step["all checkout"] == pytest.approx(60 * 100 + 30 * 300)
    assert by_step["all home"] == pytest.approx(60 * 20 + 30 * 300)


def test_minutes_without_a_count_are_left_out_and_doubted(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    answering(monkeypatch, ({}, [5, "NaN", 7, 5, "NaN", 6]))
    order = MetricsOrder(
        ApiServer(URL), {"home": "q"}, tmp_path / "past.csv", last_s=360, now_s=360
    )
    told = import_metrics(order)
    assert (told.series[0].minutes, told.series[0].unknown) == (4, 2)
    assert "2 minutes (33.3%) have no count" in told.doubts[0]
    assert pd.read_csv(tmp_path / "past.csv")["count"].tolist() == [5, 7, 5, 6]


@pytest.mark.parametrize(
    ("promql", "says"),
    [
        ("sum(rate(orders_total[1m]))", "rate() tells what comes in a second"),
        ("sum(irate(orders_total[5m]))", "rate() tells what comes in a second"),
        ("sum(increase(orders_total[5m]))", "increase over 5m"),
        ("sum(increase(orders_total[30s]))", "increase over 30s"),
        ('sum(increase(http_total{path="/cart/*"}[5m]))', "increase over 5m"),
        ('sum(rate(http_total{note="* 60"}[1m]))', "rate() tells what comes in a second"),
        ("sum(rate(orders_total[5m])) * 60", None),
        ("60 * sum(rate(orders_total[1m]))", None),
        ("sum(increase(orders_total[5m])) / 5", None),
        ('sum(increase(orders_total{code!~"5.."}[1m])) or vector(0)', None),
    ],
)
def test_a_query_that_does_not_tell_a_minute_s_count_is_doubted(
    promql: str, says: str | None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    answering(monkeypatch, ({}, [5, 4, 7, 5, 3, 6]))
    order = MetricsOrder(
        ApiServer(URL), {"home": promql}, tmp_path / "past.csv", last_s=360, now_s=360
    )
    doubts = import_metrics(order).doubts
    assert [says in doubt for doubt in doubts if says] == [True] * bool(says)
    assert bool(doubts) == bool(says)


def test_an_answer_that_may_not_be_whole_is_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for extra in ({"warnings": ["receive series from store: timeout"]}, {"isPartial": True}):
        whole = {"data": {"result": [{"metric": {}, "values": [[60, "5"]]}]}}
        monkeypatch.setattr(ApiServer, "ask", lambda *_, more=extra, whole=whole: whole | more)
        order = MetricsOrder(
            ApiServer(URL), {"home": "q"}, tmp_path / "p.csv", last_s=360, now_s=360
        )
        with pytest.raises(HistoryError, match=r"may not be whole: (receive series|isPartial)"):
            import_metrics(order)
        assert not (tmp_path / "p.csv").exists()


def test_a_server_without_any_count_leaves_no_file(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    answering(monkeypatch)
    with pytest.raises(HistoryError, match="no query has a count in the last 1 days"):
        import_metrics(
            MetricsOrder(ApiServer(URL), {"home": "q"}, tmp_path / "past.csv", last_s=86400)
        )
    assert not (tmp_path / "past.csv").exists()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ((), "needs --query"),
        (("--query", "sum(x)", "--counts", "c.csv"), "must read STEP=PROMQL"),
        (("--query", "home=q", "--counts", "c.txt"), "--counts: must end in"),
        (("--query", "home=q", "--query", "home=p", "--counts", "c.csv"), "asked for twice"),
        (("--query", 'home=q{r="$region"}', "--counts", "c.csv"), "needs --event"),
        (("--query", "home=q", "--counts", "c.csv", "--event", "primeday"), "write the label"),
        (
            ("--query", 'hom=q{r="$region"}', "--counts", "c.csv", "--event", "primeday"),
            "no step 'hom'",
        ),
        (("--query", "home=q", "--counts", "c.csv", "--window", "5s"), "--prometheus goes with"),
        (("--query", "home=q", "--counts", "c.csv", "--header", "x"), "NAME: VALUE"),
    ],
)
def test_what_cannot_be_asked_is_refused_before_anything_is(
    arguments: tuple[str, ...], says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match=says):
        imported("--prometheus", URL, *arguments)
    assert list(tmp_path.glob("c.*")) == []
