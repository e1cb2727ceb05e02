"""Whatever is typed wrong ends in one clear message, the right exit code, and no trace."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from tests.support import by_night
from tests.support.bad_input_table import BAD, BadInput, ask, furnished

_MOST_LINES = 3
BY_NIGHT = (
    "disk full at the forecast",
    "disk full at the second note",
    "--out and /tmp on a full disk",
)


@pytest.fixture(scope="module")
def at(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    with furnished(tmp_path_factory.mktemp("bad")) as names:
        yield names


@pytest.mark.parametrize(
    "row", [by_night(row) if row.what in BY_NIGHT else row for row in BAD], ids=lambda row: row.what
)
def test_bad_input_gets_its_exit_code_and_one_message_with_a_remedy(
    row: BadInput, at: dict[str, str]
) -> None:
    said = ask(row, at)
    assert "Traceback" not in said.error, said.error[-1500:]
    assert said.code == row.code, said.error[-600:]
    assert re.search(row.says, said.message, re.S), said.message
    assert len(said.message.splitlines()) <= _MOST_LINES, said.message
    assert "\x1b" not in said.error


def test_the_table_has_no_row_twice() -> None:
    assert len({row.what for row in BAD}) == len(BAD) >= 30
