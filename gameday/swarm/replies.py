"""Reading a reply: was it good, and what does a later request need from it."""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Mapping
from typing import Any

from jsonpath_ng.parser import parse as parse_jsonpath
from selectolax.lexbor import LexborHTMLParser

from gameday.scenario.steps import TEMPLATE_WORD, Check, Extract
from gameday.swarm.client import Reply

__all__ = ["extracted", "filled", "outcome_of"]


def filled(template: Any, memory: Mapping[str, str]) -> Any:
    """Return `template` with `{word}` replaced from the customer's memory, in nested values too."""
    if isinstance(template, str):
        return TEMPLATE_WORD.sub(lambda found: memory.get(found[1], ""), template)
    if isinstance(template, dict):
        return {key: filled(value, memory) for key, value in template.items()}
    if isinstance(template, list):
        return [filled(value, memory) for value in template]
    return template


def outcome_of(reply: Reply, check: Check, seconds: float) -> tuple[str, str]:
    """Return (done | sold_out | failed | check_failed, why it was not done)."""
    if reply.fault is not None:
        return "failed", reply.fault
    if check.sold_out is not None and reply.status == check.sold_out:
        return "sold_out", ""
    if reply.status not in check.status:
        kind = "failed" if reply.status >= 500 or reply.status == 429 else "check_failed"
        return kind, f"status_{reply.status}"
    for name, wanted in check.header.items():
        if reply.headers.get(name.lower()) != wanted:
            return "check_failed", f"header_{name}"
    if check.body_contains is not None and check.body_contains.encode() not in reply.body:
        return "check_failed", "body"
    for path, wanted_value in check.jsonpath.items():
        if _at_jsonpath(reply.body, path) != [wanted_value]:
            return "check_failed", f"jsonpath_{path}"
    if check.latency is not None and seconds > check.latency:
        return "check_failed", "latency"
    return "done", ""


def extracted(reply: Reply, rule: Extract) -> str | None:
    """Return the text that `rule` finds in the reply; None if it is not there."""
    if rule.header is not None:
        return reply.headers.get(rule.header.lower())
    if rule.regex is not None:
        found = re.search(rule.regex, reply.body.decode("utf-8", "replace"))
        return (found[1] if found.re.groups else found[0]) if found else None
    if rule.jsonpath is not None:
        values = _at_jsonpath(reply.body, rule.jsonpath)
        return str(values[0]) if values else None
    selector, _, attribute = (rule.css or "").partition("@")
    node = LexborHTMLParser(reply.body).css_first(selector)
    if node is None:
        return None
    return node.attributes.get(attribute) if attribute else node.text()


@functools.cache
def _compiled(path: str) -> Any:
    return parse_jsonpath(path)


def _at_jsonpath(body: bytes, path: str) -> list[Any]:
    try:
        return [match.value for match in _compiled(path).find(json.loads(body))]
    except (ValueError, RecursionError):
        return []
