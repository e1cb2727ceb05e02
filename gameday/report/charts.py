"""Charts of a summary in bokeh: what was forecast, what went out, what filled up, what got slow."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
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

__all__ = [
    "charts",
    "finding_charts",
    "import_charts",
    "inline_library",
    "plan_charts",
    "rehearsal_charts",
]

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
        instants = _instants(series["slot_utc"])  # type: ignore[index]
        injected = series.get("injected", [])  # type: ignore[union-attr]
        figures[f"stack-{stack}"] = _stack(stack, instants, data, injected)
    return _embedded(figures)


def _instants(texts: list[str]) -> list[datetime]:
    return [datetime.fromisoformat(text) for text in texts]


def plan_charts(data: dict[str, Any]) -> tuple[str, dict[str, str]]:
    """Return (script, name -> div): steps, customers and orders of a plan, and visits to its services."""
    instants = _instants(data["slots_utc"])
    shared, plots = None, []
    for title, unit, lines in _of_plan(data):
        if not lines:
            continue  # of a black box no visits to services are known
        plot = _blank(title, unit, shared)
        shared = plot.x_range
        for (name, values), colour in zip(lines.items(), cycle(_COLOURS), strict=False):
            _line(plot, instants, values, name, colour)
        plots.append(_legend(plot))
    return _embedded({"plan": column(*plots, sizing_mode="stretch_width")})


def _of_plan(data: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, list[Any]]]]:
    """Yield title, unit and name -> values of every chart of a plan."""
    for region, steps in data["steps_per_slot"].items():
        counts = data["per_slot"][region]
        sold = {name: p["orders_per_slot"][region] for name, p in data["products"].items()}
        yield f"{region}: steps", "steps / slot", steps
        yield f"{region}: customers at one time", "", {"customers": counts["customers"]}
        yield f"{region}: orders", "orders / slot", {"orders": counts["orders"]} | sold
    for stack, visits in data["service_visits_per_s"].items():
        yield f"{stack}: visits to its services", "visits / s", visits


def finding_charts(finding: dict[str, Any], summary: dict[str, Any]) -> tuple[str, dict[str, str]]:
    """Return (script, name -> div): the series of what a finding is about, measured and predicted."""
    series = summary.get("series") or {}
    data = series.get("stacks", {}).get(finding["stack"])
    if not data:
        return "", {}
    instants = _instants(series["slot_utc"])
    plots, shared = [], None
    for title, unit, lines in _of_subject(finding["subject"], data):
        plot = _blank(title, unit, shared)
        shared = plot.x_range
        for (name, values), colour in zip(lines.items(), cycle(_COLOURS), strict=False):
            _line(plot, instants, values, name, colour, line_width=2)
        plots.append(_legend(plot))
    return _embedded({"finding": column(*plots, sizing_mode="stretch_width")} if plots else {})


def _of_subject(
    subject: str, data: dict[str, Any]
) -> Iterator[tuple[str, str, dict[str, list[Any]]]]:
    """Yield title, unit and name -> values of what a finding's subject names: services, or steps."""
    words = subject.replace("<", " ").split()
    for name in words:
        if service := data["services"].get(name):
            busy = {"measured": service["measured"]}
            if service["predicted"]:
                busy["predicted as declared"] = service["predicted"]
            yield f"{name}: share of its servers that is busy", "", busy
            yield f"{name}: requests waiting, mean", "", {"measured": service["queue"]}
            rates = {"attempts": service["attempts_per_s"], "first ones": service["first_per_s"]}
            yield f"{name}: attempts", "/ s", rates
        if step := data["steps"].get(name):
            yield f"{name}: response", "s", {"p50": step["p50"], "p99": step["p99"]}
    if "all" in words:
        yield "steps that failed", "/ s", {"failed": data["bad_per_s"], "sent": data["sent_per_s"]}


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
    _ink(plot)
    plot.toolbar.autohide = True
    plot.y_range = DataRange1d(start=0)
    plot.yaxis[0].formatter = NumeralTickFormatter(format="0.[00]a")
    return plot


def _ink(plot: figure) -> None:
    """Draw a figure's frame so that it can be read on white and on black."""
    plot.background_fill_alpha = plot.border_fill_alpha = 0
    plot.outline_line_color = None
    plot.title.text_color = _INK
    for axis in (plot.xaxis[0], plot.yaxis[0]):
        axis.axis_label_text_color = axis.major_label_text_color = _INK
        axis.axis_line_color = axis.major_tick_line_color = axis.minor_tick_line_color = _INK
        axis.axis_label_text_font_style = "normal"
    plot.grid.grid_line_color, plot.grid.grid_line_alpha = _INK, 0.25


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


def _known(values: list[Any]) -> list[float]:
    """Return the numbers of a line; NaN leaves a gap."""
    return [float("nan") if value is None else value for value in values]


def _line(
    plot: figure, instants: list[datetime], values: list[Any], name: str, colour: str, **style: Any
) -> None:
    source = ColumnDataSource({"at": instants, "value": _known(values)})
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
    instants = _instants(data["at"])
    for region, rows in data["regions"].items():
        title = f"{region}: forecast of all steps, launches included; shaded: the event"
        plot = _blank(title, "steps / min", shared)
        shared = shared or plot.x_range
        _forecast_lines(plot, instants, rows)
        plots.append(_legend(plot))
    return column(*plots, sizing_mode="stretch_width")


def _forecast_lines(plot: figure, instants: list[datetime], rows: dict[str, Any]) -> None:
    """Draw a region's forecast: its band, the event's time, and the lines that the summary has."""
    blue, red, green = _COLOURS[:3]
    if rows.get("p10") and rows.get("p90"):
        style = {"color": blue, "alpha": 0.2, "legend_label": "p10 to p90, marginal"}
        plot.varea(instants, rows["p10"], rows["p90"], **style)
    if event := rows.get("event"):  # runs of older versions have none
        _shade(plot, event, fill_color=_INK, fill_alpha=0.08)
    _line(plot, instants, rows["p50"], "median", blue, line_width=1.5)
    if organic := rows.get("organic"):
        style = {"line_width": 1, "line_dash": "dotted"}
        _line(plot, instants, organic, "median without launches", blue, **style)
    _line(plot, instants, rows["path"], "path played", red, line_width=1, line_dash="dashed")
    if actual := rows.get("actual"):
        _line(plot, instants, actual, "actual", green, line_width=1)


def _shade(plot: figure, interval: Sequence[str], **style: Any) -> None:
    """Shade the time between two instants."""
    left, right = _instants(list(interval))
    plot.add_layout(BoxAnnotation(left=left, right=right, line_color=None, **style))


def _stack(
    stack: str, instants: list[datetime], data: dict[str, Any], injected: list[list[str]]
) -> Any:
    load = _load(stack, instants, data)
    services = _services(stack, instants, data["services"], load.x_range)
    slow = _blank(f"{stack}: p99 response by step", "s", load.x_range)
    for (name, rows), colour in zip(data["steps"].items(), cycle(_COLOURS), strict=False):
        _line(slow, instants, rows["p99"], name, colour, line_width=1.5)
    plots = [load, *services, slow]
    for plot in plots:
        for interval in injected:
            _shade(plot, interval, fill_color=_COLOURS[1], fill_alpha=0.12)
    drawn = [_legend(plot) for plot in plots if plot.legend]  # of a black box no service is drawn
    return column(*drawn, sizing_mode="stretch_width")


def _load(stack: str, instants: list[datetime], data: dict[str, Any]) -> figure:
    """Return the chart of what was forecast, planned and sent, and what ended badly."""
    plot = _blank(f"{stack}: load, forecast and achieved", "steps / s")
    for name, label, colour, width in (
        ("forecast_per_s", "forecast", _COLOURS[0], 2.0),
        ("planned_per_s", "planned", _COLOURS[5], 1.5),
        ("sent_per_s", "sent", _COLOURS[2], 2.0),
        ("bad_per_s", "bad", _COLOURS[1], 2.0),
    ):
        _line(plot, instants, data[name], label, colour, line_width=width)
    return plot


def _services(
    stack: str, instants: list[datetime], services: dict[str, Any], x_range: Any
) -> list[figure]:
    """Return the charts of utilisation, queues and, where they are known, attempts at services."""
    title = f"{stack}: utilisation measured (lines) and predicted (dotted)"
    busy = _blank(title, "share", x_range)
    busy.y_range = Range1d(0, 1.05)
    queue = _blank(f"{stack}: mean queue", "requests", x_range)
    title = f"{stack}: attempts at services (lines), first ones (dotted)"
    attempts = _blank(title, "attempts / s", x_range)
    for (name, rows), colour in zip(services.items(), cycle(_COLOURS), strict=False):
        dotted = {"color": colour, "line_dash": "dotted", "legend_label": name}
        _line(busy, instants, rows["measured"], name, colour, line_width=1.5)
        if rows["predicted"]:
            busy.line(instants, rows["predicted"], **dotted)
        _line(queue, instants, rows["queue"], name, colour, line_width=1.5)
        if "attempts_per_s" in rows:  # runs of older versions have none
            _line(attempts, instants, rows["attempts_per_s"], name, colour, line_width=1.5)
            attempts.line(instants, _known(rows["first_per_s"]), **dotted)
    return [busy, queue, *([attempts] if attempts.renderers else [])]


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
            instants = _instants(series[stack]["slot_utc"])
            mid, low, high = series[stack]["services"][service][quantity]
            colour, label = next(colours), f"{service}, {name}"
            _band(plot, instants, (low, high), color=colour, legend_label=label)
            _line(plot, instants, mid, label, colour, line_width=1.5, line_dash=dash)
    return _legend(plot)


def _band(
    plot: figure, instants: list[datetime], bounds: tuple[list[Any], list[Any]], **style: Any
) -> None:
    """Shade between a lower and an upper bound, where both are known."""
    known = [
        (instant, max(0.0, low), high)
        for instant, low, high in zip(instants, *bounds, strict=True)
        if low is not None and high is not None
    ]
    columns = [list(values) for values in zip(*known, strict=True)] or [[], [], []]
    plot.varea(*columns, alpha=0.2, **style)
