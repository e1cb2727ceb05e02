"""A browser's recording (HAR 1.2): the shop's requests in it, in order, redirects folded.

Source of the format: the HAR 1.2 specification (Odvarko, 2012), as browsers export it.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import urljoin, urlsplit

from gameday.errors import HistoryError
from gameday.history.recordings.har_entries import (
    Recorded,
    instant_of,
    kind_of,
    origin_of,
    pairs_of,
    recorded,
    sound_entries,
)

__all__ = ["Recorded", "Recording", "read_har"]

_STATIC = re.compile(
    r"\.(?:css|m?js|map|png|jpe?g|gif|svg|webp|avif|ico|woff2?|ttf|eot|otf|mp4|webm)$",
    re.IGNORECASE,
)
_STATIC_KINDS = (
    "image/",
    "font/",
    "video/",
    "audio/",
    "text/css",
    "application/javascript",
    "text/javascript",
    "application/font",
    "application/x-javascript",
)
_HOPS = frozenset((301, 302, 303, 307, 308))
_METHODS = frozenset(("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD"))


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
    entries: int
    """Requests of the file, whatever became of them."""
    listed: tuple[tuple[str, str], ...]
    """Why one was left out or folded, and its method and address."""
    without_text: int
    """Replies of the shop whose text the recording does not have, though they had one."""


def read_har(file: Path, host: str | None = None) -> Recording:
    """Return the shop's requests in a HAR file; HistoryError says what is wrong with it.

    The shop is `host`, or the host most pages came from. Pictures, styles, scripts and other hosts are counted and
    left out, and so are entries that cannot be read; a redirect and what it leads to are one request, with the
    last reply.
    """
    entries, faults = sound_entries(file)
    entries.sort(key=instant_of)
    origin = _shop(file, entries, host)
    reader = _Reader(origin, instant_of(entries[0]))
    for why, request in faults:
        reader.leave_out(why, request)
    for entry in entries:
        reader.take(entry)
    if not reader.kept:
        raise HistoryError(f"{file}: holds nothing of {origin} but pictures, styles and scripts")
    return Recording(
        origin,
        tuple(request for request, _ in reader.kept),
        dict(reader.left_out),
        begun=reader.first,
        entries=len(entries) + len(faults),
        listed=tuple(reader.listed),
        without_text=reader.without_text,
    )


def _shop(file: Path, entries: list[dict[str, Any]], host: str | None) -> str:
    """Return the origin whose requests are taken."""
    every = Counter(name for e in entries if (name := origin_of(e)) is not None)
    if host is not None:
        chosen = next((name for name in every if host in (name, name.partition("://")[2])), None)
        if chosen is None:
            raise HistoryError(f"{file}: holds no request to '{host}'; it has {', '.join(every)}")
        return chosen
    pages = Counter(name for e in entries if _is_page(e) and (name := origin_of(e)) is not None)
    origin = next((name for name, _ in pages.most_common()), None)
    if origin is None:
        raise HistoryError(f"{file}: holds no page (a reply of type text/html) of any host")
    return origin


def _is_page(entry: dict[str, Any]) -> bool:
    """Return whether an entry is a page that was answered, and so one that would be kept."""
    method, response = str(entry["request"]["method"]), entry["response"]
    is_static = _is_static(method, str(entry["request"]["url"]), response)
    is_answered = method in _METHODS and bool(int(response.get("status") or 0))
    return is_answered and not is_static and kind_of(response) == "text/html"


def _is_static(method: str, url: str, response: dict[str, Any]) -> bool:
    """Return whether a request is for a picture, a style or a script."""
    is_named_so = _STATIC.search(urlsplit(url).path) is not None
    return method in ("GET", "HEAD") and (
        is_named_so or kind_of(response).startswith(_STATIC_KINDS)
    )


class _Reader:
    """Entries in, requests of the shop out; why others were left out is kept."""

    def __init__(self, origin: str, first: datetime) -> None:
        self.origin, self.first = origin, first
        self.kept: list[tuple[Recorded, str | None]] = []
        """Requests of the shop, each with the address that its redirect leads to."""
        self.left_out, self.listed, self.without_text = Counter[str](), list[tuple[str, str]](), 0

    def leave_out(self, why: str, shown: str) -> None:
        """Count a request that is no exchange of its own; it is listed as `shown`."""
        self.left_out[why] += 1
        self.listed.append((why, shown))

    def take(self, entry: dict[str, Any]) -> None:
        """Keep a request of the shop, fold it into what led there, or leave it out."""
        url, method = str(entry["request"]["url"]), str(entry["request"]["method"])
        leads_to = _onward(entry["response"], url)
        why = self._reason_to_leave_out(entry, leads_to)
        parts = urlsplit(url)
        shown = f"{method} {parts.path or '/'}" + ("?..." if parts.query else "")
        if why is not None:
            self.leave_out(why, shown)
        else:
            self._keep(entry, leads_to, shown)

    def _reason_to_leave_out(self, entry: dict[str, Any], leads_to: str | None) -> str | None:
        """Return why a request is none of the shop's own exchanges; None where it is one."""
        url, method = str(entry["request"]["url"]), str(entry["request"]["method"])
        if (origin := origin_of(entry)) != self.origin:
            if leads_to is not None and leads_to.startswith(self.origin + "/"):
                return "redirects to the shop's own address"
            return f"of another host, {origin or urlsplit(url).scheme + ':'}"
        if method not in _METHODS or not int(entry["response"].get("status") or 0):
            return "without a reply, or of a method that is none of a shop's"
        return "pictures, styles, scripts" if _is_static(method, url, entry["response"]) else None

    def _keep(self, entry: dict[str, Any], leads_to: str | None, shown: str) -> None:
        """Keep a request, or fold it into the one whose redirect led to it."""
        request = recorded(entry, self.first)
        is_empty = request.status in (204, *_HOPS) or request.method == "HEAD"
        self.without_text += not (request.reply or is_empty)
        for index, (before, onward) in reversed([*enumerate(self.kept)]):
            if onward is not None and _is_hop(before, onward, request, entry["request"]["url"]):
                self.kept[index] = _joined(before, request), leads_to
                self.leave_out("redirects, folded into what led there", shown)
                return
        self.kept.append((request, leads_to))


def _onward(response: dict[str, Any], url: str) -> str | None:
    """Return the address a redirect leads to."""
    if int(response.get("status") or 0) not in _HOPS:
        return None
    named = {name.lower(): value for name, value in pairs_of(response.get("headers"))}
    to = str(response.get("redirectURL") or named.get("location") or "")
    try:
        return urljoin(url, to)
    except ValueError:
        return None


def _is_hop(before: Recorded, onward: str, request: Recorded, url: str) -> bool:
    """Return whether a request is where the one before was sent on to (RFC 9110 §15.4)."""
    method = before.method
    if (before.status in (301, 302) and method == "POST") or before.status == 303:
        method = "GET"
    there, here = urlsplit(onward), urlsplit(url)
    is_query = there.query == here.query or not (there.query and here.query)
    is_path = (there.path or "/") == (here.path or "/")
    return request.method in (method, "GET") and is_path and is_query


def _joined(before: Recorded, last: Recorded) -> Recorded:
    """Return a request with the reply of what it was sent on to."""
    return replace(
        before,
        took_s=last.ended_s - before.at_s,
        status=last.status,
        kind=last.kind,
        reply=last.reply,
        reply_headers=last.reply_headers,
    )
