"""A browser's recording (HAR 1.2): which requests of the shop it holds, in order, redirects folded.

Source of the format: the HAR 1.2 specification (Odvarko, 2012), as browsers export it.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from gameday.errors import HistoryError

__all__ = ["Recorded", "Recording", "read_har"]

_STATIC = re.compile(
    r"\.(?:css|m?js|map|png|jpe?g|gif|svg|webp|avif|ico|woff2?|ttf|eot|otf|mp4|webm)$",
    re.IGNORECASE,
)
_STATIC_KINDS = ("image/", "font/", "video/", "audio/", "text/css", "application/javascript", "text/javascript",
                 "application/font", "application/x-javascript")  # fmt: skip
_HOPS = frozenset((301, 302, 303, 307, 308))
_METHODS = frozenset(("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD"))


@dataclass(frozen=True, slots=True)
class Recorded:
    """One request and its last reply."""

    at_s: float
    """Since the recording's first request."""
    took_s: float
    method: str
    path: str
    """Without its query, as it was sent."""
    query: tuple[tuple[str, str], ...]
    headers: tuple[tuple[str, str], ...]
    form: tuple[tuple[str, str], ...] | None
    json: Any
    """A JSON body; None: it has none."""
    body: str | None
    """Any other body."""
    status: int
    kind: str
    """Content type of the reply, lower case, without parameters."""
    reply: str
    """The last reply's text; empty where the recording does not have it."""
    reply_headers: tuple[tuple[str, str], ...]

    @property
    def ended_s(self) -> float:
        """When its last byte came."""
        return self.at_s + self.took_s

    @property
    def is_page(self) -> bool:
        """Whether it gave a page."""
        return self.kind in ("text/html", "application/xhtml+xml")


@dataclass(frozen=True, slots=True)
class Recording:
    """What is of the shop in a recording."""

    origin: str
    """http(s)://host of the shop."""
    requests: tuple[Recorded, ...]
    left_out: dict[str, int]
    """Why -> how many requests."""
    begun: datetime
    """When it was made."""


def read_har(file: Path) -> Recording:
    """Return the shop's requests in a HAR file; HistoryError says what is wrong with it.

    The shop is the host most pages came from. Pictures, styles, scripts and other hosts are counted and left out;
    a redirect and what it leads to are one request, with the last reply.
    """
    entries = sorted(_entries(file), key=lambda e: _instant(file, e))
    pages = Counter(
        _origin(e)
        for e in entries
        if _kind(e["response"]) == "text/html" and _origin(e) is not None
    )
    origin = next((name for name, _ in pages.most_common()), None)
    if origin is None:
        raise HistoryError(f"{file}: holds no page (a reply of type text/html) of any host")
    left_out, kept = Counter[str](), list[tuple[Recorded, str | None]]()
    first = _instant(file, entries[0])
    for entry in entries:
        request, response = entry["request"], entry["response"]
        url = urlsplit(str(request["url"]))
        if _origin(entry) != origin:
            left_out["of other hosts"] += 1
        elif str(request["method"]) not in _METHODS or not int(response.get("status") or 0):
            left_out["without a reply, or of a method that is none of a shop's"] += 1
        elif _STATIC.search(url.path) or _kind(response).startswith(_STATIC_KINDS):
            left_out["pictures, styles, scripts"] += 1
        else:
            one = _recorded(file, entry, first)
            if kept and _is_hop(kept[-1], one):
                kept[-1] = _joined(kept[-1][0], one), _onward(response, str(request["url"]))
                left_out["redirects, folded into what led there"] += 1
            else:
                kept.append((one, _onward(response, str(request["url"]))))
    if not kept:
        raise HistoryError(f"{file}: holds nothing of {origin} but pictures, styles and scripts")
    return Recording(origin, tuple(one for one, _ in kept), dict(left_out), first)


def _entries(file: Path) -> list[dict[str, Any]]:
    try:
        data = json.loads(file.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise HistoryError(f"{file}: cannot be read ({error.strerror}); check --from-har") from None
    except ValueError as error:
        raise HistoryError(f"{file}: is not JSON ({error}); export the recording as HAR") from None
    log = data.get("log") if isinstance(data, dict) else None
    entries = log.get("entries") if isinstance(log, dict) else None
    if not isinstance(entries, list) or not entries:
        raise HistoryError(f"{file}: has no log.entries; export the recording as HAR with content")
    for number, entry in enumerate(entries):
        if why := _unsound(entry):
            raise HistoryError(f"{file}: log.entries[{number}] {why}; export the recording again")
    return entries


def _unsound(entry: Any) -> str | None:
    """Return what is wrong with an entry, None if nothing is."""
    request: Any = entry.get("request") if isinstance(entry, dict) else None
    response: Any = entry.get("response") if isinstance(entry, dict) else None
    is_pair = isinstance(request, dict) and isinstance(response, dict)
    if not is_pair or not all(isinstance(request.get(name), str) for name in ("url", "method")):
        return "has no request and response of a HAR"
    for name, of in (("content", response), ("postData", request)):
        if of.get(name) is not None and not isinstance(of[name], dict):
            return f"has a {name} that is no mapping"
    for name, value in (("status", response.get("status")), ("time", entry.get("time"))):
        if value is not None and (isinstance(value, bool) or not isinstance(value, int | float)):
            return f"has a {name} that is no number (got {value!r})"
    try:
        urlsplit(request["url"])
    except ValueError as error:
        return f"has an address that is none ({error})"
    return None


def _origin(entry: dict[str, Any]) -> str | None:
    url = urlsplit(entry["request"]["url"])
    return f"{url.scheme}://{url.netloc}" if url.scheme in ("http", "https") else None


def _kind(response: dict[str, Any]) -> str:
    content = response.get("content")
    kind = content.get("mimeType") if isinstance(content, dict) else ""
    return str(kind or "").partition(";")[0].strip().lower()


def _instant(file: Path, entry: dict[str, Any]) -> datetime:
    """Return when a request went out; a time without an offset is UTC."""
    try:
        at = datetime.fromisoformat(str(entry.get("startedDateTime")).replace("Z", "+00:00"))
    except ValueError:
        raise HistoryError(
            f"{file}: startedDateTime '{entry.get('startedDateTime')}' is no time"
        ) from None
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def _recorded(file: Path, entry: dict[str, Any], first: datetime) -> Recorded:
    request, response = entry["request"], entry["response"]
    url, post = urlsplit(str(request["url"])), request.get("postData") or {}
    kind = str(post.get("mimeType") or "").partition(";")[0].strip().lower()
    text, form, body = str(post.get("text") or ""), None, None
    parsed: Any = None
    if kind == "application/x-www-form-urlencoded":
        params = post.get("params") or []
        form = tuple(parse_qsl(text, keep_blank_values=True)) or _pairs(params)
    elif kind.endswith("json") and text:
        try:
            parsed = json.loads(text)
        except ValueError:
            body = text
        if not isinstance(parsed, dict):
            parsed, body = None, text
    elif text:
        body = text
    return Recorded(
        (_instant(file, entry) - first).total_seconds(), max(0.0, float(entry.get("time") or 0.0)) / 1000,
        str(request["method"]), url.path or "/", tuple(parse_qsl(url.query, keep_blank_values=True)),
        _pairs(request.get("headers")), form, parsed, body, int(response["status"]), _kind(response),
        _text(response.get("content") or {}), _pairs(response.get("headers")),
    )  # fmt: skip


def _pairs(items: Any) -> tuple[tuple[str, str], ...]:
    rows = items if isinstance(items, list) else []
    return tuple(
        (str(r["name"]), str(r.get("value") or ""))
        for r in rows
        if isinstance(r, dict) and "name" in r
    )


def _text(content: dict[str, Any]) -> str:
    text = str(content.get("text") or "")
    if content.get("encoding") != "base64":
        return text
    try:
        return base64.b64decode(text).decode("utf-8", "replace")
    except (binascii.Error, ValueError):
        return ""


def _onward(response: dict[str, Any], url: str) -> str | None:
    """Return the path a redirect leads to."""
    if int(response["status"]) not in _HOPS:
        return None
    named = {name.lower(): value for name, value in _pairs(response.get("headers"))}
    to = str(response.get("redirectURL") or named.get("location") or "")
    return urlsplit(to).path or urlsplit(url).path


def _is_hop(before: tuple[Recorded, str | None], one: Recorded) -> bool:
    return before[1] is not None and one.method == "GET" and one.path == before[1]


def _joined(before: Recorded, last: Recorded) -> Recorded:
    """Return a request with the reply of what it was sent on to."""
    return Recorded(
        before.at_s, last.ended_s - before.at_s, before.method, before.path, before.query, before.headers,
        before.form, before.json, before.body, last.status, last.kind, last.reply, last.reply_headers,
    )  # fmt: skip
