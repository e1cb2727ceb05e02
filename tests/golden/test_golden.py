"""Texts made from the code stand as the code makes them."""

from tests.golden import stale


def test_no_golden_text_is_stale() -> None:
    assert stale() == []
