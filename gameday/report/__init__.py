"""The room that shows.

Job:   turn a run's summary into one HTML file, Markdown, JSON and JUnit.
In:    all of the above, gathered into plain data.    Out: report.html, summary.md, summary.json, junit.xml.
Never: compute; a missing number is owed by an upstream room. No network request.
"""

from gameday.report.gather import gather
from gameday.report.pages import render_import, render_plan, render_rehearsal
from gameday.report.remains import render_remains
from gameday.report.render import render_report

__all__ = [
    "gather", "render_import", "render_plan", "render_rehearsal", "render_remains", "render_report",
]  # fmt: skip
