"""Entries of a HAR file: which can be read, and each as a request with its reply.

Source of the format: the HAR 1.2 specification (Odvarko, 2012), as browsers export it.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from gameday.errors import HistoryError

__all__ = [
    "Recorded",
    "instant_of",
    "kind_of",
    "origin_of",
    "pairs_of",
    "recorded",
    "sound_entries",
]

_OF_CACHES = frozenset((206, 304))
"""Statuses that only a browser with the page in its cache is given: a fresh customer gets 200."""


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
    """A JSON body, a mapping or a list; None: it has none."""
    body: str | None
    """Any other body."""
    body_kind: str
    """Content type of the body as it was sent."""
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
    return entries


def sound_entries(file: Path) -> tuple[list[dict[str, Any]], list[tuple[str, str]]]:
    """Return the entries that can be read, and of the others what is wrong; HistoryError where none can."""
    good, faults = list[dict[str, Any]](), list[tuple[str, str]]()
    for number, entry in enumerate(_entries(file)):
        why = _unsound(entry)
        if why is None:
            good.append(entry)
        else:
            request = entry.get("request") if isinstance(entry, dict) else None
            url = str(request.get("url", "?")) if isinstance(request, dict) else "?"
            method = str(request.get("method", "?")) if isinstance(request, dict) else "?"
            path = re.sub(r"^\w+://[^/?]*", "", url.partition("?")[0]) or "/"
            faults.append((f"log.entries[{number}] {why}", f"{method} {path}"))
    if not good:
        raise HistoryError(f"{file}: {faults[0][0]}; export the recording again")
    return good, faults


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
        _ = urlsplit(request["url"]).port
    except ValueError as error:
        return f"has an address that is none ({error})"
    try:
        instant_of(entry)
    except ValueError:
        return f"has a startedDateTime that is no time: '{entry.get('startedDateTime')}' is no time"
    return None


def origin_of(entry: dict[str, Any]) -> str | None:
    """Return scheme, host and port; what stands before an @ is a password's place."""
    url = urlsplit(entry["request"]["url"])
    host = url.netloc.rpartition("@")[2]
    return f"{url.scheme}://{host}" if url.scheme in ("http", "https") else None


def kind_of(response: dict[str, Any]) -> str:
    """Return the content type of a reply, lower case, without parameters."""
    content = response.get("content")
    kind = content.get("mimeType") if isinstance(content, dict) else ""
    return str(kind or "").partition(";")[0].strip().lower()


def instant_of(entry: dict[str, Any]) -> datetime:
    """Return when a request went out; a time without an offset is UTC. ValueError where it is no time."""
    at = datetime.fromisoformat(str(entry.get("startedDateTime")).replace("Z", "+00:00"))
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def recorded(entry: dict[str, Any], first: datetime) -> Recorded:
    """Return a sound entry as a request with its reply; `first` is when the recording begins."""
    request, response = entry["request"], entry["response"]
    url, post = urlsplit(str(request["url"])), request.get("postData") or {}
    form, parsed, body = _body(post)
    status = int(response["status"])
    return Recorded(
        (instant_of(entry) - first).total_seconds(),
        max(0.0, float(entry.get("time") or 0.0)) / 1000,
        str(request["method"]),
        url.path or "/",
        tuple(parse_qsl(url.query, keep_blank_values=True)),
        pairs_of(request.get("headers")),
        form,
        parsed,
        body,
        str(post.get("mimeType") or ""),
        200 if status in _OF_CACHES else status,
        kind_of(response),
        _text(response.get("content") or {}),
        pairs_of(response.get("headers")),
    )


def _body(post: dict[str, Any]) -> tuple[tuple[tuple[str, str], ...] | None, Any, str | None]:
    """Return a body as a form, as JSON, or as text; told by what it is where its type does not say."""
    kind = str(post.get("mimeType") or "").partition(";")[0].strip().lower()
    text, params = str(post.get("text") or ""), pairs_of(post.get("params"))
    if kind == "application/x-www-form-urlencoded":
        return tuple(parse_qsl(text, keep_blank_values=True)) or params, None, None
    if text.lstrip().startswith(("{", "[")) and not kind.startswith("multipart/"):
        try:
            return None, json.loads(text), None
        except ValueError:
            return None, None, text
    if not kind and (params or re.fullmatch(r"[^\s=&]+=[^\s&]*(?:&[^\s=&]+=[^\s&]*)*", text)):
        return params or tuple(parse_qsl(text, keep_blank_values=True)), None, None
    if params and not text:
        return None, None, _multipart(str(post.get("mimeType")), params)
    return None, None, text or None


def _multipart(kind: str, params: tuple[tuple[str, str], ...]) -> str:
    """Return the fields of a multipart form as they are sent (RFC 7578)."""
    boundary = kind.partition("boundary=")[2].strip('"') or "fields"
    parts = (
        f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
        for name, value in params
    )
    return "".join(parts) + f"--{boundary}--\r\n"


def pairs_of(items: Any) -> tuple[tuple[str, str], ...]:
    """Return the names and values of a HAR's list; what is none is left out."""
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
