"""Print as JSON how the forecast does on the sets in hand, by window and by setting. Nothing is asserted.

python -m tests.bench.forecast_sets [windows | settings | lengths | services]

windows   the highest minute of 1 to 90 days: how often its p90 holds, and its loss beside naive max
settings  how members are weighed: the choice that is best on the other sets, on the one left out
lengths   the same past by the minute, hour and as old hours beside new minutes
services  one run for 300 services in five regions: time and memory
Traces are read from GAMEDAY_TRACES, by default `../shared/data`; without them their parts are left out, aloud.
"""

from __future__ import annotations

import json
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from gameday.forecast.data.calendars import RegionCalendar, bare_calendars
from gameday.forecast.data.preparation import prepare
from gameday.forecast.data.training_data import Past
from gameday.forecast.evaluation.member_weights import SETTINGS, Settings, member_weights
from gameday.forecast.model.regional import Model, fit_models, heard
from gameday.forecast.uncertainty.peak_errors import peak_errors
from gameday.forecast.uncertainty.peaks import busy_days, peak_of
from gameday.history import CoarseRows, History
from gameday.jobs.service_forecast import ServiceOrder, forecast_services
from gameday.live import Show
from gameday.scenario.reading import read_scenario
from gameday.vocabulary import Seed, TimeGrid
from tests.bench.forecast import DAY_MIN, TRACES, _calendar, _past, _some, _trace
from tests.support.made_up import counts_of

LEVEL = 0.9
MOST_DAYS = 200
"""Days of a past that a model is fitted to here."""


@dataclass(frozen=True)
class Case:
    """A series from one origin."""

    set: str
    known: pd.Series
    actual: pd.Series
    calendar: RegionCalendar
    days: int

    def past(self) -> Past:
        return _past(self.known, self.calendar)

    def model(self) -> Model:
        return fit_models([self.past()], self.days * DAY_MIN, "match")[0]


def _sets() -> Iterator[tuple[str, pd.Series, RegionCalendar, dict[int, tuple[str, ...]]]]:
    """Yield (name, counts a minute, calendar, days ahead -> origins)."""
    nasa, wc98 = _trace("nasa95_minute"), _trace("wc98_minute")
    if nasa is not None:
        origins = {
            7: ("1995-08-18",),
            14: ("1995-08-05", "1995-08-10", "1995-08-16"),
            30: ("1995-07-30",),
        }
        yield "nasa", nasa, RegionCalendar("nasa", "UTC"), origins
    if wc98 is not None:
        origins = {
            7: ("1998-06-15", "1998-06-22", "1998-06-29"),
            14: ("1998-06-05", "1998-06-20", "1998-07-05"),
            30: ("1998-06-05", "1998-06-20"),
        }
        yield "wc98", wc98, _calendar("wc98_minute"), origins
    file = TRACES / "uci_retail2_orders.parquet"
    if file.is_file():
        stamps = pd.read_parquet(file)["ds"].dt.floor("min")
        minutes = pd.date_range("2009-12-01", "2011-12-09 23:59", freq="min")
        counts = stamps.value_counts().reindex(minutes, fill_value=0).sort_index().astype(float)
        origins = {
            7: ("2011-05-01",),
            30: ("2010-11-01", "2011-03-01", "2011-07-01"),
            90: ("2010-09-01", "2011-02-01", "2011-06-01", "2011-09-01"),
        }
        yield "uci", counts, RegionCalendar("uk", "UTC", "GB"), origins
    for seed in range(3):
        made = counts_of(220, (300.0,), seed=seed, wander=0.012)[0]
        counts = pd.Series(made, pd.date_range("2026-01-05", periods=len(made), freq="min"))
        origins = {7: ("2026-03-01",), 30: ("2026-04-01", "2026-06-01"), 90: ("2026-05-01",)}
        yield f"simulated {seed}", counts, RegionCalendar("simulated", "UTC"), origins


def _cases(days: tuple[int, ...]) -> Iterator[Case]:
    for name, counts, calendar, origins in _sets():
        for ahead, each in origins.items():
            for origin in each if ahead in days else ():
                at = pd.Timestamp(origin)
                known = counts[: at - pd.Timedelta(minutes=1)][-MOST_DAYS * DAY_MIN :]
                actual = counts[at : at + pd.Timedelta(days=ahead) - pd.Timedelta(minutes=1)]
                yield Case(name, known, actual, calendar, ahead)


def windows(*, size: float = 1.0) -> dict[str, Any]:
    """The highest minute, and five minutes, of windows of 1 to 90 days from each origin."""
    rows = list[dict[str, Any]]()
    cases = list(_cases((14, 30, 90)))
    for case in cases[-_some(len(cases), size) :]:
        rows += _windows_of(case)
    table = pd.DataFrame(rows)
    return {
        f"{days} days": {
            "windows": len(part),
            "p90 holds": round(float(part["held"].mean()), 3),
            "p90 of five minutes holds": round(float(part["held_five"].mean()), 3),
            "came over p50, median": round(float(part["ratio"].median()), 3),
            "pinball over naive max": round(float(part["loss"].mean() / part["naive"].mean()), 3),
            "by set": part.groupby("set")["held"].mean().round(3).to_dict(),
        }
        for days, part in table.groupby("days")
    }


def _windows_of(case: Case) -> Iterator[dict[str, Any]]:
    model, actual, before = case.model(), case.actual.to_numpy(), case.known.to_numpy()
    for days in (1, 7, 14, 30, 90):
        for first in range(0, len(actual) // DAY_MIN - days + 1, days):
            part = actual[first * DAY_MIN : (first + days) * DAY_MIN]
            if np.isnan(part).mean() > 0.1 or not np.nanmax(part) > 0:
                continue
            at = model.past.end_min + first * DAY_MIN + np.arange(days * float(DAY_MIN))
            smooth = model.blend.smooth(at)[:, 0]
            peak = peak_of(smooth, peak_errors([(model, 0)], busy_days(smooth)), 0.0)
            highest, earlier = float(np.nanmax(part)), before[-days * DAY_MIN :]
            naive = float(np.nanmax(earlier)) if np.isfinite(earlier).any() else highest
            five = float(np.nanmax(np.convolve(part, np.full(5, 0.2), "valid")))
            yield {
                "set": case.set.split()[0],
                "days": days,
                "held": highest <= peak.size.get(LEVEL, np.inf),
                "held_five": five <= peak.five_minutes.get(LEVEL, np.inf),
                "ratio": highest / peak.size[0.5],
                "loss": _pinball(highest, peak.size.get(LEVEL, peak.size[0.5])) / highest,
                "naive": _pinball(highest, naive) / highest,
            }


def _pinball(came: float, said: float) -> float:
    return max(LEVEL * (came - said), (LEVEL - 1) * (came - said))


def _choices() -> list[Settings]:
    """Return the settings that are compared: ours, and others beside it in each."""
    near = {
        "level_power": (8.0, 32.0),
        "member_power": (3.0, 8.0, 12.0),
        "members": (0.4, 0.8, 1.0),
        "weighed": (0.5, 2.0),
        "fades": (0.25, 1.0),
    }
    others = [replace(SETTINGS, **{name: v}) for name, values in near.items() for v in values]
    return [SETTINGS, *others]


def settings(*, size: float = 1.0) -> dict[str, Any]:
    """A week ahead by each choice of settings; the best of the other sets on the one left out, over ours."""
    choices = _choices()[: _some(len(_choices()), max(size, 0.15))]
    cases = list(_cases((7,)))[-_some(12, size) :]
    wapes: dict[str, list[list[float]]] = {}
    for case in cases:
        wapes.setdefault(case.set.split()[0], []).append(_wapes(case, choices))
    means = {name: np.log(np.array(rows)).mean(axis=0) for name, rows in wapes.items()}
    out = {}
    for name, own in means.items():
        rest = [row - row[0] for other, row in means.items() if other != name] or [own - own[0]]
        best = int(np.mean(rest, axis=0).argmin())
        out[name] = {
            "best on the other sets": asdict(choices[best]),
            "its WAPE here over ours": round(float(np.exp(own[best] - own[0])), 4),
            "best here over ours": round(float(np.exp(own.min() - own[0])), 4),
        }
    return out


def _wapes(case: Case, choices: list[Settings]) -> list[float]:
    model, actual = case.model(), case.actual.to_numpy()
    at = model.past.end_min + np.arange(float(len(actual)))
    out = []
    for choice in choices:
        weights = heard(member_weights(model.folds, choice), model.blend.others)
        said = replace(model.blend, weights=weights).counts(at)[:, 0]
        out.append(float(np.nansum(np.abs(said - actual)) / np.nansum(actual)))
    return out


def lengths(*, size: float = 1.0) -> dict[str, Any]:
    """A week ahead from a past in minutes, in hours, and in old hours beside 14 days of minutes."""
    out: dict[str, Any] = {}
    for case in list(_cases((7,)))[-_some(12, size) :]:
        row = {}
        for name, minutes in (("minutes", 1), ("hours", 60), ("old hours", 60)):
            fine_days = 14 if name == "old hours" else 0
            history = _coarse(case.known, minutes, fine_days)
            (past,), _ = prepare(bare_calendars(history, case.calendar.zone, None), history)
            model = fit_models([past], 7 * DAY_MIN, "match")[0]
            actual = case.actual.to_numpy()
            said = model.blend.counts(past.end_min + np.arange(float(len(actual))))[:, 0]
            row[name] = {
                "wape": round(float(np.nansum(np.abs(said - actual)) / np.nansum(actual)), 4),
                "total": round(float(said.sum() / np.nansum(actual)), 4),
            }
        out.setdefault(case.set, []).append(row)
    return out


def _coarse(known: pd.Series, minutes: int, fine_days: int) -> History:
    """Return counts by rows of so many minutes, but for the last days."""
    counts = known.to_numpy(float)
    start = known.index[0].tz_localize("UTC").to_pydatetime()
    whole = (len(counts) - fine_days * DAY_MIN) // minutes * minutes
    coarse: tuple[CoarseRows, ...] = ()
    if minutes > 1:
        means = counts[:whole].reshape(-1, minutes).mean(axis=1)
        counts = np.concatenate([np.repeat(means, minutes), counts[whole:]])
        coarse = (CoarseRows(0, 0, np.arange(0, whole + 1, minutes)),)
    values = counts[None, None].astype(np.float32)
    return History(
        TimeGrid(start, len(counts)), ("here",), ("y",), values, "set", "0" * 64, (), coarse
    )


_ZONES = ("America/New_York", "Europe/Berlin", "Asia/Tokyo")
"""Of the regions that are added to the bundled scenario's two."""


def services(*, size: float = 1.0) -> dict[str, Any]:
    """The bundled event, 300 services in five regions: every minute of each in one table, and a page a service."""
    number, regions = max(20, _some(300, size)), _ZONES[: _some(3, size)]
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "many.yaml"
        scenario = _with_services(number, regions, max(60, _some(730, size)))
        file.write_text(json.dumps(scenario), "utf-8")
        order = ServiceOrder(
            str(file), Seed(1), out=Path(folder) / "all.parquet", pages=Path(folder) / "pages"
        )
        began = time.perf_counter()
        answer = forecast_services(order, Show(quiet=True))
        return {
            "services": number,
            "regions": len(scenario["regions"]),
            "rows": len(answer.rows),
            "pages": len(list((Path(folder) / "pages").glob("*.html"))),
            "seconds": round(time.perf_counter() - began, 1),
            "memory_gib": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20, 2),
        }


def _with_services(number: int, regions: tuple[str, ...], days: int) -> dict[str, Any]:
    """Return the bundled scenario with so many services, its steps calling the new ones, and more regions."""
    data = json.loads(read_scenario("primeday").text)
    data["history"]["synthetic"]["days"] = days
    drop = data["launches"]["console-drop"]
    for place, zone in enumerate(regions):
        region = f"region-{place}"
        data["regions"][region] = {"zone": zone, "stack": "us"}
        data["history"]["synthetic"]["sessions_per_day"][region] = 2e6 * (place + 1)
        drop["at"][region] = "2027-07-13T18:00"
        drop["crowd"][region], drop["stock"][region] = 10_000, 4_000
        for product in data["products"].values():
            product["share"][region] = product["share"]["us"]
    steps = list(data["steps"].values())
    for place in range(number - len(data["services"])):
        data["services"][f"service-{place}"] = data["services"]["catalogue"]
        steps[place % len(steps)]["exchanges"][-1].setdefault("calls", []).append(
            f"service-{place}"
        )
    return data


PARTS: dict[str, Callable[..., dict[str, Any]]] = {
    part.__name__: part for part in (windows, settings, lengths, services)
}


if __name__ == "__main__":
    asked = sys.argv[1:] or list(PARTS)
    print(json.dumps({name: PARTS[name]() for name in asked}, indent=1))
