"""Pages of forecasts: a minute explained, a backtest, a team's next peak. Small: SVG, without a library."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from gameday.files import write_whole
from gameday.report.render import environment

__all__ = [
    "line_picture",
    "render_backtest",
    "render_explanation",
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
        moved |= {"waterfall": waterfall_picture(moves, moved["after"], launches)}
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


def waterfall_picture(
    factors: Sequence[Sequence[Any]], forecast: float, launches: Iterable[tuple[str, float]] = ()
) -> dict[str, Any]:
    """Return rows with bars on a log scale; a factor of 0 ends the fall at the left edge.

    `launches`: (name, what it adds); the factors' product and they are the forecast.
    """
    so_far, points = 1.0, [0.0]
    for _, factor in factors:
        so_far *= factor
        points.append(math.log(max(so_far, 1e-12)))
    seen = [p for p in points[1:] if p > math.log(1e-11)] or [0.0]
    low, high = min(seen), max(seen)
    span = max(high - low, 0.1)

    def x(point: float) -> float:
        return _FALL_WIDE * (0.08 + 0.88 * min(max((point - low) / span, -0.09), 1.0))

    rows, product = [], 1.0
    for index, (name, factor) in enumerate(factors):
        product *= factor
        ends = sorted((x(points[index]) if index else 0.0, x(points[index + 1])))
        way = "start" if not index else "up" if factor > 1 else "down"
        rows.append(
            {
                "name": name,
                "factor": factor,
                "so_far": product,
                "from": round(ends[0], 2),
                "width": round(max(ends[1] - ends[0], 1.0), 2),
                "way": way,
            }
        )
    return {"rows": rows, "forecast": forecast, "launches": list(launches)}


def line_picture(
    at: Sequence[datetime],
    lines: dict[str, Sequence[float | None]],
    *,
    label: str,
    band: tuple[Sequence[float], Sequence[float]] | None = None,
) -> dict[str, Any]:
    """Return polylines of several series over the same instants; None leaves a gap open."""
    values = [v for line in lines.values() for v in line if v is not None]
    values += list(band[1]) if band else []
    top = max(max(values, default=1.0), 1e-9) * 1.05
    seconds = [t.timestamp() for t in at]
    first, span = seconds[0], max(seconds[-1] - seconds[0], 1.0)

    def x(second: float) -> float:
        return round(_LEFT + (_WIDE - _LEFT) * (second - first) / span, 1)

    def y(value: float) -> float:
        return round((_HIGH - _FOOT) * (1 - value / top), 1)

    paths = [
        {"kind": kind, "points": " ".join(part)}
        for kind, line in lines.items()
        for part in _pieces(
            [None if v is None else f"{x(s)},{y(v)}" for s, v in zip(seconds, line, strict=True)]
        )
    ]
    area = ""
    if band:
        upper = [f"{x(s)},{y(v)}" for s, v in zip(seconds, band[1], strict=True)]
        lower = [f"{x(s)},{y(v)}" for s, v in zip(seconds, band[0], strict=True)]
        area = " ".join([*upper, *reversed(lower)])
    step = max(1, len(at) // 8)
    return {
        "width": _WIDE,
        "height": _HIGH,
        "label": label,
        "band": area,
        "paths": paths,
        "ticks": [{"y": y(value), "text": _short(value)} for value in _round_values(top)],
        "times": [
            {"x": x(seconds[i]), "text": f"{at[i]:%d %b %H:%M}"}
            for i in range(step // 2, len(at), step)
        ],
    }


def _round_values(top: float) -> list[float]:
    """Return round values from 0 to `top`, three to seven of them."""
    size = 10.0 ** math.floor(math.log10(top / 3))
    step = size * max(times for times in (1, 2, 2.5, 5) if times * size <= top / 3)
    return [step * k for k in range(int(top / step) + 1)]


def _pieces(points: list[str | None]) -> list[list[str]]:
    out: list[list[str]] = [[]]
    for point in points:
        if point is None:
            out.append([])
        else:
            out[-1].append(point)
    return [piece for piece in out if piece]


def _short(value: float) -> str:
    for size, unit in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if value >= size:
            return f"{value / size:.3g}{unit}"
    return f"{value:.3g}"


def _backtest_picture(drawn: dict[str, Any]) -> dict[str, Any]:
    at = [datetime.fromisoformat(t) for t in drawn["at"]]
    return line_picture(
        at, {"actual": drawn["actual"], "p50": drawn["gameday"]}, label="actual and forecast"
    )


def _written(name: str, file: Path, **data: Any) -> Path:
    page = environment(html=True).get_template(f"{name}.html.j2").render(**data)
    write_whole(file, lambda path: path.write_text(page, encoding="utf-8"))
    return file
