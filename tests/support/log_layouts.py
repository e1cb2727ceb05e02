"""One truth written in the layouts of many servers: what a person's requests look like in each log."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from urllib.parse import quote, urlsplit

import numpy as np

__all__ = [
    "AGENTS",
    "DETECTED",
    "FORMATS",
    "HEADS",
    "LAYOUTS",
    "START",
    "Asked",
    "crowd",
    "written_as",
]


AGENTS = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0",
    "okhttp/4.12.0",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 17_0 like Mac OS X) AppleWebKit/605.1.15",
)
START = datetime(2026, 11, 2, 8, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Asked:
    """One request as it happened."""

    at: datetime
    client: str
    method: str
    target: str
    status: int
    agent: str
    took_s: float = 0.042
    location: str = ""

    @property
    def common_time(self) -> str:
        return self.at.strftime("%d/%b/%Y:%H:%M:%S %z")

    @property
    def line(self) -> str:
        return f"{self.method} {self.target} HTTP/1.1"

    @property
    def with_port(self) -> str:
        """The client's address and port, as RFC 3986 writes them."""
        return f"[{self.client}]:34567" if ":" in self.client else f"{self.client}:34567"

    @property
    def berlin(self) -> datetime:
        """The same instant with another offset."""
        return self.at.astimezone(timezone(timedelta(hours=1)))


def _combined(a: Asked, client: str | None = None) -> str:
    return (
        f'{client or a.client} - - [{a.common_time}] "{a.line}" {a.status} 1234 "https://shop.example/" '
        f'"{a.agent}"'
    )


def _caddy(a: Asked) -> str:
    return json.dumps(
        {
            "level": "info",
            "ts": a.at.timestamp(),
            "logger": "http.log.access.log0",
            "msg": "handled request",
            "request": {
                "remote_ip": a.client,
                "remote_port": "41342",
                "client_ip": a.client,
                "proto": "HTTP/2.0",
                "method": a.method,
                "host": "shop.example",
                "uri": a.target,
                "headers": {
                    "User-Agent": [a.agent],
                    "Accept": ["*/*"],
                    "Referer": ["https://x.example/"],
                },
                "tls": {"resumed": False, "version": 772},
            },
            "bytes_read": 0,
            "user_id": "",
            "duration": a.took_s,
            "size": 2326,
            "status": a.status,
            "resp_headers": {
                "Server": ["Caddy"],
                **({"Location": [a.location]} if a.location else {}),
            },
        }
    )


def _traefik_json(a: Asked) -> str:
    return json.dumps(
        {
            "ClientAddr": a.with_port,
            "ClientHost": a.client,
            "DownstreamStatus": a.status,
            "Duration": int(a.took_s * 1e9),
            "OriginDuration": int(a.took_s * 0.9e9),
            "RequestMethod": a.method,
            "RequestPath": a.target,
            "RequestProtocol": "HTTP/1.1",
            "StartUTC": a.at.isoformat().replace("+00:00", "Z"),
            "request_User-Agent": a.agent,
            "level": "info",
            "time": (a.at + timedelta(seconds=a.took_s)).isoformat().replace("+00:00", "Z"),
        }
    )


def _google(a: Asked) -> str:
    return json.dumps(
        {
            "httpRequest": {
                "latency": f"{a.took_s}s",
                "remoteIp": a.client,
                "requestMethod": a.method,
                "requestUrl": f"https://shop.example{a.target}",
                "status": a.status,
                "userAgent": a.agent,
                "serverIp": "10.2.0.9",
            },
            "receiveTimestamp": (a.at + timedelta(seconds=2)).isoformat(),
            "timestamp": a.at.isoformat().replace("+00:00", "Z"),
            "severity": "INFO",
        }
    )


def _alb(a: Asked) -> str:
    return (
        f"https {a.at:%Y-%m-%dT%H:%M:%S}.{a.at.microsecond:06d}Z app/shop/50dc6c495c0c9188 {a.with_port} "
        f'10.0.0.1:80 0.001 {a.took_s} 0.000 {a.status} {a.status} 100 2000 "{a.method} '
        f'https://shop.example:443{a.target} HTTP/1.1" "{a.agent}" ECDHE-RSA-AES128 TLSv1.2 arn:aws:x '
        f'"Root=1-58337" "shop.example" "arn:aws:acm:x" 0 {a.at:%Y-%m-%dT%H:%M:%S}.364000Z "forward" '
        f'"{a.location or "-"}" "-" "10.0.0.1:80" "{a.status}" "-" "-"'
    )


def _cloudfront(a: Asked) -> str:
    parts = urlsplit(a.target)
    fields = [
        f"{a.at:%Y-%m-%d}",
        f"{a.at:%H:%M:%S}",
        "FRA2-C1",
        "1045",
        a.client,
        a.method,
        "d111.cloudfront.net",
        parts.path,
        str(a.status),
        "-",
        quote(a.agent, safe="/()._;,"),
        parts.query or "-",
        "-",
        "Hit",
        "SOX4xwn4==",
        "shop.example",
        "https",
        "23",
        f"{a.took_s:.3f}",
        "-",
    ]
    return "\t".join(fields)


def _iis(a: Asked) -> str:
    parts = urlsplit(a.target)
    agent = a.agent.replace(" ", "+")
    return (
        f"{a.at:%Y-%m-%d %H:%M:%S} 10.0.0.4 {a.method} {parts.path} {parts.query or '-'} 443 - {a.client} {agent} "
        f"- {a.status} 0 0 {a.took_s * 1000:.0f}"
    )


def _heroku(a: Asked) -> str:
    return (
        f"{a.at:%Y-%m-%dT%H:%M:%S}.{a.at.microsecond:06d}+00:00 heroku[router]: at=info method={a.method} "
        f'path="{a.target}" host=shop.example request_id=8601b555 fwd="{a.client}" dyno=web.1 connect=1ms '
        f"service={a.took_s * 1000:.0f}ms status={a.status} bytes=1234 protocol=https"
    )


def _haproxy(a: Asked) -> str:
    ms = int(a.took_s * 1000)
    return (
        f"<134>{a.at:%b} {a.at.day:2d} {a.at:%H:%M:%S} lb1 haproxy[14389]: {a.client}:33317 "
        f"[{a.at:%d/%b/%Y:%H:%M:%S}.{a.at.microsecond // 1000:03d}] https-in~ shop/srv1 10/0/30/{ms}/{ms + 40} "
        f'{a.status} 2750 - - ---- 1/1/1/1/0 0/0 {{{a.agent}}} {{}} "{a.line}"'
    )


def _envoy(a: Asked) -> str:
    return (
        f'[{a.at:%Y-%m-%dT%H:%M:%S}.{a.at.microsecond // 1000:03d}Z] "{a.line}" {a.status} - 0 1234 '
        f'{a.took_s * 1000:.0f} {a.took_s * 900:.0f} "{a.client}" "{a.agent}" "cc21d9b0-cf5c" "shop.example" '
        '"10.0.35.28:80"'
    )


LAYOUTS: dict[str, Callable[[Asked], str]] = {
    "common": lambda a: f'{a.client} - - [{a.common_time}] "{a.line}" {a.status} 1234',
    "combined": _combined,
    "combined, another offset": lambda a: _combined(a).replace(
        a.common_time, a.berlin.strftime("%d/%b/%Y:%H:%M:%S %z")
    ),
    "virtual host first": lambda a: f"shop.example:443 {_combined(a)}",
    "virtual host last": lambda a: f"{_combined(a)} shop.example",
    "behind a proxy, forwarded last": lambda a: f'{_combined(a, "10.0.0.5")} "{a.client}"',
    "behind a proxy, forwarded first": lambda a: (
        f'"{a.client}, 10.0.0.9" 10.0.0.5 - - [{a.common_time}] "{a.line}" {a.status} 12 "-" "{a.agent}"'
    ),
    "behind two proxies": lambda a: (
        f'{_combined(a, "10.0.0.5")} "{a.client}, 162.158.1.1, 10.1.1.1"'
    ),
    "behind a content delivery network": lambda a: (
        f'{_combined(a, "162.158.1.1")} "-" rt=0.042 cf="{a.client}"'
    ).replace('cf="', 'http_cf_connecting_ip="'),
    "times behind it": lambda a: f"{_combined(a)} {a.took_s:.3f} {a.took_s:.3f}",
    "times by name": lambda a: (
        f'{_combined(a)} "{a.client}" rt={a.took_s:.3f} uct="0.001" uht="0.03" urt="{a.took_s - 0.002:.3f}"'
    ),
    "iso times, request first": lambda a: (
        f'[{a.at.isoformat()}] "{a.line}" {a.status} 512 "{a.agent}" {a.client} {a.took_s:.3f}'
    ),
    "seconds since 1970": lambda a: (
        f'{a.at.timestamp():.3f} {a.client} {a.method} {a.target} {a.status} 512 "{a.agent}"'
    ),
    "absolute addresses": lambda a: _combined(a).replace(
        f"{a.method} /", f"{a.method} https://shop.example/"
    ),
    "tabs": lambda a: "\t".join(
        [a.at.isoformat(), a.client, a.method, a.target, str(a.status), a.agent]
    ),
    "bars": lambda a: "|".join(
        [a.client, a.at.isoformat(), a.method, a.target, str(a.status), f"{a.took_s}", a.agent]
    ),
    "table with a head": lambda a: (
        f'{a.at.isoformat()},{a.client},{a.method},"{a.target}",{a.status},"{a.agent}"'
    ),
    "nginx as JSON": lambda a: json.dumps(
        {
            "time_iso8601": a.at.isoformat(),
            "remote_addr": a.client,
            "request": a.line,
            "status": a.status,
            "http_user_agent": a.agent,
            "request_time": f"{a.took_s:.3f}",
        }
    ),
    "nginx as JSON, short names": lambda a: json.dumps(
        {
            "ts": f"{a.at.timestamp():.3f}",
            "ip": a.client,
            "verb": a.method,
            "url": a.target,
            "code": str(a.status),
            "ua": a.agent,
        }
    ),
    "entries of a JSON list": lambda a: (
        "  "
        + json.dumps(
            {
                "timestamp": a.at.isoformat(),
                "clientIp": a.client,
                "method": a.method,
                "url": a.target,
            }
            | {"statusCode": a.status, "userAgent": a.agent}
        )
        + ","
    ),
    "Caddy": _caddy,
    "Traefik, common": lambda a: f'{_combined(a)} 17 "shop@docker" "http://10.0.0.2:80" 42ms',
    "Traefik, JSON": _traefik_json,
    "Elastic Common Schema": lambda a: json.dumps(
        {
            "@timestamp": a.at.isoformat(),
            "http": {"request": {"method": a.method}, "response": {"status_code": a.status}},
            "url": {"original": a.target},
            "source": {"ip": a.client},
            "user_agent": {"original": a.agent},
        }
    ),
    "Google Cloud": _google,
    "Envoy": _envoy,
    "AWS load balancer": _alb,
    "CloudFront": _cloudfront,
    "IIS": _iis,
    "Heroku": _heroku,
    "HAProxy": _haproxy,
    "logfmt": lambda a: (
        f'time={a.at.isoformat()} level=info method={a.method} path="{a.target}" status={a.status} ip={a.client} '
        f'user_agent="{a.agent}" duration={a.took_s * 1000:.1f}ms'
    ),
    "gunicorn": lambda a: (
        f'{a.client} - - [{a.common_time}] "{a.line}" {a.status} 1234 "-" "{a.agent}"'
    ),
    "uvicorn behind nginx in docker": lambda a: json.dumps(
        {"log": _combined(a) + "\n", "stream": "stdout", "time": a.at.isoformat()}
    ),
    "Kubernetes": lambda a: f"{a.at.isoformat()} stdout F {_combined(a)}",
    "docker compose": lambda a: f"web-1  | {_combined(a)}",
    "syslog": lambda a: f"<190>{a.at:%b} {a.at.day:2d} {a.at:%H:%M:%S} web1 nginx: {_combined(a)}",
}
"""Name -> the line of a request."""

HEADS = {
    "entries of a JSON list": "[\n",
    "IIS": "#Software: Microsoft Internet Information Services 10.0\n#Version: 1.0\n"
    "#Fields: date time s-ip cs-method cs-uri-stem cs-uri-query s-port cs-username c-ip cs(User-Agent) "
    "cs(Referer) sc-status sc-substatus sc-win32-status time-taken\n",
    "CloudFront": "#Version: 1.0\n#Fields: date time x-edge-location sc-bytes c-ip cs-method cs(Host) cs-uri-stem "
    "sc-status cs(Referer) cs(User-Agent) cs-uri-query cs(Cookie) x-edge-result-type x-edge-request-id "
    "x-host-header cs-protocol cs-bytes time-taken x-forwarded-for\n",
    "table with a head": "time,client_ip,method,path,status,user_agent\n",
}
"""Layout -> what stands before its lines."""

FORMATS = {
    "common": "common",
    "combined": "combined",
    "virtual host first": "vhost_combined",
    "times behind it": '%h %l %u %t "%r" %>s %b "%{Referer}i" "%{User-agent}i" %{s}T %{s}T',
    "behind a proxy, forwarded last": '$remote_addr - $remote_user [$time_local] "$request" $status '
    '$body_bytes_sent "$http_referer" "$http_user_agent" "$http_x_forwarded_for"',
    "iso times, request first": '[$time_iso8601] "$request" $status $bytes_sent "$http_user_agent" $remote_addr '
    "$request_time",
    "seconds since 1970": '$msec $remote_addr $request_method $request_uri $status $bytes_sent "$http_user_agent"',
    "nginx as JSON, short names": '{"ts": "$msec", "ip": "$remote_addr", "verb": "$request_method", '
    '"url": "$request_uri", "code": "$status", "ua": "$http_user_agent"}',
    "gunicorn": "gunicorn",
    "Envoy": "envoy",
    "AWS load balancer": "alb",
}
"""Layout -> the server's own format string for it."""
DETECTED = sorted(LAYOUTS)


def written_as(layout: str, requests: list[Asked]) -> str:
    """Return a log of requests in a layout."""
    line = LAYOUTS[layout]
    return HEADS.get(layout, "") + "".join(f"{line(one)}\n" for one in requests)


def crowd(customers: int = 60, seed: int = 5) -> list[Asked]:
    """Return customers' requests by time, from both kinds of addresses: home, a product, the cart, an order."""
    draw, out = np.random.default_rng(seed), []
    for n in range(customers):
        client = f"198.51.{100 + n // 250}.{n % 250 + 1}" if n % 3 else f"2001:db8::{n + 1:x}"
        at, agent = START + timedelta(seconds=draw.uniform(0, 3000)), AGENTS[n % 3]
        walk = [
            ("GET", "/", 200, ""),
            ("GET", f"/product/{n}?ref=a&x=1", 200, ""),
            ("POST", "/cart", 302, "/cart"),
            ("POST", "/checkout", 200, ""),
        ]
        for method, target, status, location in walk[: draw.integers(2, 5)]:
            took_s = round(draw.uniform(0.01, 0.5), 3)
            out.append(Asked(at, client, method, target, status, agent, took_s, location))
            at += timedelta(seconds=draw.uniform(8, 60))
    return sorted(out, key=lambda asked: asked.at)
