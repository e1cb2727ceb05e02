"""Laws of calibration: what is sampled from journeys is found again, and logs say the same in any order."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gameday.errors import HistoryError
from gameday.history.importers import clickstream
from gameday.history.importers.clickstream import Clickstream, read_clickstream
from gameday.history.importers.sessions import Sessions
from gameday.products import to_json
from gameday.scenario.blocks.journeys import EXIT, Journey
from gameday.traffic import END, Course
from gameday.traffic.journeys.calibration import calibrate
from gameday.traffic.journeys.chains import chain_of
from gameday.traffic.journeys.pauses import fit_pause
from gameday.traffic.plan.mix import fit_popularity
from gameday.vocabulary import Array, Clock, session_key

LOG = Path(__file__).parents[3] / "shared" / "data" / "rees46_multicategory_sample.parquet"


def sampled(journey: Journey, steps: tuple[str, ...], sessions: int, root: int) -> pd.DataFrame:
    """Return a log of sessions that walk a journey, one every ten seconds."""
    course, rows = Course(journey, steps, Clock(1.0)), []
    for session in range(sessions):
        key, at_s, place = session_key(root, session), 10.0 * session, 0
        step = course.first(key)
        while step != END:
            rows.append((1.6e9 + round(at_s), steps[step], session))
            pause, following = course.after(key, place, step)
            at_s, place, step = at_s + pause, place + 1, following
    table = pd.DataFrame(rows, columns=["at", "event_type", "user_session"])
    table["event_time"] = pd.to_datetime(table.pop("at"), unit="s", utc=True).astype(str)
    return table


def read(table: pd.DataFrame, folder: Path, name: str = "log.csv", **how: Any) -> Sessions:
    """Return the sessions of a table, through a file."""
    file = folder / name
    table.to_csv(file, index=False) if name.endswith("csv") else table.to_parquet(file)
    known = {"user": None, "category": None} | how
    return read_clickstream(file, Clickstream(**known))


def log(*sessions: str, apart_s: int = 10, **more: Any) -> pd.DataFrame:
    """Return a log of sessions written as `view cart purchase`, an hour apart; one long after them ends it."""
    rows = []
    for number, words in enumerate((*sessions, "view")):
        for place, word in enumerate(words.split()):
            at = pd.Timestamp("2024-03-01", tz="UTC") + pd.Timedelta(
                hours=number, seconds=apart_s * place
            )
            rows.append((at.isoformat(), word, f"s{number}"))
    return pd.DataFrame(rows, columns=["event_time", "event_type", "user_session"]).assign(**more)


# --- laws -------------------------------------------------------------------------------------------


def random_journey(rng: np.random.Generator, steps: tuple[str, ...]) -> Journey:
    rows = {}
    for step in steps:
        chances = rng.dirichlet(np.ones(len(steps) + 1))
        chances = np.round(0.8 * chances + 0.2 * np.eye(len(steps) + 1)[-1], 6)
        chances[-1] = 1 - chances[:-1].sum()
        rows[step] = dict(zip((*steps, EXIT), chances.tolist(), strict=True))
    return Journey.model_validate(
        {"start": {steps[0]: 1.0}, "next": rows, "think": {"other": "20s"}, "patience": "9s"}
    )


@pytest.mark.nightly
def test_transitions_are_recovered_within_their_99_percent_intervals(tmp_path: Path) -> None:
    """Pooled over forty random chains; `make nightly` has two hundred."""
    recovered_over(tmp_path, 40)


@pytest.mark.nightly
def test_transitions_are_recovered_over_two_hundred_chains(tmp_path: Path) -> None:
    recovered_over(tmp_path, 200)


def recovered_over(folder: Path, chains: int) -> None:
    inside = total = 0
    for number in range(chains):
        rng = np.random.default_rng(number)
        steps = tuple(f"s{n}" for n in range(int(rng.integers(2, 6))))
        journey = random_journey(rng, steps)
        seen = read(sampled(journey, steps, 400, number), folder)
        [found] = calibrate(seen).journeys
        low, high = found.intervals(0.99)
        names = (*found.steps, EXIT)
        for step, row in journey.next.items():
            if step in found.steps and found.counts[1 + found.steps.index(step)].sum() > 0:
                at = 1 + found.steps.index(step)
                for to in (n for n in names if n in row):
                    place = names.index(to)
                    inside += low[at, place] - 1e-9 <= row[to] <= high[at, place] + 1e-9
                    total += 1
    assert total > 10 * chains
    assert 0.98 <= inside / total <= 1.0


@settings(deadline=None, max_examples=15)
@given(seed=st.integers(0, 999))
def test_the_order_of_rows_and_the_kind_of_file_are_no_matter(
    seed: int, tmp_path_factory: Any
) -> None:
    folder = tmp_path_factory.mktemp("logs")
    rng = np.random.default_rng(seed)
    journey = random_journey(rng, ("view", "cart", "purchase"))
    table = sampled(journey, ("view", "cart", "purchase"), 60, seed)
    mixed = table.sample(frac=1.0, random_state=seed)
    found = [
        calibrate(read(t, folder, name))
        for t, name in ((table, "a.csv"), (mixed, "b.csv"), (mixed, "c.parquet"))
    ]
    blocks = [{one.name: one.block("9s") for one in each.journeys} for each in found]
    shapes = [sorted((n, sorted(b.next)) for n, b in each.items()) for each in blocks]
    assert shapes[0] == shapes[1] == shapes[2]
    assert found[0].held_out.length == found[1].held_out.length == found[2].held_out.length


def test_no_visit_is_lost_and_buyers_always_buy(tmp_path: Path) -> None:
    """A fifth of the sessions buys, some of them twice, and go on: visits add up all the same."""
    kinds = [
        "view view",
        "view",
        "view cart purchase view view",
        "view cart view",
        "view cart purchase cart purchase",
    ]
    table = log(*(kinds[n % 5] for n in np.random.default_rng(1).integers(0, 5, 1500)))
    seen = read(table, tmp_path)
    found = calibrate(seen)
    steps = seen.steps
    chains = {
        one.name: chain_of(one.journey(), steps, dict.fromkeys(steps, 0.0))
        for one in found.journeys
    }
    buyer = chains["buyer"]
    assert buyer.ever[steps.index("checkout")] == pytest.approx(1.0, abs=1e-6)
    train = seen.only((np.arange(seen.count) % 5 != 4) & ~seen.is_cut)
    told = sum(one.sessions * chains[one.name].visits for one in found.journeys)
    np.testing.assert_allclose(told, np.bincount(train.step, minlength=len(steps)), rtol=1e-3)


LAWS: dict[str, Any] = {
    "exponential": lambda rng, n: rng.exponential(30.0, n),
    "lognormal": lambda rng, n: rng.lognormal(3.0, 1.2, n),
    "gamma": lambda rng, n: rng.gamma(4.0, 12.0, n),
    "empirical": lambda rng, n: np.where(
        rng.random(n) < 0.5, rng.uniform(2, 4, n), rng.uniform(300, 330, n)
    ),
}


@pytest.mark.parametrize("law", LAWS)
@pytest.mark.parametrize("resolution_s", [1.0, 0.001])
def test_the_law_that_pauses_have_is_chosen_and_close_to_them(
    law: str, resolution_s: float
) -> None:
    rng = np.random.default_rng(5)
    train, held = (np.round(LAWS[law](rng, n) / resolution_s) * resolution_s for n in (6000, 2000))
    found = fit_pause(train, held, resolution_s)
    assert found.name == law or found.log_likelihood[found.name] < found.log_likelihood[law] + 0.01
    assert found.distance is not None
    assert found.distance < (0.12 if law == "empirical" else 1.9 / np.sqrt(2000))


@pytest.mark.parametrize("pauses", [[], [0.0] * 100, [0.0, 7200.0] * 80, [5.0] * 200, [1e-9] * 90])
def test_odd_pauses_have_a_law_that_a_scenario_takes(pauses: list[float]) -> None:
    seen: Array = np.array(pauses)
    found = fit_pause(seen, seen, 1.0)
    Journey.model_validate(
        {
            "start": {"a": 1.0},
            "next": {"a": {"exit": 1.0}},
            "think": {"a": found.law if isinstance(found.law, str) else to_json(found.law)},
            "patience": "9s",
        }
    )


# --- what a log lacks -------------------------------------------------------------------------------


def test_a_cart_that_the_log_lacks_is_inferred_and_said(tmp_path: Path) -> None:
    seen = read(
        log("view purchase", "view cart purchase", "view cart purchase purchase", "purchase"),
        tmp_path,
    )
    carts = seen.step == seen.steps.index("cart")
    assert carts.sum() == 5
    assert seen.is_inferred.sum() == 3
    assert (seen.is_inferred <= carts).all()
    assert "3 of 5 checkout had no cart in the log" in " ".join(seen.notes)
    first = np.sort(seen.at_s)[:3]
    assert np.diff(first).tolist() == [5.0, 5.0], "half way between view and purchase"


def test_without_session_ids_half_an_hour_of_silence_ends_a_session(tmp_path: Path) -> None:
    for apart_s, lengths in ((1799, [2, 1]), (1801, [1, 2])):  # the last view comes after an hour
        table = log("view view", apart_s=apart_s).assign(user="u")
        seen = read(table, tmp_path, session=None, user="user")
        assert np.bincount(seen.session).tolist() == lengths


def test_sessions_under_way_when_the_log_ends_are_told_apart(tmp_path: Path) -> None:
    seen = read(log(*["view view view"] * 50), tmp_path)
    assert seen.is_cut.sum() == 1
    assert "where they end is not known" in " ".join(seen.notes)


def test_rows_that_say_nothing_are_counted_and_quoted(tmp_path: Path) -> None:
    table = log(*["view view"] * 5)
    table.loc[2, "event_time"] = "yesterday"
    table.loc[3, "event_type"] = None
    seen = read(table, tmp_path)
    [said] = [note for note in seen.notes if "left out" in note]
    assert "2 of 11 rows (18.2%) without a time, a type or whose they are were left out" in said
    assert "yesterday" in said


@pytest.mark.parametrize("name", ["log.csv", "log.parquet"])
@pytest.mark.parametrize("unit_s", [1.0, 0.001])
def test_times_may_be_seconds_or_milliseconds_since_1970(
    name: str, unit_s: float, tmp_path: Path
) -> None:
    table = log(*["view cart purchase"] * 5)
    since = pd.to_datetime(table["event_time"]).map(lambda t: t.timestamp())
    numbers = (since / unit_s).round().astype("int64")
    seen = [read(t, tmp_path, name) for t in (table, table.assign(event_time=numbers))]
    assert seen[0].at_s.tolist() == seen[1].at_s.tolist()


@pytest.mark.parametrize(
    ("table", "name", "said"),
    [
        (log("view").drop(columns="event_type"), "log.csv", "no column event_type; map it"),
        (log("view").iloc[:0], "log.csv", "no event with a time"),
        (log("view").iloc[:0], "log.parquet", "no event with a time"),
        (log("view").assign(event_time="never"), "log.csv", "no event with a time"),
    ],
)
def test_a_log_that_cannot_be_read_is_said_why(
    table: pd.DataFrame, name: str, said: str, tmp_path: Path
) -> None:
    with pytest.raises(HistoryError, match=said):
        read(table, tmp_path, name)


def test_a_file_that_is_none_is_said_so(tmp_path: Path) -> None:
    for name, said in (
        ("no.csv", "no such file"),
        ("a.xlsx", "must end in"),
        ("bad.parquet", "cannot be read"),
    ):
        if name != "no.csv":
            (tmp_path / name).write_bytes(b"\x00\xffnothing")
        with pytest.raises(HistoryError, match=said):
            read_clickstream(tmp_path / name, Clickstream())


def test_a_log_too_long_to_hold_is_held_in_part_whole_sessions_whatever_its_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ["view view cart purchase", "view", "view cart", "view view view"]
    table = log(*(words[n % 4] for n in range(2400)))
    whole = read(table, tmp_path)
    monkeypatch.setattr(clickstream, "MOST_EVENTS", 1500)
    monkeypatch.setattr("gameday.history.readers.parquet._PART_ROWS", 400)
    parts = [
        read(t, tmp_path, "part.parquet") for t in (table, table.sample(frac=1.0, random_state=3))
    ]
    for part in parts:
        assert len(part.step) <= 1500 + 400  # what was inferred comes on top
        assert part.count == pytest.approx(whole.count * 0.25, rel=0.2)
        assert any("0.25 of who came" in note for note in part.notes)
        lengths = np.bincount(np.diff(part.firsts), minlength=5)[1:]
        np.testing.assert_allclose(lengths / part.count, [0.25, 0.25, 0.25, 0.25], atol=0.08)
    assert (parts[0].step == parts[1].step).all()
    assert (parts[0].at_s == parts[1].at_s).all()


def test_a_session_is_about_what_it_ordered_or_looked_at_most(tmp_path: Path) -> None:
    table = log("view view purchase", "view view view", "view")
    kinds = ["toys", "toys", "books", "toys", "books", "books", "none", "none"]
    seen = read(table.assign(category_code=kinds), tmp_path, category="category_code")
    about = [seen.types[k] for k in seen.about("checkout")]
    assert sorted(about) == ["books", "books", "none", "none"]  # the last one ends the log


# --- a real log -------------------------------------------------------------------------------------


@pytest.mark.skipif(not LOG.is_file(), reason="the real trace is not here")
def test_the_journeys_of_a_real_log_tell_the_sessions_held_out() -> None:
    found = calibrate(read_clickstream(LOG, Clickstream()))
    held = found.held_out
    assert held.length.distance < held.length.chance
    for row in held.steps.values():
        assert row.ever_low <= row.ever_told <= row.ever_high
    assert [row.product_type for row in found.buys[:3]] == ["all", "electronics", "appliances"]


@pytest.mark.parametrize("sessions", [0, 1, 3])
def test_a_log_of_too_few_sessions_is_said_so(tmp_path: Path, sessions: int) -> None:
    with pytest.raises(HistoryError, match="too few to fit journeys"):
        calibrate(read(log(*["view cart"] * sessions), tmp_path))


def test_a_type_that_is_called_other_is_the_rest(tmp_path: Path) -> None:
    table = log(*["view view"] * 40, product_id=1)
    kinds = ["other" if n % 3 else f"kind{n % 60}" for n in range(len(table))]
    seen = read(table.assign(category_code=kinds), tmp_path, category="category_code")
    assert seen.types[-1] == "other"
    found = calibrate(seen)
    assert sum(one.share["all"] for one in found.products) == pytest.approx(1.0)


def test_a_user_s_column_is_not_asked_for_where_sessions_have_names(tmp_path: Path) -> None:
    file = tmp_path / "plain.csv"
    log(*["view cart"] * 3).to_csv(file, index=False)
    assert read_clickstream(file, Clickstream(category=None)).count == 4


@pytest.mark.parametrize(("exponent", "shift"), [(1.1, 3.0), (0.6, 20.0), (0.4, 5.0)], ids=str)
def test_how_demand_falls_off_is_found_again(exponent: float, shift: float) -> None:
    ranks = np.arange(1, 501)
    weights = (ranks + shift) ** -exponent
    counts = np.sort(np.random.default_rng(2).multinomial(400_000, weights / weights.sum()))[::-1]
    found = fit_popularity(counts.astype(float))
    assert found.items == 500
    assert found.distance < 0.01
    told = (ranks + found.shift) ** -found.exponent
    gap = np.abs(np.cumsum(told / told.sum()) - np.cumsum(weights / weights.sum())).max()
    assert gap < 0.015
