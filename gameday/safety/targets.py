"""Which targets may be sent load: loopback, and nothing else yet."""

from __future__ import annotations

import ipaddress
import re
import socket
from dataclasses import dataclass
from urllib.parse import SplitResult, urlsplit

from gameday.errors import SafetyRefusal, UsageError

__all__ = ["Target", "allowed_target", "targets_by_stack"]

_PORTS = {"http": 80, "https": 443}
_USER_INFO = re.compile(r"(?<=//)[^/]*@")


@dataclass(frozen=True, slots=True)
class Target:
    """An allowed target: its name as given, resolved once and pinned."""

    scheme: str
    host: str
    """The name customers ask for: Host, SNI and certificate go by it."""
    address: str
    """The loopback address that packets go to."""
    port: int

    @property
    def url(self) -> str:
        """`scheme://name:port`."""
        return f"{self.scheme}://{_bracketed(self.host)}:{self.port}"

    @property
    def pinned(self) -> str:
        """`scheme://address:port`: two targets are one where this is the same."""
        return f"{self.scheme}://{_bracketed(self.address)}:{self.port}"

    @property
    def authority(self) -> str:
        """The Host header: the port only where it is not the scheme's own."""
        name = _bracketed(self.host)
        return name if self.port == _PORTS[self.scheme] else f"{name}:{self.port}"


def allowed_target(url: str) -> Target:
    """Return the target that `url` names.

    Raises SafetyRefusal unless every address of the host is loopback, UsageError when the URL is
    no http address at all.
    """
    parts, host, port = _split(url)
    addresses = _addresses(host)
    if not addresses or not all(a.is_loopback for a in addresses):
        where = ", ".join(map(str, addresses)) or "nowhere"
        raise SafetyRefusal(
            f"--target {_USER_INFO.sub('***@', url)}: resolves to {where}; only loopback "
            "(127.0.0.0/8, ::1) may be sent load"
        )
    if parts.username is not None or parts.password is not None:
        raise UsageError(
            f"--target: must be http(s)://HOST:PORT without a user and password, which would be ignored; write "
            f"an Authorization header in the scenario (got '{parts.scheme}://***@{host}')"
        )
    return Target(parts.scheme, host.lower(), str(addresses[0]), port)


def _split(url: str) -> tuple[SplitResult, str, int]:
    """Return a URL in its parts, its host and its port; UsageError where it is no http address."""
    try:
        parts = urlsplit(url if "//" in url else f"//{url}", scheme="http")
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise UsageError(f"--target: {error} (got '{url}')") from None
    has_more = parts.query or parts.path not in ("", "/")
    if parts.scheme not in _PORTS or not host or port == 0 or has_more:
        raise UsageError(
            f"--target: must be http(s)://HOST:PORT, as in http://127.0.0.1:8080 (got '{url}')"
        )
    return parts, host, _PORTS[parts.scheme] if port is None else port


def _bracketed(name: str) -> str:
    return f"[{name}]" if ":" in name else name


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


def targets_by_stack(given: dict[str, str], stacks: tuple[str, ...]) -> dict[str, str]:
    """Return an allowed target for every stack; the one under "" is for all not named.

    UsageError says which stack has none, is not known, or shares its address with another.
    """
    targets = given
    if "" in given:
        targets = {stack: given.get(stack, given[""]) for stack in stacks}
    if unknown := sorted(set(targets) - set(stacks)):
        raise UsageError(
            f"--target: unknown stack {', '.join(unknown)}; this scenario has {', '.join(stacks)}"
        )
    if missing := sorted(set(stacks) - set(targets)):
        raise UsageError(f"--target: no target for stack {', '.join(missing)}")
    allowed = {stack: allowed_target(url) for stack, url in targets.items()}
    if len({target.pinned for target in allowed.values()}) < len(allowed):
        raise UsageError(
            "--target: two stacks share one address; their orders and metrics could not be told "
            "apart: give each its own, as in us=http://127.0.0.1:8080"
        )
    return {stack: target.url for stack, target in allowed.items()}
