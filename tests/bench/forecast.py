"""Print as JSON what the forecast scores and costs. Nothing is asserted.

python -m tests.bench.forecast [traces | orders | longer_event | robots | refresh | coverage | thousand | primeday]

Traces are read from GAMEDAY_TRACES, by default `../shared/data`; without them their parts are left out, aloud.
"""

from __future__ import annotations

import json
import os
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from gameday.forecast.data.calendars import RegionCalendar
from gameday.forecast.data.outliers import find_outliers, mask
from gameday.forecast.data.training_data import Past, daily
from gameday.forecast.evaluation.accuracy import LEVELS, mean_accuracy, score_accuracy
from gameday.forecast.evaluation.rolling_origin import candidate_shapes, quarters_of
from gameday.forecast.model.blend import Blend
from gameday.forecast.model.correction import corrected
from gameday.forecast.model.profile import minute_profile
from gameday.forecast.model.regional import Model, fit_models
from gameday.forecast.model.solve import fit_rows
from gameday.forecast.model.state import refreshed, state_of
from gameday.forecast.model.strength import strength_sigma
from gameday.forecast.rivals import installed
from gameday.forecast.uncertainty.peak_errors import peak_errors
from gameday.forecast.uncertainty.peaks import peak_of
from gameday.scenario.ingredients import Occurrence
from gameday.vocabulary import TimeGrid
from tests.support.made_up import MONDAY, counts_of, law, occurrence, past_of

TRACES = Path(os.environ.get("GAMEDAY_TRACES", Path(__file__).parents[3] / "shared" / "data"))
WEEK_MIN, DAY_MIN = 10080, 1440
ORIGINS = {
    "nasa95_minute": (
        ("1995-07-01", "1995-07-21"),
        ("1995-08-04", "1995-08-18"),
        ("1995-08-04", "1995-08-25"),
    ),
    "wc98_minute": (
        ("1998-05-08", "1998-06-15"),
        ("1998-05-08", "1998-06-22"),
        ("1998-05-08", "1998-06-29"),
    ),
}
"""Start of the past and origin, UTC; a week ahead."""


def _some(full: int, size: float) -> int:
    """Return `full` in the size asked for, and one at least."""
    return max(1, round(full * size))


def _minute(text: str) -> float:
    return float(pd.Timestamp(text).value // 60_000_000_000)


def _trace(name: str) -> pd.Series | None:
    file = TRACES / f"{name}.parquet"
    if not file.is_file():
        print(f"{file}: not there, its part is left out", file=sys.stderr)
        return None
    return pd.read_parquet(file).set_index("ds")["y"].astype(float)


def _calendar(name: str) -> RegionCalendar:
    if name != "wc98_minute":
        return RegionCalendar(name, "UTC")
    from gameday.scenario import load_scenario

    scenario = load_scenario("world-cup")
    events = tuple(
        Occurrence(e.name, e.kind, a.timestamp() / 60, b.timestamp() / 60, 1.0, 0.0, 0.0)
        for e, a, b in scenario.occurrences("world")
        if e.kind in ("match", "season")
    )
    return RegionCalendar(name, "Europe/Paris", occurrences=events)


def _past(series: pd.Series, calendar: RegionCalendar) -> Past:
    first = _minute(str(series.index[0]))
    seen = replace(calendar, seen_from_min=first, seen_until_min=first + len(series))
    start = datetime.fromtimestamp(60 * first, UTC)
    past = Past(seen, TimeGrid(start, len(series)), series.to_numpy(np.float32)[None])
    return mask(past, find_outliers(past, ("y",)), ("y",))


def _said(model: Model, at: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    medians, quantiles = model.quantiles(at, LEVELS)
    return medians[:, 0], quantiles[:, 0]


def _naive(counts: np.ndarray, season: int) -> np.ndarray:
    """Return how far counts lay from those a week before."""
    return counts[season:] - counts[:-season]


def traces(*, size: float = 1.0) -> dict[str, Any]:
    """A week ahead by the minute from three origins, rivals beside; and the next hour after a refresh."""
    out: dict[str, Any] = {}
    for name, origins in ORIGINS.items():
        series = _trace(name)
        if series is None:
            continue
        scored: dict[str, list[Any]] = {}
        hourly, peaks = [], list[tuple[float, bool]]()
        for start, origin in origins[: _some(3, size)]:
            known = series[start : pd.Timestamp(origin) - pd.Timedelta(minutes=1)]
            actual = series[
                origin : pd.Timestamp(origin) + pd.Timedelta(days=7) - pd.Timedelta(minutes=1)
            ].to_numpy()
            past = _past(known, _calendar(name))
            model = fit_models([past], WEEK_MIN, "match")[0]
            at = past.end_min + np.arange(len(actual), dtype=float)
            said, bands = _said(model, at)
            judged = {"gameday": (said, bands)}
            for rival in installed(daily=False):
                judged[rival.name] = (rival(past, at)[:, 0], None)
            for who, (counts, band) in judged.items():
                scored.setdefault(who, []).append(
                    score_accuracy(
                        actual, counts, band, _naive(known.to_numpy(), WEEK_MIN), day=DAY_MIN
                    )
                )
            peaks += _daily_peaks(model, actual)
            moved = corrected(actual, said)
            hourly.append(
                [
                    round(float(np.nansum(np.abs(f - actual)) / np.nansum(actual)), 4)
                    for f in (said, moved)
                ]
            )
        out[name] = {
            "means": {who: asdict(mean_accuracy(rows).rounded()) for who, rows in scored.items()},
            "wape_by_origin": {
                who: [round(r.wape, 4) for r in rows] for who, rows in scored.items()
            },
            "next_hour_frozen_and_refreshed": hourly,
            "daily_peak_published_p50_error": round(float(np.mean([abs(e) for e, _ in peaks])), 4),
            "daily_peaks_within_p10_p90": round(float(np.mean([held for _, held in peaks])), 3),
        }
    return out


def _daily_peaks(model: Model, actual: np.ndarray) -> list[tuple[float, bool]]:
    """Return each day's (error of the published p50 of its highest minute, whether p10 to p90 holds it)."""
    errors, out = peak_errors([(model, 0)]), []
    for day in range(len(actual) // DAY_MIN):
        part = actual[day * DAY_MIN : (day + 1) * DAY_MIN]
        if np.isnan(part).mean() > 0.1:
            continue
        at = model.past.end_min + day * DAY_MIN + np.arange(float(DAY_MIN))
        size = peak_of(model.blend.smooth(at)[:, 0], errors, 0.0).size
        highest = _highest(part)
        out.append((size[0.5] / highest - 1, size[0.1] <= highest <= size[0.9]))
    return out


def orders(*, size: float = 1.0) -> dict[str, Any]:
    """Orders a day, one year ahead of one year."""
    file = TRACES / "uci_retail2_orders.parquet"
    if not file.is_file():
        print(f"{file}: not there, its part is left out", file=sys.stderr)
        return {}
    stamps = pd.read_parquet(file)["ds"].dt.floor("min")
    minutes = pd.date_range("2009-12-01", "2011-12-09 23:59", freq="min")
    series = stamps.value_counts().reindex(minutes, fill_value=0).sort_index().astype(float)
    out = {}
    for origin in ("2010-12-01", "2010-12-10")[: _some(2, size)]:
        at = pd.Timestamp(origin)
        known = series[at - pd.Timedelta(days=365) : at - pd.Timedelta(minutes=1)]
        past = daily(_past(known, RegionCalendar("uk", "UTC", "GB")))
        model = fit_models([past], 365 * DAY_MIN, "sale")[0]
        actual = series[origin:].to_numpy()
        actual = (
            actual[: min(365, len(actual) // DAY_MIN) * DAY_MIN].reshape(-1, DAY_MIN).sum(axis=1)
        )
        days = past.end_min + DAY_MIN * np.arange(len(actual), dtype=float)
        rows = {"gameday": model.blend.counts(days)[:, 0]}
        rows |= {rival.name: rival(past, days)[:, 0] for rival in installed(daily=True)}
        out[origin] = {
            who: asdict(
                score_accuracy(actual, said, None, _naive(past.counts[0], 7), day=1).rounded()
            )
            for who, said in rows.items()
        }
    return out


def _surge(minute: np.ndarray, events: list[tuple[float, float]]) -> np.ndarray:
    """Return the log effect: ramp of 2 h, opening of half-life 60 min, plateau, closing surge, dip of 6 h."""
    log = np.zeros(len(minute))
    for begin, end in events:
        start, stop = minute - begin, minute - end
        inside = (start >= 0) & (stop < 0)
        log += np.where(start < 0, np.clip(1 + start / 120, 0, 1) * 0.4, 0) + 0.9 * inside
        log += np.where(inside, 0.8 * 0.5 ** (np.maximum(start, 0) / 60), 0)
        log += np.where(inside, 0.5 * 0.5 ** (np.maximum(-stop, 0) / 45), 0)
        log += np.where((stop >= 0) & (stop < 360), -0.35 * (1 - stop / 360), 0)
    return log


def longer_event(*, size: float = 1.0) -> dict[str, Any]:
    """Three past events of 24 h, one to come of 48 h on another weekday and hour, injected by one law."""
    series, out = _trace("nasa95_minute"), {}
    bases: dict[str, tuple[np.ndarray, str, str, list[str], str]] = {}
    if series is not None:
        bases["nasa"] = (
            series.to_numpy(),
            "1995-07-01",
            "1995-08-25",
            ["1995-07-06 09:00", "1995-07-18 13:00", "1995-08-09 06:00"],
            "1995-08-26 15:00",
        )
    for seed in range(_some(5, size)):
        bases[f"simulated {seed}"] = (
            counts_of(75, (300.0,), seed=seed, wander=0.012)[0],
            "2026-01-05",
            "2026-03-12",
            ["2026-01-20 09:00", "2026-02-04 13:00", "2026-02-19 06:00"],
            "2026-03-14 15:00",
        )
    for name, (counts, first, origin, before, coming) in bases.items():
        spans = [(_minute(a), _minute(a) + DAY_MIN) for a in before]
        spans.append((_minute(coming), _minute(coming) + 2 * DAY_MIN))
        minute = _minute(first) + np.arange(len(counts), dtype=float)
        happened = counts * np.exp(_surge(minute, spans))
        happened = (
            np.random.default_rng(1).poisson(np.nan_to_num(happened))
            if name != "nasa"
            else np.round(happened)
        )
        happened = np.where(np.isnan(counts), np.nan, happened)
        events = tuple(
            Occurrence(f"e{i}", "sale", a, b, 1.0, 0.0, 0.0) for i, (a, b) in enumerate(spans)
        )
        known = pd.Series(happened, pd.date_range(first, periods=len(counts), freq="min"))[
            : pd.Timestamp(origin)
        ][:-1]
        past = _past(known, RegionCalendar(name, "UTC", occurrences=events))
        model = fit_models([past], int(spans[-1][1] - past.end_min + 720), "sale")[0]
        at = np.arange(*spans[-1])
        said, _ = _said(model, at)
        inside = (at - _minute(first)).astype(int)
        plain = said * np.exp(-model.blend.log_event(at)[:, 0])
        event = score_accuracy(
            happened[inside], said, None, _naive(known.to_numpy(), WEEK_MIN), day=DAY_MIN
        )
        noise = score_accuracy(
            counts[inside], plain, None, _naive(known.to_numpy(), WEEK_MIN), day=DAY_MIN
        )
        out[name] = {
            "event_wape": round(event.wape, 4),
            "same_minutes_without_event": round(noise.wape, 4),
            "normal_minutes_before": round(model.wape(), 4),
            "peak_minutes_off": event.peak_minutes,
            "peak_size": round(event.peak_size, 4),
            "published_peak_p50": round(
                _published_peak(model, at) / _highest(happened[inside]) - 1, 4
            ),
        }
    return out


def _published_peak(model: Model, at: np.ndarray) -> float:
    """Return the p50 of the highest minute, as a team's page has it."""
    return peak_of(
        model.blend.smooth(at)[:, 0], peak_errors([(model, 0)]), strength_sigma([model])
    ).size[0.5]


def _highest(counts: np.ndarray) -> float:
    return float(np.nanmax(counts))


def robots(*, size: float = 1.0) -> dict[str, Any]:
    """Two in a hundred minutes of NASA's log robots or outages: what they damage, what masking undoes."""
    series = _trace("nasa95_minute")
    if series is None:
        return {}
    rows = []
    for start, origin in ORIGINS["nasa95_minute"][: _some(3, size)]:
        known = series[start : pd.Timestamp(origin) - pd.Timedelta(minutes=1)]
        actual = series[
            origin : pd.Timestamp(origin) + pd.Timedelta(days=7) - pd.Timedelta(minutes=1)
        ].to_numpy()
        for seed in (7, 1, 2)[: _some(3, size)]:
            dirty, truth = _with_robots(known.to_numpy(), np.random.default_rng(seed))
            row = {"clean": _wape(known.to_numpy(), origin, actual, masked=False)}
            row["dirty, least squares"] = _plain_wape(dirty, origin, actual)
            row["clean, least squares"] = _plain_wape(known.to_numpy(), origin, actual)
            row["dirty, robust fit"] = _wape(dirty, origin, actual, masked=False)
            row["dirty, masked"] = _wape(dirty, origin, actual, masked=True)
            past = _bare(dirty, origin)
            told = np.zeros(len(dirty), bool)
            for one in find_outliers(past, ("y",)):
                told[past.grid.index_of(one.start) : past.grid.index_of(one.end)] = True
            row |= {
                "found": (told & truth).sum() / truth.sum(),
                "right": (told & truth).sum() / max(told.sum(), 1),
            }
            rows.append(row)
    means = {name: round(float(np.mean([row[name] for row in rows])), 4) for name in rows[0]}
    damage = means["dirty, least squares"] - means["clean"]
    means["share of the damage undone"] = round(
        (means["dirty, least squares"] - means["dirty, masked"]) / damage, 3
    )
    return means


def _with_robots(counts: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Return counts with bursts of 30 to 150 min, 2 to 7 levels on top, every fourth an outage; and where."""
    out, truth = counts.copy(), np.zeros(len(counts), bool)
    for number in range(max(4, int(len(counts) * 0.02 / 90))):
        first = int(rng.integers(0, len(counts) - 200))
        part = slice(first, first + int(rng.integers(30, 150)))
        truth[part] = True
        out[part] = 0 if number % 4 == 3 else out[part] + np.nanmean(out[part]) * rng.uniform(2, 7)
    return out, truth


def _bare(counts: np.ndarray, origin: str) -> Past:
    start = datetime.fromtimestamp(60 * (_minute(origin) - len(counts)), UTC)
    return Past(
        RegionCalendar("nasa", "UTC"), TimeGrid(start, len(counts)), counts.astype(np.float32)[None]
    )


def _wape(counts: np.ndarray, origin: str, actual: np.ndarray, *, masked: bool) -> float:
    past = _bare(counts, origin)
    past = mask(past, find_outliers(past, ("y",)), ("y",)) if masked else past
    model = fit_models([past], WEEK_MIN, "sale")[0]
    said = model.blend.counts(past.end_min + np.arange(len(actual)))[:, 0]
    return float(np.nansum(np.abs(said - actual)) / np.nansum(actual))


def _plain_wape(counts: np.ndarray, origin: str, actual: np.ndarray) -> float:
    """Return the WAPE of the same columns by plain least squares on logs."""
    past = _bare(counts, origin)
    rows = past.rows
    columns = past.design(candidate_shapes(past)[0]).columns(rows.minute, rows.calendar)
    known = ~np.isnan(rows.mean[:, 0])
    matrix = columns.values[known].astype(float)
    gram = matrix.T @ matrix + np.diag(np.abs(columns.penalty)) * 30 * known.sum() / 1e4
    solved = np.linalg.solve(gram, matrix.T @ np.log1p(rows.mean[known, 0]))
    at = past.end_min + np.arange(len(actual), dtype=float)
    asked = past.design(candidate_shapes(past)[0]).columns(at, past.columns(at))
    return float(np.nansum(np.abs(np.expm1(asked.values @ solved) - actual)) / np.nansum(actual))


def refresh(*, size: float = 1.0) -> dict[str, Any]:
    """A level that never moves: what hourly correction adds to the error; and a day of 1,000 series added."""
    worse = []
    for seed in range(_some(40, size)):
        rng = np.random.default_rng(seed)
        plan = law(np.arange(7.0 * DAY_MIN), float(rng.choice([5, 40, 400])))
        counts = rng.poisson(plan).astype(float)
        errors = [np.abs(f - counts).sum() for f in (plan, corrected(counts, plan))]
        worse.append(errors[1] / errors[0] - 1)
    counts, calendar = _panel(series := _some(1000, size), 91)
    past = past_of(counts[:, : 90 * DAY_MIN], calendar)
    model = _quick(past)
    state = replace(
        state_of(_few(model, 2), ("a", "b"), 0.1, 0, _next_day(past)),
        names=tuple(f"t{i}" for i in range(series)),
        blend=model,
        rows=past.rows,
        first_min=past.first_min,
        end_min=past.end_min,
        calendar=past.calendar,
    )
    took = []
    for _ in range(3):
        began = time.perf_counter()
        refreshed(state, counts[:, 90 * DAY_MIN :], TimeGrid(past.grid.end, DAY_MIN))
        took.append(round(time.perf_counter() - began, 2))
    return {
        "harm_on_a_level_that_never_moves": round(float(np.mean(worse)), 4),
        f"day_of_{series}_series_s": took,
    }


def _next_day(past: Past) -> tuple[float, float]:
    return past.end_min, past.end_min + DAY_MIN


def _few(blend: Blend, series: int) -> Model:
    """Return a model of a few series of their own, to have bands to keep."""
    counts, calendar = _panel(series, 28)
    return fit_models([past_of(counts, calendar)], 3 * DAY_MIN, "sale")[0]


def _panel(series: int, days: int) -> tuple[np.ndarray, RegionCalendar]:
    rng = np.random.default_rng(0)
    shape = law(MONDAY.timestamp() / 60 + np.arange(days * float(DAY_MIN)), 1.0)
    counts = np.empty((series, days * DAY_MIN), np.float32)
    for row in counts:
        row[:] = rng.poisson(shape * rng.uniform(5, 500))
    events = tuple(occurrence(day, 24) for day in (20.5, 50.25, 75.0) if day < days)
    return counts, RegionCalendar("here", "UTC", occurrences=(*events, occurrence(days + 30.0, 48)))


def _quick(past: Past) -> Blend:
    fits = tuple(fit_rows(past.rows, past.design(shape)) for shape in candidate_shapes(past))
    weights = np.full((len(fits), len(past.counts)), 1 / len(fits))
    smear = np.ones((24, len(past.counts)))
    profile = minute_profile(past.counts, past.grid, past.calendar)
    quarters = quarters_of(past.rows, fits[0])
    return Blend(fits, weights, profile, quarters, smear, past.columns)


def thousand(*, size: float = 1.0) -> dict[str, Any]:
    """1,000 series of 129,600 minutes: one candidate fitted, 60 days of medians; then selection and bands."""
    out: dict[str, Any] = {}
    for number in (_some(100, size), _some(1000, size)):
        counts, calendar = _panel(number, 90)
        past = past_of(counts, calendar)
        began = time.perf_counter()
        fit = fit_rows(past.rows, past.design(candidate_shapes(past)[0]))
        profile = minute_profile(past.counts, past.grid, past.calendar)
        quarters = quarters_of(past.rows, fit)
        blend = Blend(
            (fit,), np.ones((1, number)), profile, quarters, np.ones((24, number)), past.columns
        )
        for day in range(60):
            blend.counts(past.end_min + DAY_MIN * day + np.arange(float(DAY_MIN)))
        fitted = time.perf_counter() - began
        row = {
            "fit_and_60_days_s": round(fitted, 2),
            "ms_a_series": round(1000 * fitted / number, 1),
        }
        row["memory_gib"] = round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20, 2)
        began = time.perf_counter()
        state_of(
            fit_models([past], 60 * DAY_MIN, "sale")[0],
            tuple(f"t{i}" for i in range(number)),
            0.1,
            0,
            _next_day(past),
        )
        row["selection_and_bands_s"] = round(time.perf_counter() - began, 1)
        row["memory_with_selection_gib"] = round(
            resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20, 2
        )
        out[str(number)] = row
    return out


def coverage(*, size: float = 1.0) -> dict[str, Any]:
    """The 80 % and 95 % bands over 200 histories in full, each counted once."""
    from tests.forecast.test_coverage import shares

    out, most = {}, max(2, _some(200, size))
    for wander in (0.0, 0.02):
        found = np.array([shares(seed, wander) for seed in range(most)])
        out[f"level wanders by {wander:g} an hour"] = {
            "mean": found.mean(axis=0).round(4).tolist(),
            "standard_error": (found.std(axis=0) / np.sqrt(most)).round(4).tolist(),
        }
    return out


def primeday(*, size: float = 1.0) -> dict[str, Any]:
    """Two years, two regions, six steps: fit and 48 h by the minute with bands; the past was made before."""
    from gameday.forecast import forecast_demand
    from gameday.history import read_history
    from gameday.scenario import load_scenario
    from gameday.vocabulary import Seed

    with tempfile.TemporaryDirectory() as folder:
        os.environ.setdefault("GAMEDAY_CACHE", folder)
        scenario = load_scenario("primeday")
        history = read_history(scenario, file=None, seed=Seed(1))
        began = time.perf_counter()
        demand = forecast_demand(scenario, history)
        return {"forecast_s": round(time.perf_counter() - began, 2), "race": demand.benchmark}


PARTS: dict[str, Callable[..., dict[str, Any]]] = {
    part.__name__: part
    for part in (traces, orders, longer_event, robots, refresh, coverage, thousand, primeday)
}


if __name__ == "__main__":
    asked = sys.argv[1:] or list(PARTS)
    print(json.dumps({name: PARTS[name]() for name in asked}, indent=1))
