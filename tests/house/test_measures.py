"""The measures of the house count what they say."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.house.measures import circles, rooms_of, share_of_total, tokens_of_functions

TEXT = '''
def add(first: int, second: int) -> int:
    """Return the sum."""
    # why
    return first + second
'''


def test_a_function_s_tokens_are_without_comments_and_newlines_and_a_docstring_is_one() -> None:
    head, docstring, body = 14, 1, 4
    assert tokens_of_functions(TEXT) == {("add", 2): head + docstring + body}


def test_rooms_count_what_a_reader_meets(tmp_path: Path) -> None:
    house = tmp_path / "gameday"
    for room in ("one", "two"):
        (house / room).mkdir(parents=True)
        (house / room / "__init__.py").write_text("")
    (house / "one" / "a.py").write_text(
        "from gameday.two.b import b\nfrom gameday.two import c\n"
        "def told() -> dict[str, Any]: return {}  # fmt: skip\n"
        "def many(a, b, c, d, e, f, g, h, i): return a\n"
    )
    (house / "two" / "b.py").write_text("from gameday.two.c import c\nb = c\n")
    (house / "two" / "c.py").write_text("from gameday.two.b import b\nc = 1\n")
    rooms = rooms_of(house)
    first = rooms["one"]
    assert (first.past_doors, first.dicts, first.unformatted, first.parameters) == (1, 1, 1, 1)
    assert (first.files, rooms["two"].files, rooms["two"].past_doors) == (2, 3, 0)
    assert circles(house) == [["gameday.two.b", "gameday.two.c"]]


def test_mypy_s_report_is_read_by_its_total_and_no_other_line() -> None:
    rows = "Name Anys Exprs Coverage\n---------\nmain 5 50 90.00%\n---------\nTotal 5 50 90.00%\n"
    assert share_of_total(rows) == 0.1
    with pytest.raises(RuntimeError, match="otherwise"):
        share_of_total("main 5 50 90.00%\n")
