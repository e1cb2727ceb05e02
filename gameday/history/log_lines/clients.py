"""Who came: which column of a log tells customers apart."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import lru_cache
from ipaddress import ip_address, ip_network

from gameday.errors import UsageError
from gameday.history.log_lines.columns import Column
from gameday.history.log_lines.content import address_of
from gameday.history.log_lines.request_lines import CLIENT_ROLES

__all__ = ["ClientChoice", "choose_client"]

Clients = tuple[str, ...]
"""Texts of the columns that may tell who came, as RequestLine has them."""
_INNER = tuple(
    ip_network(text)
    for text in (
        "10.0.0.0/8",
        "172.16.0.0/12",
        "192.168.0.0/16",
        "127.0.0.0/8",
        "100.64.0.0/10",
        "169.254.0.0/16",
        "::1/128",
        "fc00::/7",
        "fe80::/10",
    )
)
"""Addresses of machines behind a proxy or a carrier's gateway (RFC 1918, 6598, 3927, 4193, 4291)."""
_EACH_ANOTHER = 0.8
"""Share of requests that are of different customers from which on a way tells requests, not customers. Ours."""
_SOME = 0.05
"""Share of requests that are of different customers, of a way that does tell customers. Ours."""
_MORE = 1.5
"""Times as many customers as another way tells, from which on a way is taken to tell them better. Ours."""
_REMEMBERED = 200_000


@lru_cache(maxsize=_REMEMBERED)
def _is_inner(address: str) -> bool:
    """Return whether an address is of a private network."""
    try:
        known = ip_address(address)
    except ValueError:
        return False
    return any(known in network for network in _INNER)


@lru_cache(maxsize=_REMEMBERED)
def _first_outer(text: str, *, is_last: bool) -> str:
    """Return the first (or last) public address of a list, else its first (or last); empty: it names none."""
    known = [a for a in map(address_of, text.split(",")) if a is not None]
    known = known[::-1] if is_last else known
    return next((a for a in known if not _is_inner(a)), known[0] if known else "")


@dataclass(frozen=True, slots=True)
class _Way:
    """One way to tell who came."""

    name: str
    """Of the column; with `:first` or `:last` where it lists addresses."""
    number: int
    """Of the column in `Clients`."""
    role: str
    is_last: bool = False

    def read(self, row: Clients) -> str:
        """Return who came; empty where the column does not say."""
        text = row[self.number]
        if self.role == "addresses":
            return _first_outer(text, is_last=self.is_last)
        if text == "-":
            return ""
        return (address_of(text) or text) if self.role == "address" else text


@dataclass(frozen=True, slots=True)
class ClientChoice:
    """The column by which customers are told apart."""

    name: str
    """Of the way: a column, `:first` or `:last` behind one that lists addresses; empty: the log has none."""
    client: Callable[[Clients], str]
    """Texts of the columns -> who came."""
    told: dict[str, int] = field(default_factory=dict)
    """Way -> how many customers it tells in the first lines."""


def choose_client(
    columns: tuple[Column, ...], rows: Iterable[Clients], named: str | None = None
) -> ClientChoice:
    """Return the column that tells customers apart: `named` by a person, else by `rows`, the first lines'.

    Whom proxies wrote down as asking is the customer. UsageError where there is no column `named`.
    """
    ways = _ways(columns)
    if named is not None:
        way = _way_named(named, ways)
        return ClientChoice(way.name, _resolver([way]))
    if not ways:
        return ClientChoice("", lambda row: "")
    first = list(rows)
    peers = next((way for way in ways if way.role == "address"), ways[0])
    best = peers
    for way in _of_visitors(ways, first, peers):
        if way.role != "client" and way is not best and _tells_better(way, best, first):
            best = way
    told = {way.name: len({who for row in first if (who := way.read(row))}) for way in ways}
    return ClientChoice(best.name, _resolver([best] if best is peers else [best, peers]), told)


def _way_named(named: str, ways: list[_Way]) -> _Way:
    """Return the way that a person names; UsageError where there is none."""
    chosen = [way for way in ways if named in (way.name, way.name.partition(":")[0])]
    if not chosen:
        there = ", ".join(way.name for way in ways) or "none"
        raise UsageError(f"--client: the log has no field '{named}'; there are {there}")
    return chosen[0]


def _ways(columns: tuple[Column, ...]) -> list[_Way]:
    """Return the ways to tell who came by these columns."""
    out = []
    for number, column in enumerate(c for c in columns if c.role in CLIENT_ROLES):
        if column.role == "addresses":
            out += [
                _Way(f"{column.name}:first", number, column.role),
                _Way(f"{column.name}:last", number, column.role, is_last=True),
            ]
        else:
            out.append(_Way(column.name, number, column.role))
    return out


def _of_visitors(ways: list[_Way], rows: list[Clients], peers: _Way) -> list[_Way]:
    """Return the ways but for those that call nearly every request another's, where one of the others does not.

    Programs make addresses up (X-Forwarded-For is theirs to write): no customer has one of them twice.
    """
    shares = {}
    for way in ways:
        said = [who for row in rows if (who := way.read(row))]
        shares[way] = len(set(said)) / len(said) if said else 0.0
    out = [way for way in ways if way is peers or shares[way] <= _EACH_ANOTHER]
    tells = (shares[way] for way in out if way is not peers and way.role != "client")
    return out if max(tells, default=0.0) > _SOME else ways


def _tells_better(way: _Way, other: _Way, rows: list[Clients]) -> bool:
    """Return whether a way tells customers apart better than another, in the lines where it says something.

    It does where the other's addresses are all of a private network and its own are not, or are far fewer.
    """
    said = [row for row in rows if way.read(row)]
    mine, others = {way.read(row) for row in said}, {other.read(row) for row in said}
    are_hidden = all(_is_inner(who) for who in others) and not all(_is_inner(who) for who in mine)
    return bool(said) and (are_hidden or len(mine) >= _MORE * len(others))


def _peer(number: int) -> Callable[[Clients], str]:
    """Return what reads an address, of which most logs have no other and many logs millions."""

    def client(row: Clients) -> str:
        text = row[number]
        return "" if text == "-" else (address_of(text) or text)

    return client


def _resolver(ways: list[_Way]) -> Callable[[Clients], str]:
    """Return what reads who came by the first of the ways that says so."""
    if len(ways) == 1 and ways[0].role == "address":
        return _peer(ways[0].number)

    @lru_cache(maxsize=_REMEMBERED)
    def client(row: Clients) -> str:
        return next((who for way in ways if (who := way.read(row))), "")

    return client
