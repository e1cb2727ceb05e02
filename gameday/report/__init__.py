"""The room that shows.

Job:   turn a run's summary into one HTML file, Markdown, JSON and JUnit.
In:    all of the above, gathered into plain data.    Out: report.html, summary.md, summary.json, junit.xml.
Never: compute; a missing number is owed by an upstream room. No network request.
"""

from typing import TYPE_CHECKING

from gameday.doors import opening

if TYPE_CHECKING:
    from gameday.report.aborted_run import render_remains
    from gameday.report.comparison import COMPARISON_SCHEMA_VERSION, compare_summaries
    from gameday.report.forecast_pages import (
        render_backtest,
        render_explanation,
        render_review,
        render_service,
        render_team,
    )
    from gameday.report.lives import Lives
    from gameday.report.pages import render_finding, render_import, render_plan, render_rehearsal
    from gameday.report.render import render_report
    from gameday.report.run_summary import Judged, RunAbout, Summary, gather, summary_json

__all__ = [
    "Judged",
    "Lives",
    "RunAbout",
    "Summary",
    "COMPARISON_SCHEMA_VERSION",
    "compare_summaries",
    "gather",
    "render_backtest",
    "render_explanation",
    "render_finding",
    "render_import",
    "render_plan",
    "render_rehearsal",
    "render_remains",
    "render_report",
    "render_review",
    "render_service",
    "render_team",
    "summary_json",
]

if not TYPE_CHECKING:
    __getattr__ = opening(
        __name__,
        {
            "COMPARISON_SCHEMA_VERSION": "comparison",
            "compare_summaries": "comparison",
            "Judged": "run_summary",
            "Lives": "lives",
            "RunAbout": "run_summary",
            "Summary": "run_summary",
            "gather": "run_summary",
            "summary_json": "run_summary",
            "render_backtest": "forecast_pages",
            "render_explanation": "forecast_pages",
            "render_finding": "pages",
            "render_import": "pages",
            "render_plan": "pages",
            "render_rehearsal": "pages",
            "render_remains": "aborted_run",
            "render_report": "render",
            "render_review": "forecast_pages",
            "render_service": "forecast_pages",
            "render_team": "forecast_pages",
        },
    )
