"""What `{word}` stands for: drawn by the customer's key, counted, read in a feed, or found before."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from tests.support import examples
from tests.support.small_words import Who, said_by, speakers

LEVEL = 1e-4
"""Chance fails a test of it at a fixed seed this seldom."""

VALUES: dict[str, Any] = {
    "evenly": {"choice": ["red", 2, 3.5]},
    "weighed": {"choice": {"often": 6.0, "seldom": 1.0, "now and then": 3.0}},
    "whole": {"whole": [-3, 6]},
    "one": {"whole": [5, 5]},
    "ticket": {"counter": {"start": 1000, "by": 7}},
    "plain": {"counter": {}},
    "price": {"by_product": {"toy": 9.5, "book": "twelve"}},
    "kept": {"choice": list("abcdefghijklmnop"), "drawn": "session"},
    "anew": {"choice": list("abcdefghijklmnop")},
}
CHANGES: dict[str, Any] = {
    "values": VALUES,
    "products": {"toy": {"share": {"eu": 0.5}, "items": 12}, "book": {"share": {"eu": 0.5}}},
    "feeds": {"people": {"file": "people.csv"}, "wares": {"file": "people.csv", "pick": "drawn"}},
}
PEOPLE = (
    'name,city\nada,London\ngrace,New York\nedsger,Rotterdam\nniklaus,\nbarbara,"Los, Angeles"\n'
)
ROWS = [
    ("ada", "London"),
    ("grace", "New York"),
    ("edsger", "Rotterdam"),
    ("niklaus", ""),
    ("barbara", "Los, Angeles"),
]


@pytest.fixture(scope="module")
def says(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, Who], str]:
    return said_by(tmp_path_factory.mktemp("words"), CHANGES, {"people.csv": PEOPLE})


Says = Callable[[str, Who], str]
whoever = st.builds(
    Who,
    st.integers(0, 2**32 - 1),
    st.integers(0, 499),
    st.integers(0, 2**64 - 1),
    product_type=st.sampled_from(["toy", "book"]),
)


def drawn(says: Says, word: str, count: int = 6000) -> Counter[str]:
    return Counter(says(word, who) for who in speakers(count))


def test_a_choice_from_a_list_is_drawn_evenly(says: Says) -> None:
    counts = drawn(says, "evenly")
    assert set(counts) == {"red", "2", "3.5"}
    assert stats.chisquare(list(counts.values())).pvalue > LEVEL


def test_a_choice_by_weight_is_drawn_by_weight(says: Says) -> None:
    counts = drawn(says, "weighed")
    weights = VALUES["weighed"]["choice"]
    assert set(counts) == set(weights)
    expected = [6000 * weights[name] / 10.0 for name in counts]
    assert stats.chisquare(list(counts.values()), expected).pvalue > LEVEL


def test_a_whole_number_is_drawn_evenly_from_both_ends_included(says: Says) -> None:
    counts = drawn(says, "whole")
    assert set(counts) == {str(n) for n in range(-3, 7)}
    assert stats.chisquare(list(counts.values())).pvalue > LEVEL
    assert set(drawn(says, "one", 50)) == {"5"}


@given(who=whoever)
@settings(deadline=None)
def test_every_draw_is_one_of_what_was_offered(says: Says, who: Who) -> None:
    assert says("evenly", who) in {"red", "2", "3.5"}
    assert says("weighed", who) in VALUES["weighed"]["choice"]
    assert -3 <= int(says("whole", who)) <= 6
    assert (says("wares.name", who), says("wares.city", who)) in ROWS


@given(one=st.integers(0, 2**32 - 1), other=st.integers(0, 2**32 - 1))
def test_a_counter_gives_no_number_to_two_customers_and_knows_of_no_worker(
    says: Says, one: int, other: int
) -> None:
    assert says("ticket", Who(one, position=3)) == str(1000 + 7 * one)
    assert says("plain", Who(one)) == str(one)
    assert (says("ticket", Who(one)) == says("ticket", Who(other))) == (one == other)


def test_a_value_by_product_is_that_of_what_the_session_is_about(says: Says) -> None:
    assert says("price", Who(product_type="toy")) == "9.5"
    assert says("price", Who(product_type="book")) == "twelve"
    assert says("price", Who(product_type="")) == ""


def test_a_value_is_drawn_anew_at_each_step_or_kept_for_the_session(says: Says) -> None:
    for who in speakers(50):
        there = [Who(who.session, place) for place in range(30)]
        assert len({says("kept", at) for at in there}) == 1
        assert len({says("anew", at) for at in there}) > 5
        assert len({says("anew", at) for at in [there[4]] * 3}) == 1
    assert len(drawn(says, "kept", 500)) == 16


def test_two_values_and_two_steps_are_drawn_independently(says: Says) -> None:
    everybody = speakers(6000)
    letters = "abcdefghijklmnop"
    kept, anew, later = (
        np.array([letters.index(says(word, Who(who.session, place))) for who in everybody])
        for word, place in (("kept", 0), ("anew", 0), ("anew", 1))
    )
    for one, other in ((kept, anew), (anew, later)):
        assert stats.pearsonr(one, other).pvalue > LEVEL


@given(who=whoever)
@settings(deadline=None, max_examples=examples(30))
def test_another_value_after_them_moves_the_draws_of_none(says: Says, more: Says, who: Who) -> None:
    for word in VALUES:
        assert says(word, who) == more(word, who)


@pytest.fixture(scope="module")
def more(tmp_path_factory: pytest.TempPathFactory) -> Says:
    changes = CHANGES | {"values": VALUES | {"zz": {"choice": ["x", "y"]}}}
    return said_by(tmp_path_factory.mktemp("more"), changes, {"people.csv": PEOPLE})


# Feeds


def test_a_feed_in_turn_gives_session_n_row_n_and_begins_anew_after_the_last(says: Says) -> None:
    for who in speakers(23):
        row = (says("people.name", who), says("people.city", who))
        assert row == ROWS[who.session % len(ROWS)]
        later = Who(who.session, position=9)
        assert says("people.name", later) == row[0]


def test_a_feed_by_draw_gives_each_row_as_often_and_a_customer_one_row(says: Says) -> None:
    rows = Counter((says("wares.name", w), says("wares.city", w)) for w in speakers(4000))
    assert set(rows) == set(ROWS)
    assert stats.chisquare(list(rows.values())).pvalue > LEVEL
    for who in speakers(20):
        assert len({says("wares.name", Who(who.session, place)) for place in range(9)}) == 1


def test_two_feeds_of_one_file_are_drawn_independently(tmp_path: Path) -> None:
    feeds = {name: {"file": "people.csv", "pick": "drawn"} for name in ("one", "other")}
    says = said_by(tmp_path, {"feeds": feeds}, {"people.csv": PEOPLE})
    same = sum(says("one.name", who) == says("other.name", who) for who in speakers(2000))
    assert stats.binomtest(same, 2000, 1 / len(ROWS)).pvalue > LEVEL


def test_a_feed_may_be_parquet_and_says_the_same(tmp_path: Path) -> None:
    import pyarrow as pa
    from pyarrow import parquet

    table = pa.table({"name": ["ada", None], "number": [7, 8], "share": [0.5, 1.0]})
    parquet.write_table(table, tmp_path / "people.parquet")
    says = said_by(tmp_path, {"feeds": {"people": {"file": "people.parquet"}}})
    words = ("people.name", "people.number", "people.share")
    assert [[says(word, who) for word in words] for who in speakers(2)] == [
        ["ada", "7", "0.5"],
        ["", "8", "1.0"],
    ]


@pytest.mark.parametrize("text", ["id\n007\n1e3\n", "id\r\n007\r\n1e3\r\n", "\ufeffid\n007\n1e3\n"])
def test_a_feed_says_what_stands_in_it_letter_by_letter(text: str, tmp_path: Path) -> None:
    says = said_by(tmp_path, {"feeds": {"people": {"file": "a.csv"}}}, {"a.csv": text})
    assert [says("people.id", who) for who in speakers(2)] == ["007", "1e3"]


# Words every customer has


def test_every_customer_has_a_name_and_every_order_a_key_of_its_own(says: Says) -> None:
    everybody = [Who(session, place) for session in range(60) for place in range(4)]
    for word, count in (("customer", 60), ("password", 60), ("order_key", 240)):
        assert len({says(word, who) for who in everybody}) == count
    assert {says("run", who) for who in everybody} == {"r1"}
    assert {says("region", who) for who in everybody} == {"eu"}
    assert all("r1" in says("order_key", who) for who in everybody)


def test_a_product_is_one_of_its_types_articles(says: Says) -> None:
    named = {says("product", Who(n, product_type="toy")) for n in range(500)}
    assert named == {f"toy-{n}" for n in range(12)}
    assert says("product_type", Who(product_type="book")) == "book"


def test_what_a_reply_gave_is_said_in_place_of_the_customers_own_word(tmp_path: Path) -> None:
    found = {"extract": {"product": {"header": "X-P"}, "token": {"header": "X-T"}}}
    says = said_by(tmp_path, {"steps": {"home": {"exchanges": [{"path": "/", **found}]}}})
    plain, taught = Who(), Who(memory={"product": "p-9", "token": "t"})
    assert (says("product", taught), says("token", taught)) == ("p-9", "t")
    assert says("product", plain) == says("product", Who(memory={})) == "-0"
    assert says("token", plain) == ""
