"""What a person watches: plain lines where there is no terminal, and never on standard output."""

from __future__ import annotations

import pytest

from gameday.live import Show


def test_a_phase_is_named_when_it_begins_and_told_with_its_last_detail_when_it_ends(
    capsys: pytest.CaptureFixture[str],
) -> None:
    show = Show()
    with show.phase("forecast"):
        show.update("fitting")
        show.update("backtest WAPE 4.2 % a minute")
    out, err = capsys.readouterr()
    lines = [line.strip() for line in err.splitlines()]
    assert out == ""
    assert lines[0] == "forecast ..."
    assert lines[-1].startswith("forecast ")
    assert lines[-1].endswith("backtest WAPE 4.2 % a minute")


def test_plain_lines_carry_no_control_characters(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    show = Show()
    with show.phase("swarm", total=10):
        show.update("+1 s of 10", done=1)
    assert not [c for c in capsys.readouterr().err if ord(c) < 32 and c != "\n"]


def test_a_quiet_show_says_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    show = Show(quiet=True)
    with show.phase("swarm"):
        show.update("detail")
    assert capsys.readouterr() == ("", "")


def test_a_detail_does_not_leak_into_the_next_phase(capsys: pytest.CaptureFixture[str]) -> None:
    show = Show(quiet=False)
    with show.phase("one"):
        show.update("of the first")
    with show.phase("two"):
        pass
    last = [line for line in capsys.readouterr().err.splitlines() if "two" in line][-1]
    assert "of the first" not in last


def test_a_detail_with_brackets_is_shown_as_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    show = Show()
    with show.phase("swarm"):
        show.update("at http://[::1]:8080 [bold]now[/bold]")
    assert "http://[::1]:8080 [bold]now[/bold]" in capsys.readouterr().err


def test_a_line_with_a_closing_bracket_word_does_not_end_the_run(
    capsys: pytest.CaptureFixture[str],
) -> None:
    show = Show()
    with show.phase("swarm"):
        show.update("[/]")
    assert "[/]" in capsys.readouterr().err


def test_a_phase_that_fails_lets_its_error_through_and_the_next_phase_works(
    capsys: pytest.CaptureFixture[str],
) -> None:
    show = Show()
    with pytest.raises(ZeroDivisionError), show.phase("forecast"):
        raise ZeroDivisionError
    with show.phase("swarm"):
        show.update("fine")
    assert "fine" in capsys.readouterr().err


def test_a_terminal_phase_that_fails_does_not_leave_its_bar_behind(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("FORCE_COLOR", "1")
    show = Show()
    if not show.alive:
        pytest.skip("rich does not take this stream for a terminal")
    with pytest.raises(ZeroDivisionError), show.phase("forecast"):
        raise ZeroDivisionError
    show.update("after the failure")
    with show.phase("swarm", total=2):
        show.update("one", done=1)
    assert "swarm" in capsys.readouterr().err
