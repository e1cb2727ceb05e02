"""The room that shows.

Job:   turn a run's summary into one HTML file, Markdown, JSON and JUnit.
In:    the summary, plain data.    Out: report.html, summary.md, summary.json, junit.xml.
Never: compute; a missing number is owed by an upstream room. No network request.
"""

from gameday.report.render import render_report

__all__ = ["render_report"]
