"""Questions to a server that keeps metrics or traces: JSON over HTTP, with headers and a time-out."""

from __future__ import annotations

import http.client
import json
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import urlencode, urlsplit
from urllib.request import HTTPRedirectHandler, Request, build_opener

from gameday.errors import HistoryError, UsageError
from gameday.scenario import filled_headers

__all__ = ["ApiServer", "NotAnswered"]

_TIMEOUT_S = 30.0
_MOST_TOLD = 300
"""Letters of a server's own error that are told."""


class NotAnswered(HistoryError):
    """The server gave no answer, or an error in its place."""

    def __init__(self, text: str, status: int | None = None) -> None:
        super().__init__(text)
        self.status = status
        """Of the reply; None: there was none."""


class _OwnHostOnly(HTTPRedirectHandler):
    """Follows redirects within a server: headers may hold a token, which no other is to see."""

    def redirect_request(
        self, req: Request, fp: Any, code: int, msg: str, headers: Any, newurl: str
    ) -> Request | None:
        """Return the request that follows; HTTPError where it would go elsewhere."""
        if urlsplit(newurl)[:2] != urlsplit(req.full_url)[:2]:
            raise HTTPError(
                req.full_url, code, f"redirects to {newurl}; give that address", headers, fp
            )
        return super().redirect_request(req, fp, code, msg, headers, newurl)


@dataclass(frozen=True, slots=True)
class ApiServer:
    """A server's address and how it is spoken to."""

    url: str
    headers: Mapping[str, str] = field(default_factory=dict)
    """May hold `${env:NAME}` and `${file:PATH}`."""
    timeout_s: float = _TIMEOUT_S
    """Of each question. Default: ours; Prometheus gives up after two minutes by itself."""

    def __post_init__(self) -> None:
        if not self.url.startswith(("http://", "https://")):
            raise HistoryError(
                f"{self.url}: must be a server's address, as http://127.0.0.1:9090 or https://metrics.example"
            )

    def ask(self, path: str, fields: Mapping[str, Any]) -> Any:
        """Return the JSON that a path answers; NotAnswered where it does not, or with something else."""
        address = f"{self.url.rstrip('/')}{path}" + (f"?{urlencode(fields)}" if fields else "")
        request = Request(address, headers={"Accept": "application/json", **self._filled()})
        try:
            with build_opener(_OwnHostOnly).open(request, timeout=self.timeout_s) as response:
                return json.load(response)
        except URLError as error:
            reply = getattr(error, "read", lambda: b"")().decode("utf-8", "replace")[:_MOST_TOLD]
            status = getattr(error, "code", None)
            raise NotAnswered(
                f"{self.url}: {self._reason(error)} {reply}".rstrip(), status
            ) from None
        except TimeoutError:
            raise NotAnswered(f"{self.url}: {self._late()}") from None
        except (OSError, ValueError, http.client.HTTPException) as error:
            raise NotAnswered(f"{self.url}: no JSON came ({error})") from None

    def _reason(self, error: URLError) -> str:
        """Return why there is no answer, with the remedy where one is known."""
        status = getattr(error, "code", None)
        if status in (401, 403):
            return f"{status} {error.reason}: it wants a --header, as 'Authorization: Bearer ${{env:TOKEN}}';"
        if isinstance(error.reason, TimeoutError):
            return self._late()
        if isinstance(error.reason, ssl.SSLCertVerificationError):
            return f"{error.reason}; SSL_CERT_FILE names a file of certificates to trust, PEM"
        return f"{status} {error.reason}:" if status else str(error.reason)

    def _late(self) -> str:
        return f"no answer within {self.timeout_s:g} s; ask for less of the past (--last)"

    def _filled(self) -> dict[str, str]:
        try:
            return filled_headers(self.headers)
        except ValueError as error:
            raise UsageError(f"{self.url}: header: {error}") from None
