"""What is left of a run that was killed: its manifest and its journal, as a page."""

from __future__ import annotations

import html
import json
from pathlib import Path

from gameday.files import write_whole

__all__ = ["render_remains"]


def render_remains(folder: Path, *, verdict: str) -> Path:
    """Write report.html from run.json and journal.jsonl alone; return its path."""
    manifest = json.loads((folder / "run.json").read_text())
    journal = folder / "journal.jsonl"
    lines = journal.read_text().splitlines() if journal.is_file() else []
    files = sorted(p.name for p in folder.iterdir() if not p.name.startswith("."))
    page = f"""<!doctype html><html lang="en"><meta charset="utf-8">
<title>{verdict} · {html.escape(manifest["event"])}</title>
<style>:root {{ color-scheme: light dark }} body {{ font: 15px/1.5 system-ui; max-width: 900px;
margin: 24px auto; padding: 0 24px }}</style>
<h1>{html.escape(manifest["event"])}</h1>
<p><b>{verdict}</b>: run {html.escape(manifest["run_id"])} ended before its report. Nothing was judged.</p>
<h2>Journal</h2><pre>{html.escape(chr(10).join(lines)) or "empty"}</pre>
<h2>Files it left</h2><p>{html.escape(", ".join(files))}</p>
<p>Again: <code>{html.escape(manifest["command"])}</code></p></html>"""
    write_whole(folder / "report.html", lambda p: p.write_text(page, encoding="utf-8"))
    return folder / "report.html"
