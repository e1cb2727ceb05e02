"""What a column of a log holds, told by its content: a time, a request, an address, a browser's name."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from ipaddress import ip_address

from gameday.history.log_lines.columns import Column, Role
from gameday.history.log_lines.instants import instant_parser

__all__ = ["address_of", "role_of_content", "with_unit"]

_METHODS = frozenset(
    ("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "CONNECT", "TRACE", "PROPFIND")
)
_REQUEST = re.compile(r"[A-Z]{3,9} \S.*?(?: HTTP/\d(?:\.\d)?)?$")
_STATUS = re.compile(r"[1-5]\d\d$")
_AGENT = re.compile(r"Mozilla/\d|^(?!HTTP/|TLS)[A-Za-z][\w .+-]*/\d[\w.]*(?:[ (;]|$)")
_TARGET = re.compile(r"(?:https?|wss?)://\S+$|/\S*$")
_ADDRESS_AND_PORT = re.compile(r"\[?([0-9a-fA-F:.]+?)\]?(?::\d+)?$")
_PLAIN = re.compile(r"(?:(?:25[0-5]|2[0-4]\d|1?\d?\d)(?:\.(?!$)|$)){4}$")
"""An IPv4 address and nothing else."""
_SECONDS = re.compile(r"\d+\.\d{3}$")
_MOST = 0.6
"""Share of a column's values by which it is told."""


@lru_cache(maxsize=200_000)
def address_of(text: str) -> str | None:
    """Return an IP address without brackets, port and zone, IPv4 in IPv6 as IPv4; None: it is none."""
    if _PLAIN.match(text):
        return text  # as most are
    plain = text.strip().strip('"').partition("%")[0]
    if plain.lower().startswith("for="):  # RFC 7239
        plain = plain[4:].strip('"').partition(";")[0].strip('"')
    for candidate in (plain.strip("[]"), _without_port(plain), plain.rpartition(":")[0]):
        try:
            known = ip_address(candidate)
        except ValueError:
            continue
        mapped = getattr(known, "ipv4_mapped", None)
        return str(mapped or known)
    return None


def _without_port(text: str) -> str:
    found = _ADDRESS_AND_PORT.match(text)
    if found is None:
        return text
    return found[1] if text.startswith("[") or text.count(":") == 1 else text


def _is_list(text: str) -> bool:
    """Return whether a text is a list of more than one address, or of none."""
    parts = text.split(",")
    return text == "-" or (len(parts) > 1 and all(address_of(part) for part in parts))


_JSON = re.compile(r'\{\s*(?:\\x22|\\?")')
"""Of what was sent, its quotes escaped as servers do it."""
_FRACTION = re.compile(r"\d+\.\d+")
_LONG_S = 5.0
"""Half of a shop's replies never take so long; fractions of which half are longer are no seconds. Ours."""
_TESTS: tuple[tuple[Role, Callable[[str], bool]], ...] = (
    ("request", lambda text: text.partition(" ")[0] in _METHODS and bool(_REQUEST.match(text))),
    ("method", lambda text: text in _METHODS),
    ("status", lambda text: bool(_STATUS.match(text))),
    ("address", lambda text: address_of(text) is not None),
    ("addresses", lambda text: _is_list(text) or address_of(text) is not None),
    ("body", lambda text: bool(_JSON.match(text))),
    ("agent", lambda text: bool(_AGENT.search(text))),
    ("target", lambda text: bool(_TARGET.match(text))),
    ("request_time", lambda text: bool(_SECONDS.match(text))),
)


def role_of_content(texts: list[str]) -> Role | None:
    """Return what most of these texts are; None where they tell nothing. `-` stands for nothing."""
    said = [text for text in texts if text not in ("", "-")]
    if not said:
        return None
    if instant_parser(said) is not None:
        return "time"
    for role, is_one in _TESTS:
        if sum(map(is_one, said)) >= _MOST * len(said):
            return "unitless" if role == "request_time" and not _may_be_seconds(said) else role
    return None


def _may_be_seconds(texts: list[str]) -> bool:
    """Return whether most fractions are short enough for a reply's seconds; those of milliseconds are not."""
    numbers = sorted(float(text) for text in texts if _FRACTION.fullmatch(text))
    return not numbers or numbers[len(numbers) // 2] < _LONG_S


def with_unit(column: Column, texts: list[str]) -> Column:
    """Return a column of durations with their unit told by what it holds.

    Fractions are seconds, as servers write them; whole numbers may be ms, us or ns: `unitless`.
    """
    if column.unit_s or column.role not in ("request_time", "upstream_time"):
        return column
    said = [text for text in texts if text not in ("", "-")]
    is_told = all(re.match(r"[\d.]+\s*[a-zµμ]+", text) or "." in text for text in said)
    if said and is_told and _may_be_seconds(said):
        return Column(column.name, column.role)
    return Column(column.name, "unitless" if said else "other")
