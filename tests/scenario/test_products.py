"""Product types: what one may say of them, and what that changes in the calls of a step."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from gameday.scenario.blocks.products import Popularity, Product
from gameday.scenario.blocks.steps import Step


def product(**says: Any) -> Product:
    return Product.model_validate_json(json.dumps({"share": {"us": 1.0}} | says))


@given(exponent=st.floats(0, 3), shift=st.floats(0, 50), items=st.integers(1, 400))
def test_popularity_falls_by_rank_as_zipf_and_mandelbrot_say(
    exponent: float, shift: float, items: int
) -> None:
    weights = Popularity(exponent=exponent, shift=shift).weights(items)
    assert len(weights) == items
    assert (np.diff(weights) <= 0).all()
    ranks = np.arange(1, items + 1)
    np.testing.assert_allclose(np.log(weights), -exponent * np.log(ranks + shift), atol=1e-9)


@pytest.mark.parametrize(
    ("says", "why"),
    [
        ({"popularity": {}}, "exponent"),
        ({"popularity": {"exponent": 1.0, "counts": [1]}}, "not both"),
        ({"popularity": {"counts": [0, 0]}, "items": 2}, "asked for"),
        ({"popularity": {"counts": [3, 1]}, "items": 5}, "has 2 articles, `items` 5"),
        ({"price": 0}, "greater than 0"),
        ({"stock": {"us": -1}}, "greater than or equal to 0"),
        ({"hours": [0.0] * 24}, "at least one hour"),
    ],
    ids=str,
)
def test_what_cannot_be_is_refused(says: dict[str, Any], why: str) -> None:
    with pytest.raises(ValidationError, match=why):
        product(**says)


@pytest.mark.parametrize(
    ("without", "left"),
    [
        (["stock"], "price > pay"),
        (["pay"], "price stock"),
        (["price", "pay"], "stock"),
        ([], "price > pay stock"),
    ],
    ids=str,
)
def test_nobody_calls_what_a_product_is_without(without: list[str], left: str) -> None:
    step = Step.model_validate_json(
        json.dumps({"exchanges": [{"path": "/", "calls": [[{"price": ["pay"]}, "stock"]]}]})
    )
    [exchange] = step.each_exchange()
    call = step.entry_call(exchange).without(frozenset(without))

    def told(groups: Any) -> str:
        return " ".join(
            one.service + (f" > {told(one.then)}" if one.then else "") for g in groups for one in g
        )

    assert told(call.then) == left
