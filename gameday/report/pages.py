"""Pages of what sends nothing: an event rehearsed in the model, a plan, and journeys from a log."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from gameday.files import write_whole
from gameday.report.render import environment

__all__ = ["render_finding", "render_import", "render_plan", "render_rehearsal"]


def render_rehearsal(result: dict[str, Any], file: Path) -> Path:
    """Write the page of what `gameday simulate` found; return its path."""
    from gameday.report.charts import rehearsal_charts  # bokeh: only where a page is drawn

    return _written("rehearsal", file, rehearsal_charts(result), r=result)


def render_plan(data: dict[str, Any], file: Path) -> Path:
    """Write the page of what `gameday plan` tells; return its path."""
    from gameday.report.charts import plan_charts

    return _written("plan", file, plan_charts(data), p=data)


def render_import(data: dict[str, Any], file: Path) -> Path:
    """Write the page of what `gameday history import` found; return its path."""
    from gameday.report.charts import import_charts

    return _written("import", file, import_charts(data), i=data)


def render_finding(finding: dict[str, Any], summary: dict[str, Any], file: Path) -> Path:
    """Write the page of one finding, with the picture of what it is about; return its path."""
    from gameday.report.charts import finding_charts

    return _written("finding", file, finding_charts(finding, summary), f=finding)


def _written(name: str, file: Path, drawn: tuple[str, dict[str, str]], **data: Any) -> Path:
    from gameday.report.charts import inline_library

    script, divs = drawn
    page = (
        environment(html=True)
        .get_template(f"{name}.html.j2")
        .render(charts=divs, script=script, library=inline_library(), **data)
    )
    write_whole(file, lambda path: path.write_text(page, encoding="utf-8"))
    return file
