"""A plan's page: what would be sent, minute by minute."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from gameday.files import write_whole
from gameday.report.charts import inline_library, plan_charts
from gameday.report.render import environment

__all__ = ["render_plan"]


def render_plan(data: dict[str, Any], file: Path) -> Path:
    """Write the page of what `gameday plan` tells; return its path."""
    script, divs = plan_charts(data)
    page = environment(html=True).get_template("plan.html.j2").render(
        p=data, charts=divs, script=script, library=inline_library()
    )  # fmt: skip
    write_whole(file, lambda path: path.write_text(page, encoding="utf-8"))
    return file
