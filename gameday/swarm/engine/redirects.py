"""Where a redirect leads: it is followed only inside the target."""

from __future__ import annotations

import string
from urllib.parse import SplitResult, quote, urljoin, urlsplit

from gameday.safety import Target
from gameday.swarm.wire import Head

__all__ = ["becomes_get", "onward_path"]


def onward_path(target: Target, here: str, head: Head) -> str | None:
    """Return the path a redirect from `here` leads to; None where that is not the target's."""
    raw = head.get(b"location") or b""
    try:
        location = raw.decode()
    except UnicodeDecodeError:
        location = raw.decode("latin-1")
    try:
        parts = urlsplit(urljoin(target.url + here, location))
        if _origin(parts) not in (_origin(urlsplit(target.url)), _origin(urlsplit(target.pinned))):
            return None
    except ValueError:
        return None  # no address at all
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return quote(path, safe=string.punctuation)


def becomes_get(method: str, status: int) -> bool:
    """Return whether a redirect's next hop is a GET, as browsers do it (Fetch standard, HTTP-redirect fetch)."""
    if status == 303:
        return method not in ("GET", "HEAD")
    return method == "POST" and status in (301, 302)


def _origin(parts: SplitResult) -> tuple[str, str | None, int | None]:
    port = {"http": 80, "https": 443}.get(parts.scheme) if parts.port is None else parts.port
    return parts.scheme, parts.hostname, port
