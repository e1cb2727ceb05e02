"""Laws of imported logs: what the swarm sent comes back; neither robots nor files change how people count."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gameday.history.importers import read_clickstream
from gameday.history.importers.access_log import read_access_logs
from gameday.jobs.access_logs import events_of_log
from gameday.scenario import Scenario
from gameday.traffic.journeys import calibrate
from tests.history.test_log_steps import BROWSER
from tests.support import examples
from tests.support.small_shop import flat_plan, load_small, small_shop
from tests.support.virtual_customers import Asked, Target, play

EPOCH_S = datetime(2026, 3, 10, 9, tzinfo=UTC).timestamp()


@pytest.fixture(scope="module")
def scenario(tmp_path_factory: pytest.TempPathFactory) -> Scenario:
    return load_small(tmp_path_factory.mktemp("shop"), small_shop())


@pytest.fixture(scope="module")
def asked(scenario: Scenario) -> list[Asked]:
    """What the swarm's own engine sends in forty minutes, some 2,400 sessions."""
    target = Target()
    play(scenario, flat_plan(scenario, 1.0, slots=40), target)
    return sorted(target.asked, key=lambda one: one.at_s)


def line(one: Asked, agent: str = BROWSER) -> str:
    """Return the line an nginx writes of a request; each session has an address of its own."""
    at = datetime.fromtimestamp(EPOCH_S + one.at_s, UTC)
    client = f"10.{one.session >> 16 & 255}.{one.session >> 8 & 255}.{one.session & 255}"
    status = 201 if one.method == "POST" else 200
    return (
        f'{client} - - [{at:%d/%b/%Y:%H:%M:%S +0000}] "{one.method} {one.path} HTTP/1.1" '
        f'{status} 9 "-" "{agent}"'
    )


def people(scenario: Scenario, *files: list[str]) -> pd.DataFrame:
    """Return people's events in files of these lines, sorted."""
    with TemporaryDirectory() as name:
        folder, paths = Path(name), []
        for number, lines in enumerate(files):
            paths.append(folder / f"{number}.log")
            paths[-1].write_text("".join(f"{text}\n" for text in lines))
        read_access_logs(paths, scenario, folder / "events.parquet")
        events = pd.read_parquet(folder / "events.parquet")
    return events.sort_values(["event_time", "user_id", "event_type"], ignore_index=True)


def test_what_the_swarm_sent_gives_back_its_sessions_step_by_step(
    scenario: Scenario, asked: list[Asked], tmp_path: Path
) -> None:
    file = tmp_path / "access.log"
    file.write_text("".join(f"{line(one)}\n" for one in asked))
    summary = read_access_logs([file], scenario, tmp_path / "events.parquet")
    assert summary.of_people == len(asked)
    walks: dict[int, list[str]] = {}
    for one in asked:
        walks.setdefault(one.session, []).append(one.step)
    events = pd.read_parquet(tmp_path / "events.parquet")
    found = events.groupby("user_id")["event_type"].agg(tuple)
    assert Counter(found) == Counter(map(tuple, walks.values()))


def test_what_the_swarm_sent_gives_back_its_journey(
    scenario: Scenario, asked: list[Asked], tmp_path: Path
) -> None:
    """Chances and pauses of the chain that was played, within the interval of so many sessions."""
    file = tmp_path / "access.log"
    file.write_text("".join(f"{line(one)}\n" for one in asked))
    read_access_logs([file], scenario, tmp_path / "events.parquet")
    how = events_of_log(scenario)
    sessions = read_clickstream(tmp_path / "events.parquet", how)
    calibration = calibrate(sessions, zones={}, order="checkout")
    counts: Counter[tuple[str, str]] = Counter()
    for journey in calibration.journeys:
        rows, columns = ("start", *journey.steps), (*journey.steps, "exit")
        for i, row in enumerate(rows):
            for j, column in enumerate(columns):
                counts[row, column] += int(journey.counts[i][j])
    declared = scenario.journeys["shopper"]
    for step, chances in declared.next.items():
        made = sum(counts[step, to] for to in (*declared.next, "exit"))
        for to, chance in chances.items():
            assert abs(counts[step, to] / made - chance) < 4 * np.sqrt(0.25 / made)
    pauses = [
        later.at_s - before.at_s
        for walk in pd.Series(asked).groupby([one.session for one in asked])
        for before, later in zip(walk[1].iloc[:-1], walk[1].iloc[1:], strict=True)
    ]
    assert np.mean(pauses) == pytest.approx(15.0, rel=0.1)


@settings(max_examples=examples(12), deadline=None)
@given(
    agent=st.sampled_from(["Googlebot/2.1", "curl/8.5.0", "UptimeRobot/2.0", "kube-probe/1.29"]),
    every_s=st.sampled_from([0.2, 5.0, 60.0]),
    path=st.sampled_from(["/", "/product/electronics-7", "/robots.txt", "/wp-login.php"]),
)
def test_a_robot_that_says_so_changes_no_count_of_people(
    scenario: Scenario, asked: list[Asked], agent: str, every_s: float, path: str
) -> None:
    some = asked[:1500]
    robot = some[0]._replace(session=2**24 - 1, request=f"GET {path} HTTP/1.1\r\n\r\n".encode())
    visits = [robot._replace(at_s=at) for at in np.arange(0.0, some[-1].at_s, every_s)]
    both = sorted(
        [(one.at_s, line(one)) for one in some] + [(one.at_s, line(one, agent)) for one in visits]
    )
    alone = people(scenario, [line(one) for one in some])
    pd.testing.assert_frame_equal(people(scenario, [text for _, text in both]), alone)


def test_a_robot_that_does_not_say_so_is_told_by_its_pace(
    scenario: Scenario, asked: list[Asked]
) -> None:
    some = asked[:1500]
    robot = some[0]._replace(session=2**24 - 1)
    visits = [robot._replace(at_s=at) for at in np.arange(0.0, some[-1].at_s, 0.5)]
    both = sorted((one.at_s, line(one, BROWSER)) for one in [*some, *visits])
    alone = people(scenario, [line(one, BROWSER) for one in some])
    pd.testing.assert_frame_equal(people(scenario, [text for _, text in both]), alone)


@settings(max_examples=examples(12), deadline=None)
@given(files=st.integers(1, 5), seed=st.integers(0, 999))
def test_splitting_and_the_order_of_files_change_nothing(
    scenario: Scenario, asked: list[Asked], files: int, seed: int
) -> None:
    """As several servers behind a balancer write each its own part."""
    rng, some = np.random.default_rng(seed), asked[:1500]
    parts: list[list[str]] = [[] for _ in range(files)]
    for one, server in zip(some, rng.integers(0, files, len(some)), strict=True):
        parts[server].append(line(one))
    shuffled = [parts[n] for n in rng.permutation(files) if parts[n]]
    whole = people(scenario, [line(one) for one in some])
    pd.testing.assert_frame_equal(people(scenario, *shuffled), whole)
