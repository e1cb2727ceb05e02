"""Pages of forecasts: a minute explained, a backtest, a team's next peak. Small: SVG, without a library."""

from __future__ import annotations

import math
import operator
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import accumulate
from pathlib import Path
from typing import Any, Literal

from gameday.files import write_whole
from gameday.report.render import environment

__all__ = [
    "Bar",
    "LineChart",
    "Polyline",
    "TimeTick",
    "ValueTick",
    "Waterfall",
    "line_picture",
    "render_backtest",
    "render_explanation",
    "render_review",
    "render_service",
    "render_team",
    "waterfall_picture",
]

_WIDE, _HIGH = 960, 220
_LEFT, _FOOT = 44, 18
_FALL_WIDE = 400


def render_explanation(data: dict[str, Any], file: Path) -> Path:
    """Write the page of what `gameday forecast explain` tells; return its path."""
    shown = data | {
        "waterfall": waterfall_picture(data["factors"], data["forecast"], data["launches"].items())
    }
    if moved := shown["bridge"]:
        before = moved["before"] - sum(steps for _, steps, _ in moved["launches"])
        launches = [(name, steps) for name, _, steps in moved["launches"]]
        moves = [["before, without launches" if launches else "before", before], *moved["factors"]]
        picture = waterfall_picture(moves, moved["after"], launches)
        shown["bridge"] = {**moved, "waterfall": picture}
    return _written("explanation", file, e=shown)


def render_backtest(data: dict[str, Any], file: Path) -> Path:
    """Write the page of what `gameday forecast backtest` found; return its path."""
    return _written("backtest", file, b=data | {"picture": _backtest_picture(data["drawn"])})


def render_team(data: dict[str, Any], file: Path) -> Path:
    """Write a team's page; return its path."""
    regions = [
        row
        | {
            "waterfall": waterfall_picture(
                row["factors"], row["expected"], row["launches"].items()
            ),
            "picture": line_picture(
                [datetime.fromisoformat(t) for t in row["line"]["at"]],
                {"p50": row["line"]["p50"]},
                label=f"{data['team']} in {row['region']}",
                band=(row["line"]["p10"], row["line"]["p90"]),
            ),
        }
        for row in data["regions"]
    ]
    return _written("team", file, t=data | {"regions": regions})


def render_review(review: Any, lines: list[dict[str, Any]], file: Path) -> Path:
    """Write the page of an event's review, its regions as said and as they came; return its path."""
    regions = [
        shown
        | {
            "picture": line_picture(
                shown["at"],
                {"p50": shown["p50"], "actual": shown["actual"]},
                label=f"{shown['region']}, as said and as it came",
            )
        }
        for shown in lines
    ]
    return _written("review", file, e=review, regions=regions)


def render_service(data: dict[str, Any], file: Path) -> Path:
    """Write a service's page; return its path."""
    regions = [
        shown
        | {
            "picture": line_picture(
                shown["at"],
                {"p50": shown["p50"]},
                label=f"{data['service']} in {shown['row'].region}",
                band=(shown["p10"], shown["p90"]),
            )
        }
        for shown in data["regions"]
    ]
    return _written("service", file, s=data | {"regions": regions})


@dataclass(frozen=True, slots=True)
class Bar:
    """One factor of a waterfall, drawn from where the one before it ended."""

    name: str
    factor: float
    so_far: float
    """Product of the factors up to this one."""
    left: float
    width: float
    way: Literal["start", "up", "down"]


@dataclass(frozen=True, slots=True)
class Waterfall:
    """A forecast as the product of its factors and the sum of its launches."""

    rows: tuple[Bar, ...]
    forecast: float
    launches: tuple[tuple[str, float], ...]
    """(name, what it adds)."""


@dataclass(frozen=True, slots=True)
class _LogScale:
    """The horizontal axis of a waterfall."""

    low: float
    """Logarithm of the smallest product that is drawn."""
    span: float

    @staticmethod
    def over(logs: Sequence[float]) -> _LogScale:
        """Return the axis that holds the logarithms, but for those of a product of 0."""
        drawn = [point for point in logs if point > math.log(1e-11)] or [0.0]
        return _LogScale(min(drawn), max(max(drawn) - min(drawn), 0.1))

    def x(self, point: float) -> float:
        """Return where a logarithm lies; what is below the axis lies at its left edge."""
        return _FALL_WIDE * (0.08 + 0.88 * min(max((point - self.low) / self.span, -0.09), 1.0))


def waterfall_picture(
    factors: Sequence[Sequence[Any]], forecast: float, launches: Iterable[tuple[str, float]] = ()
) -> Waterfall:
    """Return rows with bars on a log scale; a factor of 0 ends the fall at the left edge.

    `launches`: (name, what it adds); the factors' product and they are the forecast.
    """
    products = list(accumulate((factor for _, factor in factors), operator.mul, initial=1.0))[1:]
    logs = [math.log(max(product, 1e-12)) for product in products]
    scale = _LogScale.over(logs)
    rows: list[Bar] = []
    start = 0.0
    for (name, factor), product, log in zip(factors, products, logs, strict=True):
        end = scale.x(log)
        left, right = sorted((start, end))
        way: Literal["start", "up", "down"] = (
            "start" if not rows else "up" if factor > 1 else "down"
        )
        width = round(max(right - left, 1.0), 2)
        rows.append(Bar(name, factor, product, round(left, 2), width, way))
        start = end
    return Waterfall(tuple(rows), forecast, tuple(launches))


@dataclass(frozen=True, slots=True)
class Polyline:
    """A stretch of a series without a gap; `points` as SVG writes them."""

    kind: str
    points: str


@dataclass(frozen=True, slots=True)
class ValueTick:
    """A round value on the vertical axis."""

    y: float
    text: str


@dataclass(frozen=True, slots=True)
class TimeTick:
    """An instant on the horizontal axis."""

    x: float
    text: str


@dataclass(frozen=True, slots=True)
class LineChart:
    """Series over the same instants, in the picture's own coordinates."""

    width: int
    height: int
    label: str
    band: str
    """The polygon's points; empty: none is drawn."""
    paths: tuple[Polyline, ...]
    ticks: tuple[ValueTick, ...]
    times: tuple[TimeTick, ...]


@dataclass(frozen=True, slots=True)
class _Axes:
    """From instants and values to the coordinates of a line chart."""

    instants: Sequence[datetime]
    top: float
    """The largest value that is drawn."""

    def x(self, index: int) -> float:
        """Return where an instant lies."""
        first_s, last_s = self.instants[0].timestamp(), self.instants[-1].timestamp()
        elapsed_s = self.instants[index].timestamp() - first_s
        return round(_LEFT + (_WIDE - _LEFT) * elapsed_s / max(last_s - first_s, 1.0), 1)

    def y(self, value: float) -> float:
        """Return where a value lies."""
        return round((_HIGH - _FOOT) * (1 - value / self.top), 1)

    def points(self, values: Sequence[float | None]) -> list[str | None]:
        """Return `x,y` of each value of a series; None in its gaps."""
        pairs = zip(range(len(self.instants)), values, strict=True)
        return [None if v is None else f"{self.x(i)},{self.y(v)}" for i, v in pairs]

    def polygon(self, low: Sequence[float], high: Sequence[float]) -> str:
        """Return the outline of the area between two series."""
        outline = [*self.points(high), *reversed(self.points(low))]
        return " ".join(point for point in outline if point is not None)

    def value_ticks(self) -> tuple[ValueTick, ...]:
        """Return the round values of the vertical axis."""
        return tuple(ValueTick(self.y(value), _short(value)) for value in _round_values(self.top))

    def time_ticks(self) -> tuple[TimeTick, ...]:
        """Return about eight instants, equally far apart."""
        step = max(1, len(self.instants) // 8)
        return tuple(
            TimeTick(self.x(index), f"{self.instants[index]:%d %b %H:%M}")
            for index in range(step // 2, len(self.instants), step)
        )


def line_picture(
    instants: Sequence[datetime],
    lines: dict[str, Sequence[float | None]],
    *,
    label: str,
    band: tuple[Sequence[float], Sequence[float]] | None = None,
) -> LineChart:
    """Return polylines of several series over the same instants; None leaves a gap open."""
    values = [v for line in lines.values() for v in line if v is not None]
    values += list(band[1]) if band else []
    top = max(max(values, default=1.0), 1e-9) * 1.05
    axes = _Axes(instants, top)
    return LineChart(
        width=_WIDE,
        height=_HIGH,
        label=label,
        band=axes.polygon(*band) if band else "",
        paths=tuple(
            Polyline(kind, " ".join(stretch))
            for kind, line in lines.items()
            for stretch in _stretches(axes.points(line))
        ),
        ticks=axes.value_ticks(),
        times=axes.time_ticks(),
    )


def _round_values(top: float) -> list[float]:
    """Return round values from 0 to `top`, three to seven of them."""
    size = 10.0 ** math.floor(math.log10(top / 3))
    step = size * max(times for times in (1, 2, 2.5, 5) if times * size <= top / 3)
    return [step * k for k in range(int(top / step) + 1)]


def _stretches(points: list[str | None]) -> list[list[str]]:
    """Return the points between the gaps."""
    out: list[list[str]] = [[]]
    for point in points:
        if point is None:
            out.append([])
        else:
            out[-1].append(point)
    return [stretch for stretch in out if stretch]


def _short(value: float) -> str:
    for size, unit in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if value >= size:
            return f"{value / size:.3g}{unit}"
    return f"{value:.3g}"


def _backtest_picture(drawn: dict[str, Any]) -> LineChart:
    instants = [datetime.fromisoformat(instant) for instant in drawn["at"]]
    return line_picture(
        instants, {"actual": drawn["actual"], "p50": drawn["gameday"]}, label="actual and forecast"
    )


def _written(name: str, file: Path, **data: Any) -> Path:
    page = environment(html=True).get_template(f"{name}.html.j2").render(**data)
    write_whole(file, lambda path: path.write_text(page, encoding="utf-8"))
    return file
