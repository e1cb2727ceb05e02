"""Random conversations: the cookies we send are those that httpx's client sends.

Its jar is http.cookiejar, which is older than RFC 6265. Left out, as the two differ by design and
`test_wire_cookies.py` holds us to the RFC instead:
- hosts without a dot and addresses (cookiejar makes `localhost` into `localhost.local`);
- `a` without `=` (cookiejar keeps it), a Path that does not begin with `/` (kept, matches nothing);
- a Max-Age that is no number (drops the cookie), an attribute given twice (first counts, not last);
- Domain, Secure and Expires with an empty value; Version, Port, Discard (attributes of RFC 2965);
- paths with `%` or characters to be quoted (cookiejar rewrites them), quoted dates, and dates as
  asctime writes them (it does not read them);
- a Secure cookie over http in place of a plain one (RFC 6265bis: ignored), hence names of its own;
- one name and path both for the host alone and for a Domain: three cookies to cookiejar, two to
  the RFC, hence names of their own;
- a name twice in one reply (cookiejar carries out all deletions before all settings);
- the order among cookies of equally long paths (cookiejar: by domain, not by age).
"""

from __future__ import annotations

from typing import Any

import httpx
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support import examples
from tests.support.wire_customer import HOST, Customer

PATHS = ["/", "/a", "/a/", "/a/b", "/a/b/", "/ab", "/a/b/c.html", "/A", "//", "/a//b", "/a/b/c/d/e"]
ASKED = ["/", "/a", "/a/", "/a/b", "/a/b/", "/ab", "/a/b/c.html", "/a/b/c/d/e"]
PAST = [
    "Thu, 01 Jan 1970 00:00:00 GMT",
    "Sun, 06 Nov 1994 08:49:37 GMT",
    "Sunday, 06-Nov-94 08:49:37 GMT",
    "Sun, 06-Nov-1994 08:49:37 GMT",
    "Mon, 01 Jan 2024 00:00:00 +0530",
]
FUTURE = [
    "Fri, 01 Jan 2100 00:00:00 GMT",
    "Wed, 06-Nov-2075 08:49:37 GMT",
    "Friday, 06-Nov-37 08:49:37 GMT",
    "wed, 06 nov 2075 08:49:37 gmt",
]
MEANT = {"d": [".Shop.Test", "shop.test", "SHOP.TEST"], "w": [HOST, f".{HOST}", HOST.upper()]}
"""The first letter of a name says for whom its cookie is meant; `h` and `s`: for the host alone."""
REFUSED = ["other.test", "hop.test", "test", f"x.{HOST}", "shop.test.", "shop"]
VALUE = st.text(
    st.characters(min_codepoint=0x20, max_codepoint=0x7E, exclude_characters=";"), max_size=8
)
SPACE = st.sampled_from(["", "", " ", "  ", "\t"])
SPACES = st.sampled_from(
    [("", "", "", ""), (" ", "", "", ""), (" ", " ", " ", " "), ("\t", "", "  ", "\t")]
)


@st.composite
def attribute(draw: st.DrawFn, letter: str, kind: str) -> str:
    values = {
        "Path": st.sampled_from(PATHS),
        "Max-Age": st.sampled_from(["0", "-1", "3600", "100000000"]),
        "Expires": st.sampled_from(PAST + FUTURE),
        "SameSite": st.sampled_from(["Lax", "None", ""]),
        "Domain": st.sampled_from(MEANT.get(letter, REFUSED)),
        "Priority": VALUE,
    }
    case: Any = draw(st.sampled_from([str, str.lower, str.upper]))
    space = draw(SPACES)
    if kind not in values:
        return space[0] + case(kind) + space[1]
    return f"{space[0]}{case(kind)}{space[1]}={space[2]}{draw(values[kind])}{space[3]}"


@st.composite
def cookie(draw: st.DrawFn) -> str:
    """Draw a Set-Cookie header; now and then one that nobody may keep."""
    letter = draw(st.sampled_from("hhdws"))
    name = letter + draw(st.sampled_from(["", "1", "!", "$x", "-A"]))
    kinds = draw(
        st.lists(
            st.sampled_from(
                [
                    "Path",
                    "Path",
                    "Max-Age",
                    "Expires",
                    "HttpOnly",
                    "SameSite",
                    "Priority",
                    "foo",
                    "",
                ]
            ),
            unique=True,
            max_size=5,
        )
    )
    if letter in MEANT or draw(st.integers(0, 9)) == 0:
        kinds.append("Domain")
    if letter == "s":
        kinds.append("Secure")
    order = draw(st.permutations(kinds))
    pair = f"{draw(SPACE)}{name}{draw(SPACE)}={draw(SPACE)}{draw(VALUE)}"
    if draw(st.integers(0, 30)) == 0:
        pair = f"={name}"
    return ";".join([pair, *(draw(attribute(letter, kind)) for kind in order)])


def name_of(line: str) -> str:
    return line.partition("=")[0].strip()


QUERY = st.sampled_from(["", "", "?q=1", "?/a/b/"])
CONVERSATION = st.lists(
    st.tuples(st.sampled_from(ASKED), QUERY, st.lists(cookie(), max_size=3, unique_by=name_of)),
    min_size=1,
    max_size=7,
)


def told(header: str) -> list[str]:
    return sorted(header.split("; ")) if header else []


def test_in_random_conversations_we_send_the_cookies_that_httpx_sends() -> None:
    played, pairs = 0, 0
    answers: list[str] = []
    heard: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        heard.append(request.headers.get("cookie", ""))
        return httpx.Response(200, headers=[("Set-Cookie", line) for line in answers])

    with httpx.Client(
        base_url=f"http://{HOST}", transport=httpx.MockTransport(answer), trust_env=False
    ) as client:

        @settings(max_examples=examples(400), deadline=None)
        @given(conversation=CONVERSATION)
        def play(conversation: list[tuple[str, str, list[str]]]) -> None:
            nonlocal played, pairs
            client.cookies.clear()
            customer = Customer()
            for path, query, lines in conversation:
                ours = sorted(customer.sends(path + query))
                answers[:] = lines
                client.get(path + query)
                assert ours == told(heard[-1]), (path, conversation)
                customer.told(*lines, path=path + query)
                pairs += len(ours)
            played += 1

        play()
    assert played >= 0.75 * examples(400), f"{played} conversations"
    assert pairs >= played, f"{pairs} cookies sent in {played} conversations"
