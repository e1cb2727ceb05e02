"""A limited product: never oversold, never before its minute, no more to one customer, no faster than the line."""

from __future__ import annotations

import math

from hypothesis import given, settings
from hypothesis import strategies as st

from gameday.queueing.limited_sales import DONE, SOLD_OUT, WAITING, Sale
from tests.support import examples

asks = st.lists(
    st.tuples(st.floats(0, 60), st.integers(0, 8), st.sampled_from(["cart", "order"])), max_size=120
)


def sold(sale: Sale, asked: list[tuple[float, int, str]]) -> list[tuple[float, str, str]]:
    """Return (when, what, outcome) of customers who put one in a cart or order what is in it."""
    carts, out = dict[int, int](), []
    for now, customer, what in sorted(asked):
        held = carts.get(customer, 0)
        if what == "cart":
            outcome = sale.put_in_cart(now, held)
            carts[customer] = sale.cart_with(held) if outcome == DONE else held
        else:
            outcome = sale.order(now, held or 1)
            carts[customer] = 0 if outcome == DONE else held
        assert sale.most == 0 or carts[customer] <= sale.most
        out.append((now, what, outcome))
    return out


@given(asked=asks, units=st.integers(0, 30), opens=st.floats(0, 40), most=st.integers(0, 3))
@settings(max_examples=examples(200), deadline=None)
def test_nothing_is_sold_before_the_release_nor_beyond_the_stock(
    asked: list[tuple[float, int, str]], units: int, opens: float, most: int
) -> None:
    sale = Sale(units, opens_s=opens, most=most)
    seen = sold(sale, asked)
    assert all((outcome == WAITING) == (now < opens) for now, _, outcome in seen)
    assert 0 <= sale.left <= units
    gone = [now for now, _, outcome in seen if outcome == SOLD_OUT]
    assert not gone or min(gone) >= opens


@given(asked=asks, units=st.integers(0, 10), more=st.integers(1, 10), most=st.integers(0, 2))
@settings(max_examples=examples(200), deadline=None)
def test_more_stock_never_sells_out_earlier(
    asked: list[tuple[float, int, str]], units: int, more: int, most: int
) -> None:
    def gone(stock: int) -> float:
        seen = sold(Sale(stock, most=most), asked)
        return min((now for now, _, outcome in seen if outcome == SOLD_OUT), default=math.inf)

    assert gone(units) <= gone(units + more)


@given(at=st.lists(st.floats(0, 30), max_size=200), per_s=st.sampled_from([0.2, 1.0, 3.0]))
@settings(max_examples=examples(200), deadline=None)
def test_a_line_lets_on_no_more_than_its_rate_in_any_time(at: list[float], per_s: float) -> None:
    sale = Sale(10**6, opens_s=0.0, admits_per_s=per_s)
    on = [now for now in sorted(at) if sale.put_in_cart(now, 0) == DONE]
    burst = max(1.0, per_s)
    for i, first in enumerate(on):
        for j in range(i, len(on)):
            assert j - i + 1 <= burst + per_s * (on[j] - first) + 1e-6
    assert not at or on  # somebody is always first


def test_who_is_let_on_has_no_line_before_the_second_one() -> None:
    sale = Sale(5, opens_s=0.0, admits_per_s=0.01)
    assert sale.put_in_cart(1.0, 0) == DONE
    assert sale.put_in_cart(1.0, 0) == WAITING
    assert sale.put_in_cart(1.0, 1) == DONE
