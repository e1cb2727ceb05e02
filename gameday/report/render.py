"""The room's verb: a summary in, the run's four documents out."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

from gameday.files import write_whole

__all__ = ["SECTIONS", "environment", "render_report"]

SECTIONS = (
    "verdict",
    "findings",
    "requests",
    "lives",
    "objectives",
    "services",
    "learned",
    "event",
    "failure",
    "load",
    "forecast",
    "validity",
    "books",
    "conditions",
)
"""Parts of the report in order; each is `templates/<section>.html.j2`."""


def render_report(summary: dict[str, Any], folder: Path) -> Path:
    """Write report.html, summary.md, summary.json and junit.xml; return the path of the first."""
    from gameday.report.charts import charts, inline_library  # bokeh: only where a page is drawn

    write_whole(
        folder / "summary.json",
        lambda p: p.write_text(json.dumps(summary, indent=1, allow_nan=False)),
    )
    pages = environment(html=True)
    script, divs = charts(summary)
    page = pages.get_template("report.html.j2").render(
        s=summary, sections=SECTIONS, charts=divs, script=script, library=inline_library()
    )
    write_whole(folder / "report.html", lambda p: p.write_text(page, encoding="utf-8"))
    text = environment(html=False).get_template("summary.md.j2").render(s=summary)
    write_whole(folder / "summary.md", lambda p: p.write_text(text, encoding="utf-8"))
    write_whole(folder / "junit.xml", lambda p: p.write_bytes(_junit(summary)))
    return folder / "report.html"


def environment(*, html: bool) -> Environment:
    """Return the templates of this room, with the filters that print numbers."""
    made = Environment(
        loader=PackageLoader("gameday.report"),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        autoescape=select_autoescape(["html", "html.j2"]) if html else False,
    )
    made.filters |= {
        "number": _number,
        "share": _share,
        "seconds": _seconds,
        "band": _band,
        "change": _change,
        "shown": shown,
    }
    return made


def _number(value: float | None, digits: int = 3) -> str:
    if value is None:
        return "not observed"
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.{digits}g}"


def _share(value: float | None) -> str:
    if value is None:
        return "not observed"
    return f"{100 * value:.1f} %" if value >= 0.001 or value == 0 else f"{100 * value:.2g} %"


def _seconds(value: float | None) -> str:
    if value is None:
        return "not observed"
    if value < 0.001:
        return f"{value * 1e6:.0f} µs"
    return f"{value * 1000:.0f} ms" if value < 1 else f"{value:.2f} s"


def _band(band: dict[str, float | None] | None, unit: str) -> str:
    """Return a mean with its interval, in one unit."""
    if band is None or band["mid"] is None:
        return "not observed"
    if band["low"] is None or band["high"] is None:
        return f"{shown(band['mid'], unit)} (no interval)"
    low = max(0.0, band["low"])
    return f"{shown(band['mid'], unit)} ({shown(low, unit)} to {shown(band['high'], unit)})"


def _change(band: dict[str, float | None], unit: str) -> str:
    """Return a difference with its interval, each with its sign; of a share in percentage points."""
    parts = [band[name] for name in ("mid", "low", "high")]
    if parts[0] is None or parts[1] is None or parts[2] is None:
        return "-"
    signed = [f"{'-' if p < 0 else '+'}{shown(abs(p), unit)}" for p in parts if p is not None]
    if unit == "share":
        signed = [part.replace(" %", "") for part in signed]
        return f"{signed[0]} ({signed[1]} to {signed[2]} points)"
    return f"{signed[0]} ({signed[1]} to {signed[2]})"


def shown(value: float | None, unit: str) -> str:
    """Return a number in its unit: share, seconds or number."""
    return {"share": _share, "seconds": _seconds, "number": _number}[unit](value)


def _junit(summary: dict[str, Any]) -> bytes:
    """Return objectives as test cases, and the verdict as one of its own.

    Missed is a failure; not measured, or a run that says nothing, is an error.
    """
    verdict, cases = summary["verdict"], summary["objectives"]
    void = verdict["name"] in ("INVALID", "ABORTED", "ERROR")
    why = _printable("; ".join(verdict["reasons"]))
    suite = ElementTree.Element("testsuite", name=f"gameday {summary['event']}")
    for case in cases:
        name = f"{summary['event']}.{case['stack']}"
        node = ElementTree.SubElement(suite, "testcase", classname=name, name=case["text"])
        _add_outcome(node, case, void=why if void else None)
    last = ElementTree.SubElement(suite, "testcase", classname=summary["event"], name="verdict")
    if verdict["exit_code"]:
        kind = "error" if void else "failure"
        ElementTree.SubElement(last, kind, message=f"{verdict['name']}: {why}")
    suite.set("tests", str(len(cases) + 1))
    for kind, plural in (("failure", "failures"), ("error", "errors")):
        suite.set(plural, str(len(suite.findall(f"./testcase/{kind}"))))
    return bytes(ElementTree.tostring(suite, encoding="utf-8", xml_declaration=True))


def _add_outcome(node: ElementTree.Element, case: dict[str, Any], *, void: str | None) -> None:
    """Add a failure or an error to an objective's test case; `void`: why the run says nothing."""
    if case["missed"]:
        ElementTree.SubElement(node, "failure", message=_printable(case["said"]))
    elif void is not None or not case["measured"]:
        ElementTree.SubElement(node, "error", message="not measured" if void is None else void)


def _printable(text: str) -> str:
    """Return `text` without the control characters that XML has no place for."""
    return "".join(letter if letter.isprintable() else " " for letter in text)
