"""A customer's cookies, case by case, where RFC 6265 §5 says what a browser does.

Each of these is left out of the comparison with httpx, whose jar (http.cookiejar) differs here.
"""

from __future__ import annotations

import time

import pytest

from tests.support.wire_customer import HOST, Customer

DAY = 86_400


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "::1", HOST, "shop.test"])
def test_a_cookie_goes_back_to_the_host_that_set_it_named_or_not(host: str) -> None:
    customer = Customer(host)
    customer.told("a=1", f"b=2; Domain={host}", f"c=3; domain = .{host.upper()}")
    assert customer.sends() == ["a=1", "b=2", "c=3"]


@pytest.mark.parametrize(
    ("host", "domain"),
    [
        (HOST, "other.test"),
        (HOST, "hop.test"),
        (HOST, "test"),
        (HOST, f"x.{HOST}"),
        (HOST, "shop.test."),
        ("localhost", "local"),
        ("localhost", "host"),
        ("127.0.0.1", "0.0.1"),
        ("127.0.0.1", "27.0.0.1"),
        ("::1", ":1"),
        ("a.localhost", "localhost"),
    ],
)
def test_a_cookie_for_a_domain_that_is_not_the_hosts_is_refused(host: str, domain: str) -> None:
    customer = Customer(host)
    customer.told(f"a=1; Domain={domain}", "b=2")
    assert customer.sends() == ["b=2"]


@pytest.mark.parametrize("line", ["a", "", ";", "=1", " = ", "; a=1", "\t=x; Path=/"])
def test_what_has_no_name_or_no_equals_sign_is_no_cookie(line: str) -> None:
    customer = Customer()
    customer.told(line)
    assert customer.sends() == []


@pytest.mark.parametrize(
    ("line", "pair"),
    [
        ("a=", "a="),
        ("a=;Path=/", "a="),
        ('a="1, 2"', 'a="1, 2"'),
        ("a=b=c", "a=b=c"),
        ("  a \t= 1 2 \t", "a=1 2"),
        ("path=1", "path=1"),
        ("expires=x; Path=/", "expires=x"),
        ("$Version=1", "$Version=1"),
        ("a=é", "a=é"),
    ],
)
def test_a_value_goes_back_as_it_came(line: str, pair: str) -> None:
    customer = Customer()
    customer.told(line)
    assert customer.sends() == [pair]


@pytest.mark.parametrize("path", ["", "a", "a/b", '"/a"', "*", "%2F"])
def test_a_path_that_is_none_is_the_directory_of_the_request(path: str) -> None:
    customer = Customer()
    customer.told(f"a=1; Path={path}", path="/shop/page?x=/y/")
    assert (
        customer.sends("/shop")
        == customer.sends("/shop?q")
        == customer.sends("/shop/")
        == customer.sends("/shop/b?c")
        == ["a=1"]
    )
    assert customer.sends("/") == customer.sends("/shopping") == customer.sends("/x?/shop/") == []


@pytest.mark.parametrize(
    ("attributes", "lives"),
    [
        ("Max-Age=abc", True),
        ("Max-Age=", True),
        ("Max-Age=1.5", True),
        ("Max-Age=+9", True),
        ("Max-Age", True),
        ("Max-Age=0", False),
        ("Max-Age=-1", False),
        ("Max-Age=-999999999999", False),
        ("Max-Age=9999999999", True),
        ("Expires=never", True),
        ("Expires=", True),
        ("Expires=0", True),
        ("Expires=Thu, 99 Foo 2000", True),
        ("Expires=Thu, 01 Jan 1970 00:00:00 GMT", False),
        ("Expires=Thu, 01-Jan-1970 00:00:01 GMT", False),
        ("Max-Age=60; Expires=Thu, 01 Jan 1970 00:00:00 GMT", True),
        ("Expires=Fri, 01 Jan 2100 00:00:00 GMT; Max-Age=0", False),
        ("Max-Age=0; Max-Age=60", True),
        ("Max-Age=60; Max-Age=0", False),
        ("Expires=Thu, 01 Jan 1970 00:00:00 GMT; Expires=Fri, 01 Jan 2100 00:00:00 GMT", True),
    ],
)
def test_a_cookie_lives_as_its_last_attributes_say(attributes: str, lives: bool) -> None:
    customer = Customer()
    customer.told("a=old")
    customer.told(f"a=1; {attributes}")
    assert customer.sends() == (["a=1"] if lives else [])


def test_the_last_of_several_paths_or_domains_counts() -> None:
    customer = Customer()
    customer.told("a=1; Path=/x; Path=/y", "b=2; Domain=other.test; Domain=shop.test", path="/z/")
    assert customer.sends("/y") == ["a=1"]
    assert customer.sends("/x") == []
    assert customer.sends("/z/") == ["b=2"]


def test_longer_paths_go_first_and_among_equals_the_older() -> None:
    customer = Customer()
    customer.told(
        "a=1; Path=/", "b=2; Path=/x/y", "c=3; Path=/x", "d=4; Path=/x", "e=5; Path=/x/y/"
    )
    customer.told("c=6; Path=/x", "a=7; Path=/")  # a new value, the old place
    assert customer.sends("/x/y/z") == ["e=5", "b=2", "c=6", "d=4", "a=7"]
    customer.told("c=; Path=/x; Max-Age=0", "c=8; Path=/x")  # gone, then new
    assert customer.sends("/x/y/z") == ["e=5", "b=2", "d=4", "c=8", "a=7"]


def test_the_same_name_at_two_paths_is_two_cookies() -> None:
    customer = Customer()
    customer.told("a=1; Path=/", "a=2; Path=/x", "A=3")
    assert customer.sends("/x") == ["a=2", "a=1", "A=3"]
    customer.told("a=; Path=/x; Max-Age=0")
    assert customer.sends("/x") == ["a=1", "A=3"]


@pytest.mark.parametrize("secure", [False, True])
def test_a_secure_cookie_is_kept_and_sent_over_tls_alone(secure: bool) -> None:
    customer = Customer(secure=secure)
    customer.told("a=1; Secure", "b=2; sEcUrE=x; Path=/", "c=3")
    assert customer.sends() == (["a=1", "b=2", "c=3"] if secure else ["c=3"])


def test_a_secure_cookie_over_http_does_not_touch_what_is_there() -> None:
    """RFC 6265bis §5.7: as all browsers do; the old RFC would hide the first."""
    customer = Customer()
    customer.told("a=1")
    customer.told("a=2; Secure")
    assert customer.sends() == ["a=1"]


def test_a_cookie_dies_when_its_time_has_come(monkeypatch: pytest.MonkeyPatch) -> None:
    now = time.time()
    customer = Customer()
    customer.told("a=1; Max-Age=60", "b=2; Max-Age=3600", "c=3")
    monkeypatch.setattr(time, "time", lambda: now + 61)
    assert customer.sends() == ["b=2", "c=3"]
    monkeypatch.setattr(time, "time", lambda: now + DAY)
    assert customer.sends() == ["c=3"]


def test_what_has_expired_makes_room(monkeypatch: pytest.MonkeyPatch) -> None:
    now = time.time()
    customer = Customer()
    customer.told(*(f"old{n}=1; Max-Age=60" for n in range(3000)))
    monkeypatch.setattr(time, "time", lambda: now + 61)
    customer.told("new=1; Max-Age=60", "plain=2")
    assert customer.sends() == ["new=1", "plain=2"]


@pytest.mark.parametrize("zone", ["UTC", "Asia/Kolkata", "America/Los_Angeles"])
@pytest.mark.parametrize(
    "form", ["%a, %d %b %Y %H:%M:%S GMT", "%a %b %d %H:%M:%S %Y", "%d %b %Y %H:%M:%S"]
)
def test_a_date_is_in_universal_time_wherever_we_run(
    monkeypatch: pytest.MonkeyPatch, zone: str, form: str
) -> None:
    now = time.time()
    with monkeypatch.context() as patch:
        patch.setenv("TZ", zone)
        time.tzset()
        customer = Customer()
        for pair, at in (("a=1", now + 3600), ("b=2", now - 3600)):
            when = time.strftime(form, time.gmtime(at))
            customer.told(f"{pair}; Expires={when}; Zone={zone}")  # no line is remembered
        sent = customer.sends()
    time.tzset()
    assert sent == ["a=1"]


def test_a_customer_keeps_a_bounded_number_of_cookies_of_bounded_size() -> None:
    customer = Customer()
    for n in range(5000):
        customer.told(f"n{n}={'x' * 100}")
    assert len(customer.sends()) <= 5000 // 2
    assert len(customer.sends()) >= 50  # RFC 6265 §6.1
    customer = Customer()
    customer.told("big=" + "x" * 1_000_000, "small=1", "fits=" + "x" * 4000)
    assert [pair[:5] for pair in customer.sends()] == ["small", "fits="]


def test_customers_share_no_cookies() -> None:
    one, other = Customer(), Customer()
    one.told("a=1; Path=/")
    assert other.sends() == []
    other.told("a=2; Path=/")
    assert (one.sends(), other.sends()) == (["a=1"], ["a=2"])


def test_one_name_for_the_host_and_for_the_domain_above_it_is_two_cookies() -> None:
    customer = Customer("www.shop.test")
    customer.told("a=1", "a=2; Domain=shop.test", "a=3; Domain=www.shop.test")
    assert customer.sends() == ["a=3", "a=2"]
    customer.told("a=gone; Domain=shop.test; Max-Age=0")
    assert customer.sends() == ["a=3"]
