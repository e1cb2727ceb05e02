"""Steps: calls and exchanges, as written and as read."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from gameday.scenario.blocks.steps import Call, Calls, Exchange, Extract, Step

NAMES = st.from_regex(r"[a-z][a-z0-9-]{0,6}", fullmatch=True).flatmap(
    lambda name: st.sampled_from([name, name + "?"])
)
CALLS = TypeAdapter(Calls)


def lists_of(call: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.lists(call | st.lists(call, min_size=1, max_size=3), max_size=3)


TREES = st.recursive(
    NAMES,
    lambda inner: st.builds(lambda n, below: {n: below}, NAMES, lists_of(inner)),
    max_leaves=8,
)
WRITTEN = lists_of(TREES)


def names_in(written: Any) -> list[str]:
    if isinstance(written, str):
        return [written]
    if isinstance(written, dict):
        [(name, below)] = written.items()
        return [name, *names_in(below)]
    return [name for item in written for name in names_in(item)]


@given(written=WRITTEN)
def test_calls_written_read_and_written_again_read_the_same(written: list[Any]) -> None:
    calls = CALLS.validate_json(json.dumps(written))
    again = json.loads(CALLS.dump_json(calls))
    assert CALLS.validate_json(json.dumps(again)) == calls


@given(written=WRITTEN)
def test_every_call_written_is_walked_once_in_the_order_of_writing(written: list[Any]) -> None:
    calls = CALLS.validate_json(json.dumps(written))
    walked = [c for group in calls for call in group for c in call.walk()]
    assert [c.service + "?" * c.optional for c in walked] == names_in(written)


@given(written=WRITTEN)
def test_no_group_of_calls_is_empty(written: list[Any]) -> None:
    calls = CALLS.validate_json(json.dumps([*written, []]))
    walked = [c for group in calls for call in group for c in call.walk()]
    assert all(calls)
    assert all(group for call in walked for group in call.then)


def test_a_list_is_a_sequence_and_a_list_inside_it_goes_out_together() -> None:
    calls = CALLS.validate_python([["stock", "price?"], {"pay": ["bank"]}])
    assert calls == (
        (Call("stock", False, ()), Call("price", True, ())),
        (Call("pay", False, ((Call("bank", False, ()),),)),),
    )


@pytest.mark.parametrize(
    "wrong",
    [
        "stock",
        5,
        None,
        {"a": []},
        [5],
        [None],
        [{}],
        [{"a": [], "b": []}],
        [[["a"]]],
        [{"a": "b"}],
        [{"a": None}],
        [True],
    ],
)
def test_calls_out_of_form_are_refused(wrong: Any) -> None:
    with pytest.raises(ValidationError, match="call"):
        CALLS.validate_json(json.dumps(wrong))


def exchange_of(**fields: Any) -> Exchange:
    return Exchange.model_validate_json(json.dumps({"path": "/", **fields}))


@pytest.mark.parametrize("place", ["jsonpath", "regex", "css", "header"])
def test_an_extraction_has_exactly_one_place(place: str) -> None:
    assert getattr(Extract.model_validate_json(json.dumps({place: "x"})), place) == "x"
    others = {"jsonpath", "regex", "css", "header"} - {place}
    for other in others:
        with pytest.raises(ValidationError, match="exactly one"):
            Extract.model_validate_json(json.dumps({place: "x", other: "y"}))


def test_an_exchange_has_one_body_or_none() -> None:
    assert exchange_of(form={"a": "b"}).json_body is None
    assert exchange_of(json={"a": 1}).json_body == {"a": 1}
    with pytest.raises(ValidationError, match="not several"):
        exchange_of(form={}, json={})


def test_the_json_body_is_written_json_and_nothing_else() -> None:
    with pytest.raises(ValidationError, match="json_body"):
        exchange_of(json_body={"a": 1})


def test_exchanges_in_a_row_are_groups_of_one_and_a_list_is_a_group() -> None:
    block = {"exchanges": [{"path": "/a"}, [{"path": "/b"}, {"path": "/c"}]]}
    step = Step.model_validate_json(json.dumps(block))
    assert [[e.path for e in group] for group in step.exchanges] == [["/a"], ["/b", "/c"]]
    assert [e.path for e in step.each_exchange()] == ["/a", "/b", "/c"]


def test_a_group_without_an_exchange_is_refused() -> None:
    with pytest.raises(ValidationError):
        Step.model_validate_json('{"exchanges": [[], [{"path": "/"}]]}')


def test_the_entry_call_holds_the_exchanges_calls_then_the_products() -> None:
    step = Step.model_validate_json(
        '{"exchanges": [{"path": "/", "calls": ["a"]}], "entry": "door"}'
    )
    extra = ((Call("b", True, ()),),)
    entry = step.entry_call(next(step.each_exchange()), extra)
    assert (entry.service, entry.optional) == ("door", False)
    assert [c.service for c in entry.walk()] == ["door", "a", "b"]


def test_a_block_once_read_cannot_be_changed() -> None:
    exchange = exchange_of()
    with pytest.raises(ValidationError, match="frozen"):
        exchange.path = "/other"
