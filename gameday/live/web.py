"""A run on a page: served on loopback, drawn anew each second from what the run writes."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import uvicorn
from bokeh.embed import components
from bokeh.models import AjaxDataSource, HoverTool
from bokeh.plotting import figure
from bokeh.resources import Resources
from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from gameday.safety import is_playing

__all__ = ["page_of", "serve_page"]

_EVERY_MS = 1000
_KEPT = 600
"""Seconds of latency that the page shows."""
_COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#b0a000", "#999999")


@dataclass(frozen=True, slots=True)
class _Snapshot:
    """What a run shows now."""

    numbers: dict[str, Any]
    """As `live.json` has them; empty before load goes out."""
    verdict: str
    run_id: str


class _Window:
    """What the page asks for: the run's numbers now, and the latencies of the last minutes."""

    def __init__(self, folder: Path, steps: list[str]) -> None:
        self.folder, self.steps = folder, steps
        self._past: deque[tuple[float, dict[str, float | None]]] = deque(maxlen=_KEPT)
        """Wall seconds since the run's zero, and each step's p99 then, s."""

    def now(self) -> _Snapshot:
        """Return the latest numbers and the verdict; the numbers' latencies are kept."""
        data = _read(self.folder / "live.json")
        manifest = _read(self.folder / "run.json")
        if data and (not self._past or self._past[-1][0] < data["at_s"]):
            self._past.append((data["at_s"], {s["step"]: s["p99"] for s in data["steps"]}))
        verdict = manifest.get("verdict", "?")
        if verdict == "RUNNING" and not is_playing(self.folder):
            verdict = "ABORTED"
        return _Snapshot(data, verdict, self.folder.name)

    def forecast(self) -> dict[str, list[float]]:
        """Return the steps forecast by slot, launches included; of runs of older versions those planned."""
        numbers = self.now().numbers
        counts = numbers.get("forecast", numbers.get("planned", []))
        return {"slot": list(range(len(counts))), "steps": counts}

    def achieved(self) -> dict[str, list[float]]:
        """Return the steps that went out in every slot that is over."""
        now = self.now()
        is_over = now.verdict != "RUNNING"
        counts = now.numbers.get("achieved", [])[: None if is_over else now.numbers.get("slot", 0)]
        return {"slot": list(range(len(counts))), "steps": counts}

    def latencies(self) -> dict[str, list[float | None]]:
        """Return each step's p99 in milliseconds by wall second."""
        self.now()
        columns: dict[str, list[float | None]] = {"at_s": [wall_s for wall_s, _ in self._past]}
        for step in self.steps:
            seen = [past.get(step) for _, past in self._past]
            columns[step] = [None if seconds is None else 1000 * seconds for seconds in seen]
        return columns


def _read(file: Path) -> dict[str, Any]:
    """Return a file's JSON; empty where there is none yet."""
    try:
        data: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return data


def _polled(url: str, names: list[str]) -> Any:
    return AjaxDataSource(
        data_url=url,
        polling_interval=_EVERY_MS,
        method="GET",
        mode="replace",
        data={name: [] for name in names},
    )


def _followed_chart() -> Any:
    forecast = _polled("/forecast.json", ["slot", "steps"])
    achieved = _polled("/achieved.json", ["slot", "steps"])
    plot = _blank("Steps by minute of event time", "minute, lead-in first", "steps")
    plot.varea(
        x="slot",
        y1=0,
        y2="steps",
        source=forecast,
        fill_color="#8a8f98",
        fill_alpha=0.25,
        legend_label="forecast",
    )
    line = plot.line(
        x="slot", y="steps", source=achieved, color=_COLOURS[0], width=2, legend_label="achieved"
    )
    tips = [("minute", "@slot"), ("achieved", "@steps")]
    plot.add_tools(HoverTool(tooltips=tips, renderers=[line], mode="vline"))
    return _finished(plot)


def _latency_chart(steps: list[str]) -> Any:
    source = _polled("/latencies.json", ["at_s", *steps])
    plot = _blank(
        "Response time, p99 of the last 10 s", "wall seconds from the window's start", "ms"
    )
    for i, step in enumerate(steps):
        plot.line(
            x="at_s",
            y=step,
            source=source,
            color=_COLOURS[i % len(_COLOURS)],
            width=2,
            legend_label=step,
        )
    return _finished(plot)


def _finished(plot: Any) -> Any:
    plot.y_range.start = 0
    plot.legend.location, plot.legend.background_fill_alpha = "top_left", 0.5
    plot.legend.orientation, plot.legend.border_line_alpha = "horizontal", 0.0
    return plot


def _blank(title: str, x: str, y: str) -> Any:
    plot = figure(
        title=title,
        height=260,
        sizing_mode="stretch_width",
        x_axis_label=x,
        y_axis_label=y,
        tools="xpan,xwheel_zoom,box_zoom,reset",
        active_scroll=None,
    )
    plot.outline_line_color = None
    return plot


def page_of(folder: Path, steps: list[str]) -> Starlette:
    """Return the application that shows the run in `folder`."""
    window, html = _Window(folder, steps), _html(folder.name, steps)

    def live(request: Request) -> Response:
        now = window.now()
        return _json({**now.numbers, "verdict": now.verdict, "run_id": now.run_id})

    return Starlette(
        routes=[
            Route("/", lambda request: HTMLResponse(html)),
            Route("/live.json", live),
            Route("/forecast.json", lambda request: _json(window.forecast())),
            Route("/achieved.json", lambda request: _json(window.achieved())),
            Route("/latencies.json", lambda request: _json(window.latencies())),
        ],
        middleware=[
            Middleware(TrustedHostMiddleware, allowed_hosts=["127.0.0.1", "localhost", "[::1]"])
        ],
    )


def _html(run_id: str, steps: list[str]) -> str:
    """Return the page; its charts ask for their numbers."""
    script, divs = components({"followed": _followed_chart(), "latency": _latency_chart(steps)})
    templates = Environment(
        loader=PackageLoader("gameday.live"), autoescape=True, undefined=StrictUndefined
    )
    return templates.get_template("watch.html.j2").render(
        library=Resources(mode="inline", components=["bokeh"]).render(),
        script=script,
        divs=divs,
        run_id=run_id,
        every_ms=_EVERY_MS,
    )


def _json(numbers: dict[str, Any]) -> Response:
    return JSONResponse(numbers, headers={"Cache-Control": "no-store"})


def serve_page(folder: Path, steps: list[str], *, port: int, ready: Callable[[str], None]) -> None:
    """Serve the run's page on 127.0.0.1 until Ctrl-C; `ready` is told its address."""
    config = uvicorn.Config(
        page_of(folder, steps), host="127.0.0.1", port=port, log_level="warning"
    )
    server = uvicorn.Server(config)
    socket = config.bind_socket()
    ready(f"http://127.0.0.1:{socket.getsockname()[1]}/")
    server.run(sockets=[socket])
