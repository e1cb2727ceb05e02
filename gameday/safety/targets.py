"""Which targets may be sent load: loopback, and nothing else yet."""

from __future__ import annotations

import ipaddress
import socket
from urllib.parse import urlsplit

from gameday.errors import SafetyRefusal, UsageError

__all__ = ["allowed_target"]


def allowed_target(url: str) -> str:
    """Return `scheme://address:port` with the name resolved once and pinned.

    Raises SafetyRefusal unless every address of the host is loopback, UsageError when the URL is
    no http address at all.
    """
    try:
        parts = urlsplit(url if "//" in url else f"//{url}", scheme="http")
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise UsageError(f"--target: {error} (got '{url}')") from None
    if (
        parts.scheme != "http"
        or not host
        or port == 0
        or parts.query
        or parts.path not in ("", "/")
    ):
        raise UsageError(
            f"--target: must be http://HOST:PORT, as in http://127.0.0.1:8080 (got '{url}')"
        )
    addresses = _addresses(host)
    if not addresses or not all(a.is_loopback for a in addresses):
        where = ", ".join(map(str, addresses)) or "nowhere"
        raise SafetyRefusal(
            f"--target {url}: resolves to {where}; only loopback (127.0.0.0/8, ::1) may be sent load"
        )
    first = addresses[0]
    name = f"[{first}]" if first.version == 6 else str(first)
    return f"http://{name}:{80 if port is None else port}"


def _addresses(host: str) -> list[ipaddress.IPv4Address | ipaddress.IPv6Address]:
    try:
        return [ipaddress.ip_address(host)]
    except ValueError:
        pass  # a name, not an address
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except (OSError, ValueError):  # a name no resolver takes
        return []
    named = {ipaddress.ip_address(str(entry[4][0]).split("%")[0]) for entry in found}
    return sorted(named, key=lambda a: (a.version, int(a)))
