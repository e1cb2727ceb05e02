"""A redirect leads on inside the target or nowhere, and never breaks the request line."""

from __future__ import annotations

import string

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gameday.safety import Target
from gameday.swarm.engine.redirects import onward_path
from gameday.swarm.wire.heads import Head, read_head
from tests.support import examples

NAMED = Target("http", "shop.test", "127.0.0.1", 8080)
PLAIN = Target("http", "shop.test", "127.0.0.1", 80)
SAFE = Target("https", "shop.test", "127.0.0.1", 443)
SIX = Target("http", "::1", "::1", 8080)


def leading_to(location: bytes) -> Head:
    """Return a redirect's head; the location put in whatever it is."""
    head = read_head(b"HTTP/1.1 302 Found\r\nLocation: /\r\nContent-Length: 0\r\n\r\n")
    return head._replace(headers=((b"location", location),))


def onward(target: Target, here: str, location: str) -> str | None:
    return onward_path(target, here, leading_to(location.encode()))


RFC_3986 = {
    "g": "/b/c/g",
    "./g": "/b/c/g",
    "g/": "/b/c/g/",
    "/g": "/g",
    "?y": "/b/c/d;p?y",
    "g?y": "/b/c/g?y",
    "#s": "/b/c/d;p?q",
    "g#s": "/b/c/g",
    "g?y#s": "/b/c/g?y",
    ";x": "/b/c/;x",
    "g;x": "/b/c/g;x",
    "g;x?y#s": "/b/c/g;x?y",
    "": "/b/c/d;p?q",
    ".": "/b/c/",
    "./": "/b/c/",
    "..": "/b/",
    "../": "/b/",
    "../g": "/b/g",
    "../..": "/",
    "../../": "/",
    "../../g": "/g",
    "../../../g": "/g",
    "../../../../g": "/g",
    "/./g": "/g",
    "/../g": "/g",
    "g.": "/b/c/g.",
    ".g": "/b/c/.g",
    "g..": "/b/c/g..",
    "..g": "/b/c/..g",
    "./../g": "/b/g",
    "./g/.": "/b/c/g/",
    "g/./h": "/b/c/g/h",
    "g/../h": "/b/c/h",
    "g;x=1/./y": "/b/c/g;x=1/y",
    "g;x=1/../y": "/b/c/y",
    "g?y/./x": "/b/c/g?y/./x",
    "g?y/../x": "/b/c/g?y/../x",
    "g#s/../x": "/b/c/g",
    "//g": None,
    "g:h": None,
}


@pytest.mark.parametrize(("location", "path"), RFC_3986.items())
@pytest.mark.parametrize("target", [NAMED, PLAIN, SAFE, SIX], ids=["named", "80", "443", "IPv6"])
def test_a_reference_is_resolved_as_rfc_3986_does_in_its_own_examples(
    target: Target, location: str, path: str | None
) -> None:
    assert onward(target, "/b/c/d;p?q", location) == path


INSIDE = [
    (NAMED, "http://shop.test:8080/x?y=1#z", "/x?y=1"),
    (NAMED, "HTTP://SHOP.Test:8080/x", "/x"),
    (NAMED, "//shop.test:8080/x", "/x"),
    (NAMED, "http://127.0.0.1:8080/x", "/x"),
    (NAMED, "http://shop.test:8080", "/"),
    (NAMED, "http://shop.test:8080?y", "/?y"),
    (NAMED, "http://user:word@shop.test:8080/x", "/x"),
    (NAMED, "http://shop.test:08080/x", "/x"),
    (PLAIN, "http://shop.test/x", "/x"),
    (PLAIN, "http://shop.test:80/x", "/x"),
    (PLAIN, "http://shop.test:/x", "/x"),
    (SAFE, "https://shop.test/x", "/x"),
    (SAFE, "https://shop.test:443/x", "/x"),
    (SAFE, "https://127.0.0.1/x", "/x"),
    (SIX, "http://[::1]:8080/x", "/x"),
    (SIX, "//[::1]:8080/x", "/x"),
    (NAMED, "http://shop.test:8080//evil.test/x", "//evil.test/x"),
    (NAMED, "/\\evil.test/x", "/\\evil.test/x"),
]


@pytest.mark.parametrize(("target", "location", "path"), INSIDE)
def test_a_place_in_the_target_is_followed(target: Target, location: str, path: str) -> None:
    assert onward(target, "/here/now", location) == path


OUTSIDE = [
    (NAMED, "http://evil.test:8080/x"),
    (NAMED, "http://shop.test/x"),
    (NAMED, "http://shop.test:80/x"),
    (NAMED, "http://shop.test:8081/x"),
    (NAMED, "https://shop.test:8080/x"),
    (NAMED, "//evil.test/x"),
    (NAMED, "http://shop.test:8080@evil.test/x"),
    (NAMED, "http://shop.test:8080.evil.test/x"),
    (NAMED, "http://127.0.0.2:8080/x"),
    (NAMED, "http://[::1]:8080/x"),
    (NAMED, "http://sub.shop.test:8080/"),
    (NAMED, "ftp://shop.test:8080/x"),
    (NAMED, "javascript:alert(1)"),
    (NAMED, "data:,x"),
    (NAMED, "mailto:a@b"),
    (NAMED, "http://:8080/x"),
    (NAMED, "http://shop.test:x/"),
    (NAMED, "http://shop.test:99999/"),
    (NAMED, "http://shop.test:-1/"),
    (NAMED, "http://[::1"),
    (NAMED, "http://[x]/"),
    (NAMED, "http://shop.test\u2100:8080/"),
    (PLAIN, "https://shop.test/x"),
    (PLAIN, "http://shop.test:443/x"),
    (PLAIN, "http://shop.test:0/x"),
    (SAFE, "http://shop.test/x"),
    (SAFE, "http://shop.test:443/x"),
    (SAFE, "https://shop.test:80/x"),
    (SIX, "http://[::2]:8080/x"),
    (SIX, "http://[::1]/x"),
    (SIX, "http://127.0.0.1:8080/x"),
]


@pytest.mark.parametrize(("target", "location"), OUTSIDE)
def test_a_place_outside_the_target_is_followed_nowhere(target: Target, location: str) -> None:
    assert onward(target, "/here/now", location) is None


LINE = set(string.ascii_letters + string.digits + string.punctuation)


@settings(max_examples=examples(500), deadline=None)
@given(
    location=st.one_of(
        st.binary(max_size=40),
        st.binary(max_size=20).map(lambda raw: b"/" + raw),
        st.binary(max_size=20).map(lambda raw: b"http://shop.test:8080/" + raw),
        st.text(max_size=20).map(lambda text: f"?q={text}".encode()),
        st.lists(
            st.sampled_from(
                [b"/", b"..", b"\r\n", b" ", b"HTTP/1.1", b"\0", b"#", b"?", b":", b"["]
            )
        ).map(b"".join),
    ),
    here=st.sampled_from(["/", "/a/b?c=d", "//x", "/a;b", "/%C3%A9"]),
)
def test_whatever_the_location_is_the_request_line_stays_whole(location: bytes, here: str) -> None:
    path = onward_path(NAMED, here, leading_to(location))
    if path is not None:
        assert path.startswith("/")
        assert set(path) <= LINE, path
        again = onward_path(NAMED, path, leading_to(b"?on"))
        assert again is not None
        assert again.split("?")[0] == path.split("?")[0]


@pytest.mark.parametrize(
    "location", ["/a\r\nX: y", "/a\nb", "/a\tb", "/a b", "/a\0b", "/a\x7fb", " /a", "/a\x80"]
)
def test_no_control_character_and_no_space_reaches_the_request_line(location: str) -> None:
    path = onward_path(NAMED, "/", leading_to(location.encode("latin-1")))
    assert path is not None
    assert set(path) <= LINE


@pytest.mark.parametrize(
    "location",
    [
        "/caf\u00e9",
        "/\u65e5\u672c?q=\u20ac",
        "/caf%C3%A9",
        "/a%20b?c=%2F",
        "/100%25",
        "/a+b",
        "/~x",
    ],
)
def test_a_location_beyond_ascii_leads_where_it_leads_httpx(location: str) -> None:
    theirs: list[bytes] = []

    def answer(request: httpx.Request) -> httpx.Response:
        theirs.append(request.url.raw_path)
        headers = [(b"Location", location.encode())] if len(theirs) == 1 else []
        return httpx.Response(302 if headers else 200, headers=headers)

    transport = httpx.MockTransport(answer)
    with httpx.Client(transport=transport, trust_env=False, follow_redirects=True) as client:
        client.get(NAMED.url)
    ours = onward(NAMED, "/", location)
    assert ours is not None
    assert ours.encode() == theirs[-1]


def test_a_redirect_without_a_location_leads_nowhere_new() -> None:
    head = read_head(b"HTTP/1.1 302 Found\r\nContent-Length: 0\r\n\r\n")
    assert not head.is_redirect
    assert onward_path(NAMED, "/a", head) == "/a"


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308, 300, 304, 305, 200, 404])
def test_only_a_redirect_with_a_location_is_one(status: int) -> None:
    raw = f"HTTP/1.1 {status} X\r\nLocation: /next\r\nContent-Length: 0\r\n\r\n".encode()
    assert read_head(raw).is_redirect == (status in (301, 302, 303, 307, 308))
