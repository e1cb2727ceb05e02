"""A customer with a jar, for tests of cookies."""

from __future__ import annotations

from gameday.swarm.wire.cookies import CookieJar

__all__ = ["HOST", "Customer"]

HOST = "www.shop.test"


class Customer:
    """Is told Set-Cookie lines, and says which cookies it sends."""

    def __init__(self, host: str = HOST, *, secure: bool = False) -> None:
        self.jar, self.host, self.secure = CookieJar(), host, secure

    def told(self, *lines: str, path: str = "/") -> None:
        values = tuple(line.encode() for line in lines)
        self.jar.keep(values, host=self.host, path=lambda: path, secure=self.secure)

    def sends(self, path: str = "/") -> list[str]:
        header = self.jar.header(path, secure=self.secure).decode()
        return header.split("; ") if header else []
