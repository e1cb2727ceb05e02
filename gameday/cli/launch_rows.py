"""What `gameday forecast show` tells of launches: who comes, what they order, when it is gone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import typer

if TYPE_CHECKING:
    from gameday.scenario import Scenario
    from gameday.traffic.plan import LaunchDay

__all__ = ["launch_row", "say_launch"]


def launch_row(scenario: Scenario, day: LaunchDay) -> dict[str, Any]:
    """Return a launch's day as the command prints it."""
    local = day.release.astimezone(ZoneInfo(scenario.regions[day.region].zone))
    return {
        "launch": day.launch,
        "region": day.region,
        "release": day.release.isoformat(),
        "release_local": f"{local:%a %Y-%m-%d %H:%M}",
        "sessions": _by_name(day.sessions),
        "sessions_a_minute": _by_name(day.sessions_a_minute),
        "orders_a_minute": _by_name(day.orders_a_minute),
        "stock": day.stock,
        "sold_out_min": _by_name(day.sold_out_min),
        "sold_out_chance": round(day.sold_out_chance, 4),
        "calibrated_to": round(day.calibrated_to, 4),
        "held_back": bool(day.held_back),
    }


def _by_name(values: dict[float, Any]) -> dict[str, float | None]:
    return {f"p{100 * q:g}": None if v is None else round(float(v), 2) for q, v in values.items()}


def say_launch(row: dict[str, Any]) -> None:
    """Print a launch's day in two lines."""
    typer.echo(
        f"launch {row['launch']} in {row['region']}, {row['release_local']} there: sessions "
        f"{_spread(row['sessions'])}, at most {_spread(row['sessions_a_minute'])} a minute;"
    )
    typer.echo(
        f"  orders at most {_spread(row['orders_a_minute'])} a minute; of {row['stock']:,} the last is sold with "
        f"chance {100 * row['sold_out_chance']:.0f} %, after {_spread(row['sold_out_min'])} min"
        + ("; who is let on sets the pace" if row["held_back"] else "")
    )


def _spread(values: dict[str, float | None]) -> str:
    low, middle, high = (
        "never" if v is None else f"{v:,.0f}" if v >= 100 else f"{v:.1f}" for v in values.values()
    )
    return f"{middle} (p10 {low}, p90 {high})"
