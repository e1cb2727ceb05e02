"""Longer rows: their minutes lie as finer weeks do, each row keeps its total, and what nobody can tell is said."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from gameday.errors import HistoryError
from gameday.forecast.data.calendars import bare_calendars
from gameday.forecast.data.coarse_rows import minutes_of_rows, row_notes, tells_minutes
from gameday.forecast.data.preparation import prepare
from gameday.forecast.model.regional import Model
from gameday.forecast.uncertainty.peak_errors import peak_errors
from gameday.forecast.uncertainty.peaks import peak_of
from gameday.history import CoarseRows, History
from tests.support.made_up import counts_of, history_of, model_of

DAY = 1440
LEVEL = 60.0


def coarse(history: History, stretches: list[tuple[int, int]]) -> History:
    """Return a history of one series with so many days each of rows of so many minutes, as it would be read."""
    counts, first, runs = history.counts.copy(), 0, []
    for days, minutes in stretches:
        part = slice(first, first + days * DAY)
        if minutes > 1:
            means = counts[0, 0, part].reshape(-1, minutes).mean(axis=1)
            counts[0, 0, part] = np.repeat(means, minutes)
            runs.append(CoarseRows(0, 0, np.arange(first, first + days * DAY + 1, minutes)))
        first += days * DAY
    return replace(history, counts=counts, coarse=tuple(runs))


def past_of_days(days: int, seed: int) -> tuple[History, np.ndarray]:
    """Return so many days, and the day after them."""
    counts = counts_of(days + 1, (LEVEL,), seed=seed, wander=0.01)
    return history_of(counts[:, : days * DAY], ("y",)), counts[0, days * DAY :]


def model_from(history: History) -> Model:
    (past,), _ = prepare(bare_calendars(history, "UTC", None), history)
    return model_of(past, days_ahead=2)


@pytest.mark.parametrize(
    "stretches", [[(35, 30)], [(35, 60)], [(25, 60), (10, 1)], [(25, 1440), (10, 1)]]
)
def test_every_row_keeps_its_total(stretches: list[tuple[int, int]]) -> None:
    plain, _ = past_of_days(35, 1)
    history = coarse(plain, stretches)
    [minutes] = minutes_of_rows(history, bare_calendars(history, "UTC", None))
    daily = [each.reshape(-1, DAY).sum(axis=1) for each in (minutes[0], plain.counts[0, 0])]
    np.testing.assert_allclose(daily[0], daily[1], rtol=1e-4)
    [first] = [rows for rows in history.coarse if rows.edges[0] == 0]
    inside = slice(0, first.edges[-1])
    assert np.std(np.diff(minutes[0, inside])) > 1, "minutes have the chance of counts"


@pytest.mark.parametrize("stretches", [[(35, 60)], [(25, 60), (10, 1)], [(25, 1440), (10, 1)]])
def test_a_forecast_from_longer_rows_is_nearly_that_from_minutes(
    stretches: list[tuple[int, int]],
) -> None:
    plain, _ = past_of_days(35, 2)
    at = 60 * 0.0 + plain.grid.epoch_min + plain.grid.slots + np.arange(DAY, dtype=float)
    fine, rough = (
        model_from(history).blend.counts(at)[:, 0] for history in (plain, coarse(plain, stretches))
    )
    assert rough.sum() == pytest.approx(fine.sum(), rel=0.03)
    assert np.abs(rough - fine).sum() / fine.sum() < 0.06


def test_minutes_and_peaks_ahead_of_hours_lie_within_their_bands() -> None:
    held, peaks = [], []
    for seed in range(4):
        plain, came = past_of_days(35, 10 + seed)
        model = model_from(coarse(plain, [(35, 60)]))
        at = model.past.end_min + np.arange(DAY, dtype=float)
        _, bands = model.quantiles(at, (0.1, 0.9))
        held.append(np.mean((came >= bands[:, 0, 0]) & (came <= bands[:, 0, 1])))
        size = peak_of(model.blend.smooth(at)[:, 0], peak_errors([(model, 0)]), 0.0).size
        peaks.append(size[0.5] / came.max())
    assert 0.72 < np.mean(held) < 0.9
    assert np.mean(peaks) == pytest.approx(1, abs=0.06)


def test_it_is_said_whose_minutes_are_borrowed_and_from_when() -> None:
    plain, _ = past_of_days(35, 3)
    calendars = bare_calendars(plain, "UTC", None)
    [note] = row_notes(coarse(plain, [(25, 60), (10, 1)]), calendars)
    assert "its own minutes of 2026-01-30 to 2026-02-09" in note
    [note] = row_notes(coarse(plain, [(35, 60)]), calendars)
    assert "lines from row to row" in note
    assert not row_notes(plain, calendars)


def test_days_alone_do_not_tell_minutes_and_that_is_refused() -> None:
    plain, _ = past_of_days(35, 4)
    history = coarse(plain, [(35, 1440)])
    assert tells_minutes(plain)
    assert not tells_minutes(history)
    with pytest.raises(
        HistoryError, match="no finer ones tell how a day goes; give at least 7 days"
    ):
        prepare(bare_calendars(history, "UTC", None), history)
    prepare(bare_calendars(history, "UTC", None), history, by_day=True)


def test_a_series_of_days_borrows_from_the_others_of_its_region() -> None:
    counts = counts_of(35, (LEVEL, 200.0), seed=5)
    history = history_of(counts, ("a", "b"))
    days = np.repeat(counts[0].reshape(-1, DAY).mean(axis=1), DAY)
    mixed = replace(
        history,
        counts=np.stack([np.stack([days, counts[1]])]).astype(np.float32),
        coarse=(CoarseRows(0, 0, np.arange(0, 35 * DAY + 1, DAY)),),
    )
    [minutes] = minutes_of_rows(mixed, bare_calendars(mixed, "UTC", None))
    shape = [
        minutes[0].reshape(-1, 24, 60).sum(axis=(0, 2)),
        counts[0].reshape(-1, 24, 60).sum(axis=(0, 2)),
    ]
    np.testing.assert_allclose(shape[0], shape[1], rtol=0.08)
    assert "the minutes of all series" in row_notes(mixed, bare_calendars(mixed, "UTC", None))[0]
