"""A rehearsal's page: the event in the model as it is, and as it would be."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from gameday.files import write_whole
from gameday.report.charts import inline_library, rehearsal_charts
from gameday.report.render import environment

__all__ = ["render_rehearsal"]


def render_rehearsal(result: dict[str, Any], file: Path) -> Path:
    """Write the page of what `gameday simulate` found; return its path."""
    script, divs = rehearsal_charts(result)
    page = environment(html=True).get_template("rehearsal.html.j2").render(
        r=result, charts=divs, script=script, library=inline_library()
    )  # fmt: skip
    write_whole(file, lambda path: path.write_text(page, encoding="utf-8"))
    return file
