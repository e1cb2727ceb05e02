"""What is left of a run that was killed: its manifest, its journal and what was measured, as a page."""

from __future__ import annotations

import html
import json
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from gameday.files import MEASURED, write_whole
from gameday.record import BINS, percentile

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["render_remains"]


def render_remains(folder: Path, *, verdict: str) -> Path:
    """Write report.html from run.json, journal.jsonl and measured.parquet; return its path."""
    manifest = json.loads((folder / "run.json").read_text())
    journal = folder / "journal.jsonl"
    lines = journal.read_text().splitlines() if journal.is_file() else []
    files = sorted(p.name for p in folder.iterdir() if not p.name.startswith("."))
    state = "still plays" if verdict == "RUNNING" else "ended before its report"
    page = f"""<!doctype html><html lang="en"><meta charset="utf-8">
<title>{verdict} · {html.escape(manifest["event"])}</title>
<style>:root {{ color-scheme: light dark }} body {{ font: 15px/1.5 system-ui; max-width: 900px;
margin: 24px auto; padding: 0 24px }}</style>
<h1>{html.escape(manifest["event"])}</h1>
<p><b>{verdict}</b>: run {html.escape(manifest["run_id"])} {state}. Nothing was judged.</p>
<h2>Measured</h2>{_measured(folder / MEASURED)}
<h2>Journal</h2><pre>{html.escape(chr(10).join(lines)) or "empty"}</pre>
<h2>Files it left</h2><p>{html.escape(", ".join(files))}</p>
<p>Again: <code>{html.escape(manifest["command"])}</code></p></html>"""
    write_whole(folder / "report.html", lambda p: p.write_text(page, encoding="utf-8"))
    return folder / "report.html"


_COUNTS = ("planned", "achieved", "done", "failed", "check_failed", "abandoned", "lost")


def _measured(file: Path) -> str:
    """Return what a run measured before it ended as a table: steps by outcome, response times."""
    import pandas as pd  # heavy: few runs are killed

    if not file.is_file():
        return "<p>No load was played to its end.</p>"
    table = pd.read_parquet(file)
    counts = table[table["table"] == "steps"].groupby(["stack", "name", "measure"])["value"].sum()
    heads = "".join(f"<th>{name.replace('_', ' ')}</th>" for name in _COUNTS)
    rows = [f"<tr><th>stack</th><th>step</th>{heads}<th>p50</th><th>p99</th></tr>"]
    response = table[(table["table"] == "latency") & (table["measure"] == "response")]
    for stack, step in counts.index.droplevel("measure").unique():
        cells = [f"{counts.get((stack, step, name), 0):.0f}" for name in _COUNTS]
        cells += _percentiles(response[(response["stack"] == stack) & (response["name"] == step)])
        rows.append(
            f"<tr><td>{html.escape(stack)}</td><td>{html.escape(step)}</td>"
            + "".join(f"<td>{cell}</td>" for cell in cells)
            + "</tr>"
        )
    return f"<table>{''.join(rows)}</table>"


def _percentiles(response: pd.DataFrame) -> list[str]:
    """Return the median and the 99th percentile of a step's response times; none where none ended."""
    if not len(response):
        return []
    histogram = np.bincount(response["bin"], weights=response["value"], minlength=BINS)
    return [f"{1000 * percentile(histogram, level):.0f} ms" for level in (0.5, 0.99)]
