"""Targets: loopback in any spelling, and nothing else however it is spelt."""

from __future__ import annotations

import ipaddress
import socket
from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gameday.errors import SafetyRefusal, UsageError
from gameday.safety import allowed_target

NAMES = {
    "localhost": ["127.0.0.1", "::1"],
    "shop.test": ["93.184.216.34"],
    "inside.test": ["10.1.2.3"],
    "both.test": ["127.0.0.1", "93.184.216.34"],
    "both6.test": ["::1", "2001:db8::1"],
    "rebound.test": ["0.0.0.0"],
    "mapped.test": ["::ffff:93.184.216.34"],
    "loop.test": ["127.9.9.9"],
    "six.test": ["::1"],
}
asked: list[str] = []


def resolved(host: str, *_: object, **__: object) -> list[tuple[object, ...]]:
    """Stand in for the resolver: names of ours, numbers as the C library reads them, no network."""
    asked.append(host)
    if host in NAMES:
        found = NAMES[host]
    else:
        try:
            found = [socket.inet_ntoa(socket.inet_aton(host))]
        except (OSError, UnicodeError):
            raise socket.gaierror(-2, "Name or service not known") from None
    return [
        (socket.AF_INET6 if ":" in a else socket.AF_INET, socket.SOCK_STREAM, 6, "", (a, 0))
        for a in found
    ]


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    asked.clear()
    monkeypatch.setattr(socket, "getaddrinfo", resolved)


def refused(url: str) -> None:
    """Assert that `url` is refused: exit code 6 for a place, 2 for what is no URL."""
    with pytest.raises((SafetyRefusal, UsageError)) as caught:
        allowed_target(url)
    assert caught.value.exit_code == (6 if isinstance(caught.value, SafetyRefusal) else 2)
    assert url in str(caught.value)


@pytest.mark.parametrize(
    ("url", "pinned"),
    [
        ("http://127.0.0.1", "http://127.0.0.1:80"),
        ("http://127.0.0.1:8080", "http://127.0.0.1:8080"),
        ("http://127.0.0.1:8080/", "http://127.0.0.1:8080"),
        ("http://127.1.2.3:9", "http://127.1.2.3:9"),
        ("http://127.255.255.254:9", "http://127.255.255.254:9"),
        ("http://[::1]:8080", "http://[::1]:8080"),
        ("http://[::1]", "http://[::1]:80"),
        ("http://[0:0:0:0:0:0:0:1]:7", "http://[::1]:7"),
        ("http://localhost:8080", "http://127.0.0.1:8080"),
        ("http://LOCALHOST:8080", "http://127.0.0.1:8080"),
        ("HTTP://localhost", "http://127.0.0.1:80"),
        ("localhost", "http://127.0.0.1:80"),
        ("localhost:8080", "http://127.0.0.1:8080"),
        ("127.0.0.1:8080", "http://127.0.0.1:8080"),
        ("[::1]:8080", "http://[::1]:8080"),
        ("//127.0.0.1:8080", "http://127.0.0.1:8080"),
        ("http://loop.test:5", "http://127.9.9.9:5"),
        ("http://six.test:5", "http://[::1]:5"),
    ],
)
def test_loopback_is_allowed_in_any_spelling_and_pinned_to_its_number(
    url: str, pinned: str
) -> None:
    assert allowed_target(url).pinned == pinned


@pytest.mark.parametrize(
    "url",
    [
        "http://0.0.0.0:8080",
        "http://0:8080",
        "http://[::]:8080",
        "http://10.0.0.1",
        "http://172.16.0.1",
        "http://192.168.1.1:8080",
        "http://169.254.169.254",
        "http://100.64.0.1",
        "http://8.8.8.8",
        "http://93.184.216.34:80",
        "http://128.0.0.1",
        "http://126.255.255.255",
        "http://255.255.255.255",
        "http://224.0.0.1",
        "http://[fe80::1]",
        "http://[fc00::1]",
        "http://[2001:db8::1]:8080",
        "http://[::2]",
        "http://[::ffff:8.8.8.8]",
        "http://[::ffff:10.0.0.1]",
        "http://[::ffff:127.0.0.1]",
        "http://[::127.0.0.1]",
        "http://[64:ff9b::7f00:1]",
        "http://134744072",
        "http://167772161",
        "http://0x08080808",
        "http://010.0.0.1",
        "http://10.1",
        "http://shop.test",
        "http://inside.test",
        "http://nowhere.test",
        "http://rebound.test",
        "http://both.test",
        "http://both6.test",
        "http://mapped.test",
        "http://localhost.shop.test",
        "http://127.0.0.1.shop.test",
        "http://127.0.0.1@shop.test",
        "http://localhost:80@8.8.8.8",
        "http://user:pass@shop.test",
        "http://127.0.0.1%00.shop.test",
        "http://127.0.0.1\\@shop.test",
        "shop.test",
        "8.8.8.8:80",
        "//8.8.8.8",
    ],
)
def test_every_other_place_is_refused_for_safety(url: str) -> None:
    with pytest.raises(SafetyRefusal) as caught:
        allowed_target(url)
    assert caught.value.exit_code == 6
    assert "only loopback" in str(caught.value)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "http://",
        "http:///path",
        "wss://127.0.0.1",
        "ftp://127.0.0.1",
        "file:///etc/passwd",
        "unix:///tmp/socket",
        "http://127.0.0.1:99999",
        "http://127.0.0.1:-1",
        "http://127.0.0.1:http",
        "http://127.0.0.1/shop",
        "http://127.0.0.1/?q=1",
        "http:127.0.0.1",
        "http://[::1",
        "http://::1]:80",
        "http://[127.0.0.1]",
        "http://[shop.test]",
        "http://[",
    ],
)
def test_what_is_no_plain_http_address_is_a_usage_error(url: str) -> None:
    with pytest.raises(UsageError) as caught:
        allowed_target(url)
    assert caught.value.exit_code == 2


@pytest.mark.parametrize(
    "url", ["http://2130706433:8080", "http://0x7f000001:8080", "http://127.1:8080"]
)
def test_loopback_spelt_as_one_number_is_refused_or_pinned_to_loopback(url: str) -> None:
    try:
        target = allowed_target(url).pinned
    except (SafetyRefusal, UsageError):
        return
    assert target == "http://127.0.0.1:8080"


def test_a_port_of_0_is_not_taken_for_80() -> None:
    with pytest.raises(UsageError):
        allowed_target("http://127.0.0.1:0")


def test_a_name_is_asked_for_once_and_its_answer_is_what_is_sent_to() -> None:
    assert allowed_target("http://loop.test:5").pinned == "http://127.9.9.9:5"
    assert asked == ["loop.test"]


def test_a_number_is_never_looked_up() -> None:
    allowed_target("http://127.0.0.1")
    for url in ("http://8.8.8.8", "http://[2001:db8::1]"):
        refused(url)
    assert asked == []


@given(address=st.ip_addresses(v=4))
def test_an_ipv4_address_is_allowed_exactly_when_it_is_loopback(
    address: ipaddress.IPv4Address,
) -> None:
    if address.is_loopback:
        assert allowed_target(f"http://{address}:8").pinned == f"http://{address}:8"
    else:
        refused(f"http://{address}:8")


@given(address=st.ip_addresses(v=6))
def test_an_ipv6_address_is_allowed_only_as_the_one_loopback(
    address: ipaddress.IPv6Address,
) -> None:
    if int(address) == 1:
        assert allowed_target(f"http://[{address}]:8").pinned == "http://[::1]:8"
    else:
        refused(f"http://[{address}]:8")


@given(last=st.integers(1, 2**24 - 2))
def test_every_address_of_127_is_allowed(last: int) -> None:
    address = ipaddress.ip_address((127 << 24) + last)
    assert allowed_target(f"{address}:8080").pinned == f"http://{address}:8080"


@given(
    text=st.text(max_size=30)
    | st.text("htp:/[]@.%0127x#?\\lsoca 8\t", max_size=30).map(lambda t: "http://" + t)
)
def test_any_text_ends_on_loopback_or_is_refused(text: str) -> None:
    try:
        target = allowed_target(text).pinned
    except (SafetyRefusal, UsageError):
        return
    host = urlsplit(target).hostname
    assert host is not None
    assert ipaddress.ip_address(host).is_loopback


def test_a_target_keeps_the_name_it_was_given_and_the_port_of_its_scheme() -> None:
    target = allowed_target("https://loop.test")
    assert (target.host, target.address, target.port) == ("loop.test", "127.9.9.9", 443)
    assert target.url == "https://loop.test:443"
    assert target.pinned == "https://127.9.9.9:443"
    assert target.authority == "loop.test"
    assert allowed_target("http://six.test:8080").authority == "six.test:8080"
