"""Charts of a summary in bokeh: what was forecast, what went out, what filled up, what got slow."""

from __future__ import annotations

import re
from datetime import datetime
from itertools import cycle
from typing import Any

from bokeh.embed import components
from bokeh.layouts import column
from bokeh.models import (
    BoxAnnotation,
    ColumnDataSource,
    DataRange1d,
    HoverTool,
    NumeralTickFormatter,
    Range1d,
)
from bokeh.plotting import figure
from bokeh.resources import Resources

__all__ = ["charts", "import_charts", "inline_library", "plan_charts", "rehearsal_charts"]

_ID = re.compile(r"\bp\d{4,}\b|\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b")
"""Bokeh numbers its models anew in every process; a report rendered again must not change."""
_INK = "#8a8f98"
"""Grey that reads on white and on black alike."""
_COLOURS = (
    "#0072b2",
    "#d55e00",
    "#009e73",
    "#cc79a7",
    "#e69f00",
    "#56b4e9",
    "#b0a000",
    "#999999",
    "#7a52c7",
    "#c44e52",
    "#4c9f70",
)
"""Okabe and Ito's colour-blind-safe set, then three more."""


def inline_library() -> str:
    """Return bokeh's core as script and style tags; nothing is fetched."""
    return str(Resources(mode="inline", components=["bokeh"]).render())


def charts(summary: dict[str, Any]) -> tuple[str, dict[str, str]]:
    """Return (script, name -> div) of every chart that the summary has data for."""
    figures: dict[str, Any] = {}
    if demand := summary.get("demand_series"):
        figures["demand"] = _demand(demand)
    series = summary.get("series")
    for stack, data in (series or {}).get("stacks", {}).items():
        at = [datetime.fromisoformat(t) for t in series["slot_utc"]]  # type: ignore[index]
        figures[f"stack-{stack}"] = _stack(stack, at, data, series.get("injected", []))  # type: ignore[union-attr]
    return _embedded(figures)


def plan_charts(data: dict[str, Any]) -> tuple[str, dict[str, str]]:
    """Return (script, name -> div): steps, customers and orders of a plan, and visits to its services."""
    at, shared, plots = [datetime.fromisoformat(t) for t in data["slots_utc"]], None, []
    for region, rows in data["steps_per_slot"].items():
        asked = data["per_slot"][region]
        rest = {"customers": asked["customers"]}, {"orders": asked["orders"]}
        sold = {name: p["orders_per_slot"][region] for name, p in data["products"].items()}
        for what, unit, lines in (
            ("steps", "steps / slot", rows),
            ("customers at one time", "", rest[0]),
            ("orders", "orders / slot", rest[1] | sold),
        ):
            plot = _blank(f"{region}: {what}", unit, shared)
            shared = plot.x_range
            for (name, values), colour in zip(lines.items(), cycle(_COLOURS), strict=False):
                _line(plot, at, values, name, colour)
            plots.append(_legend(plot))
    for stack, lines in data["service_visits_per_s"].items():
        plot = _blank(f"{stack}: visits to its services", "visits / s", shared)
        for (name, values), colour in zip(lines.items(), cycle(_COLOURS), strict=False):
            _line(plot, at, values, name, colour)
        plots.append(_legend(plot))
    return _embedded({"plan": column(*plots, sizing_mode="stretch_width")})


def import_charts(data: dict[str, Any]) -> tuple[str, dict[str, str]]:
    """Return (script, name -> div): sessions by length, as told and as seen."""
    length = data["held_out"]["length"]
    plot = figure(
        title="share of sessions held out of at most so many steps",
        height=260,
        sizing_mode="stretch_width",
        toolbar_location=None,
        x_axis_label="steps",
    )
    for name, colour in (("seen", _COLOURS[0]), ("told", _COLOURS[1])):
        shares = length[f"upto_{name}"]
        plot.step(
            [*range(1, len(shares) + 1)],
            shares,
            mode="after",
            color=colour,
            legend_label=name,
            line_width=2,
            line_dash="solid" if name == "seen" else "dashed",
        )
    plot.legend.location = "bottom_right"
    return _embedded({"lengths": plot})


def _embedded(figures: dict[str, Any]) -> tuple[str, dict[str, str]]:
    if not figures:
        return "", {}
    script, divs = components(figures)
    names: dict[str, str] = {}

    def steady(text: str) -> str:
        return _ID.sub(lambda found: names.setdefault(found[0], f"g{len(names)}"), text)

    return steady(script), {name: steady(div) for name, div in divs.items()}


def _blank(title: str, unit: str, x_range: Any = None) -> Any:
    plot = figure(
        title=title,
        x_axis_type="datetime",
        height=230,
        sizing_mode="stretch_width",
        y_axis_label=unit,
        tools="xpan,xwheel_zoom,box_zoom,reset,save",
        active_scroll=None,
        toolbar_location="right",
        **({"x_range": x_range} if x_range is not None else {}),
    )
    plot.background_fill_alpha = plot.border_fill_alpha = 0
    plot.outline_line_color = None
    plot.title.text_color = _INK
    for axis in (plot.xaxis[0], plot.yaxis[0]):
        axis.axis_label_text_color = axis.major_label_text_color = _INK
        axis.axis_line_color = axis.major_tick_line_color = axis.minor_tick_line_color = _INK
        axis.axis_label_text_font_style = "normal"
    plot.grid.grid_line_color, plot.grid.grid_line_alpha = _INK, 0.25
    plot.toolbar.autohide = True
    plot.y_range = DataRange1d(start=0)
    plot.yaxis[0].formatter = NumeralTickFormatter(format="0.[00]a")
    return plot


def _legend(plot: figure) -> figure:
    legend = plot.legend[0]
    legend.background_fill_alpha = 0
    legend.border_line_alpha = 0
    legend.label_text_color = _INK
    legend.label_text_font_size = "11px"
    legend.click_policy = "hide"
    legend.spacing = 0
    legend.padding = 2
    legend.ncols = 1 if len(legend.items) < 6 else 2
    plot.add_layout(legend, "right")
    return plot


def _line(
    plot: figure, at: list[Any], values: list[Any], name: str, colour: str, **style: Any
) -> None:
    numbers = [float("nan") if v is None else v for v in values]
    source = ColumnDataSource({"at": at, "value": numbers})
    line = plot.line("at", "value", source=source, color=colour, legend_label=name, **style)
    plot.add_tools(
        HoverTool(
            renderers=[line],
            formatters={"@at": "datetime"},
            visible=False,
            tooltips=[("", name), ("at", "@at{%m-%d %H:%M} UTC"), ("", "@value{0.[000]}")],
        )
    )


def _demand(data: dict[str, Any]) -> Any:
    plots, shared = [], None
    at = [datetime.fromisoformat(t) for t in data["at"]]
    for region, rows in data["regions"].items():
        plot = _blank(
            f"{region}: forecast of all steps, launches included; shaded: the event",
            "steps / min",
            shared,
        )
        shared = shared or plot.x_range
        if rows.get("p10") and rows.get("p90"):
            plot.varea(
                at,
                rows["p10"],
                rows["p90"],
                color=_COLOURS[0],
                alpha=0.2,
                legend_label="p10 to p90, marginal",
            )
        if event := rows.get("event"):  # runs of older versions have none
            begins, ends = (datetime.fromisoformat(instant) for instant in event)
            plot.add_layout(
                BoxAnnotation(
                    left=begins, right=ends, fill_color=_INK, fill_alpha=0.08, line_color=None
                )
            )
        _line(plot, at, rows["p50"], "median", _COLOURS[0], line_width=1.5)
        if rows.get("organic"):
            _line(
                plot,
                at,
                rows["organic"],
                "median without launches",
                _COLOURS[0],
                line_width=1,
                line_dash="dotted",
            )
        _line(plot, at, rows["path"], "path played", _COLOURS[1], line_width=1, line_dash="dashed")
        if rows.get("actual"):
            _line(plot, at, rows["actual"], "actual", _COLOURS[2], line_width=1)
        plots.append(_legend(plot))
    return column(*plots, sizing_mode="stretch_width")


def _stack(stack: str, at: list[datetime], data: dict[str, Any], injected: list[list[str]]) -> Any:
    load = _blank(f"{stack}: load, forecast and achieved", "steps / s")
    for name, label, place in (
        ("forecast_per_s", "forecast", 0),
        ("planned_per_s", "planned", 5),
        ("sent_per_s", "sent", 2),
        ("bad_per_s", "bad", 1),
    ):
        _line(load, at, data[name], label, _COLOURS[place], line_width=2 - 0.5 * (place == 5))
    busy = _blank(
        f"{stack}: utilisation measured (lines) and predicted (dotted)", "share", load.x_range
    )
    busy.y_range = Range1d(0, 1.05)
    queue = _blank(f"{stack}: mean queue", "requests", load.x_range)
    asked = _blank(
        f"{stack}: attempts at services (lines), first ones (dotted)", "attempts / s", load.x_range
    )
    slow = _blank(f"{stack}: p99 response by step", "s", load.x_range)
    for number, (name, rows) in enumerate(data["services"].items()):
        colour = _COLOURS[number % len(_COLOURS)]
        _line(busy, at, rows["measured"], name, colour, line_width=1.5)
        if rows["predicted"]:
            busy.line(at, rows["predicted"], color=colour, line_dash="dotted", legend_label=name)
        _line(queue, at, rows["queue"], name, colour, line_width=1.5)
        if "attempts_per_s" in rows:  # runs of older versions have none
            _line(asked, at, rows["attempts_per_s"], name, colour, line_width=1.5)
            asked.line(
                at,
                [float("nan") if v is None else v for v in rows["first_per_s"]],
                color=colour,
                line_dash="dotted",
                legend_label=name,
            )
    for number, (name, rows) in enumerate(data["steps"].items()):
        _line(slow, at, rows["p99"], name, _COLOURS[number % len(_COLOURS)], line_width=1.5)
    plots = [load, busy, queue, *([asked] if asked.renderers else []), slow]
    for plot in plots:
        for begins, ends in injected:
            plot.add_layout(
                BoxAnnotation(
                    left=datetime.fromisoformat(begins),
                    right=datetime.fromisoformat(ends),
                    fill_color=_COLOURS[1],
                    fill_alpha=0.12,
                    line_color=None,
                )
            )
    return column(*(_legend(p) for p in plots), sizing_mode="stretch_width")


def rehearsal_charts(result: dict[str, Any]) -> tuple[str, dict[str, str]]:
    """Return (script, stack -> div): minute by minute as it is (lines) and as it would be (dashed)."""
    figures = {
        stack: column(
            *(_bands(stack, quantity, title, result, drawn) for quantity, title in _DRAWN),
            sizing_mode="stretch_width",
        )
        for stack, drawn in result["drawn"].items()
    }
    return _embedded(figures)


_DRAWN = (
    ("utilisation", "utilisation, share"),
    ("wait_s", "mean wait, s"),
    ("p99_s", "p99 of a visit, s"),
    ("turned_away", "attempts turned away, share"),
)


def _bands(
    stack: str, quantity: str, title: str, result: dict[str, Any], services: list[str]
) -> figure:
    plot = _blank(f"{stack}: {title}, mean and 95 % interval", title.rpartition(", ")[2])
    variants = [("as it is", result["series"], "solid")]
    variants += [(v["text"], v["series"], "dashed") for v in result["what_ifs"]]
    colours = iter(_COLOURS * 9)
    for service in services:
        for name, series, dash in variants:
            at = [datetime.fromisoformat(t) for t in series[stack]["slot_utc"]]
            mid, low, high = series[stack]["services"][service][quantity]
            colour, label = next(colours), f"{service}, {name}"
            known = [i for i, value in enumerate(low) if value is not None and high[i] is not None]
            plot.varea(
                [at[i] for i in known],
                [max(0.0, low[i]) for i in known],
                [high[i] for i in known],
                color=colour,
                alpha=0.2,
                legend_label=label,
            )
            _line(plot, at, mid, label, colour, line_width=1.5, line_dash=dash)
    return _legend(plot)
