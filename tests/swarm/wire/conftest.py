"""Certificates of the tests' own, and desks that are closed with their books balanced."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Iterator

import pytest

from gameday.swarm.wire.tls import tls_context
from tests.support.wire_lab import Desk
from tests.support.wire_tls_shop import Authority


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("ca"))


@pytest.fixture(scope="module")
def certified(authority: Authority) -> ssl.SSLContext:
    return authority.context("DNS:shop.test", "IP:127.0.0.1", "IP:::1")


@pytest.fixture(scope="module")
def trusting(authority: Authority) -> ssl.SSLContext:
    return tls_context(authority.pem, verify=True)


@pytest.fixture
def desks() -> Iterator[Callable[..., Desk]]:
    made: list[Desk] = []

    def make(*args: object, **bounds: object) -> Desk:
        made.append(Desk(*args, **bounds))  # type: ignore[arg-type]
        return made[-1]

    yield make
    for desk in made:
        desk.check_books()
        desk.sockets.close()
