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
_URL_ENCODED = re.compile(r"[^\s=&]+=[^\s&]*(?:&[^\s=&]+=[^\s&]*)*")


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


def _entries(file: Path) -> list[Any]:
    """Return what a HAR file has in log.entries; HistoryError where it has none."""
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
    """Return the entries that can be read, and of the others what is wrong; HistoryError where none can.

    Of each of the others: its place in the file with its fault, and its method and path.
    """
    good, faults = list[dict[str, Any]](), list[tuple[str, str]]()
    for number, entry in enumerate(_entries(file)):
        fault = _fault_of(entry)
        if fault is None:
            good.append(entry)
        else:
            faults.append((f"log.entries[{number}] {fault}", _shown(entry)))
    if not good:
        raise HistoryError(f"{file}: {faults[0][0]}; export the recording again")
    return good, faults


def _shown(entry: Any) -> str:
    """Return method and path of an entry, as far as it has them."""
    request = entry.get("request") if isinstance(entry, dict) else None
    fields = request if isinstance(request, dict) else {}
    url = str(fields.get("url", "?"))
    path = re.sub(r"^\w+://[^/?]*", "", url.partition("?")[0]) or "/"
    return f"{fields.get('method', '?')} {path}"


def _fault_of(entry: Any) -> str | None:
    """Return what is wrong with an entry, None if nothing is."""
    request: Any = entry.get("request") if isinstance(entry, dict) else None
    response: Any = entry.get("response") if isinstance(entry, dict) else None
    is_pair = isinstance(request, dict) and isinstance(response, dict)
    if not is_pair or not all(isinstance(request.get(name), str) for name in ("url", "method")):
        return "has no request and response of a HAR"
    for name, parent in (("content", response), ("postData", request)):
        if parent.get(name) is not None and not isinstance(parent[name], dict):
            return f"has a {name} that is no mapping"
    for name, value in (("status", response.get("status")), ("time", entry.get("time"))):
        if value is not None and not _is_number(value):
            return f"has a {name} that is no number (got {value!r})"
    return _fault_of_address(request["url"]) or _fault_of_time(entry)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _fault_of_address(url: str) -> str | None:
    try:
        _ = urlsplit(url).port
    except ValueError as error:
        return f"has an address that is none ({error})"
    return None


def _fault_of_time(entry: dict[str, Any]) -> str | None:
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
    text = str(entry.get("startedDateTime")).replace("Z", "+00:00")
    instant = datetime.fromisoformat(text)
    return instant if instant.tzinfo else instant.replace(tzinfo=UTC)


def recorded(entry: dict[str, Any], first: datetime) -> Recorded:
    """Return a sound entry as a request with its reply; `first` is when the recording begins."""
    request, response = entry["request"], entry["response"]
    url, post = urlsplit(str(request["url"])), request.get("postData") or {}
    body, status = _body(post), int(response["status"])
    return Recorded(
        at_s=(instant_of(entry) - first).total_seconds(),
        took_s=max(0.0, float(entry.get("time") or 0.0)) / 1000,
        method=str(request["method"]),
        path=url.path or "/",
        query=_fields(url.query),
        headers=pairs_of(request.get("headers")),
        form=body.form,
        json=body.json,
        body=body.text,
        body_kind=str(post.get("mimeType") or ""),
        status=200 if status in _OF_CACHES else status,
        kind=kind_of(response),
        reply=_text(response.get("content") or {}),
        reply_headers=pairs_of(response.get("headers")),
    )


@dataclass(frozen=True, slots=True)
class _Body:
    """A request's body: one of these, or none where it has no body."""

    form: tuple[tuple[str, str], ...] | None = None
    json: Any = None
    text: str | None = None


def _body(post: dict[str, Any]) -> _Body:
    """Return a body as a form, as JSON, or as text; told by what it is where its type does not say."""
    kind = str(post.get("mimeType") or "").partition(";")[0].strip().lower()
    text, params = str(post.get("text") or ""), pairs_of(post.get("params"))
    if kind == "application/x-www-form-urlencoded":
        return _Body(form=_fields(text) or params)
    if text.lstrip().startswith(("{", "[")) and not kind.startswith("multipart/"):
        try:
            return _Body(json=json.loads(text))
        except ValueError:
            return _Body(text=text)
    if not kind and (params or _URL_ENCODED.fullmatch(text)):
        return _Body(form=params or _fields(text))
    if params and not text:
        return _Body(text=_multipart(str(post.get("mimeType")), params))
    return _Body(text=text or None)


def _fields(text: str) -> tuple[tuple[str, str], ...]:
    """Return the fields of a query or of a form as it is sent."""
    return tuple(parse_qsl(text, keep_blank_values=True))


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
