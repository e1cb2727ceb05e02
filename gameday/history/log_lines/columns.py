"""Columns of an access log: what each holds, told by its name in nginx, Apache, balancers and structured logs."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from datetime import UTC, tzinfo
from typing import Literal

__all__ = ["Column", "Hints", "Role", "role_of_name"]

Role = Literal[
    "time",
    "date",
    "clock",
    "request",
    "method",
    "target",
    "path",
    "query",
    "status",
    "agent",
    "address",
    "addresses",
    "host",
    "location",
    "operation",
    "body",
    "request_time",
    "upstream_time",
    "client",
    "unitless",
    "other",
]
"""`request`: method, target and protocol in one; `target`: path and query; `date` and `clock`: two halves of a
time; `address`: of whoever connected; `addresses`: those that a proxy wrote down; `location`: where a redirect
leads; `client`: what a person said tells customers apart; `operation`: of GraphQL; `body`: a form or JSON;
`unitless`: a duration whose unit nothing tells."""


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a log."""

    name: str
    """As the log, or its format string, calls it; else its number."""
    role: Role
    unit_s: float = 1.0
    """Of a duration without a unit of its own: how many seconds one is; 0 = nothing tells."""


@dataclass(frozen=True, slots=True)
class Hints:
    """What a person says of a log."""

    log_format: str | None = None
    """A format string; None: the layout is told from the first lines."""
    client: str | None = None
    """The field that tells customers apart; None: it is told from the first lines."""
    zone: tzinfo = UTC
    """Of times without an offset."""

    def applied(self, column: Column) -> Column:
        """Return a column, as that of the customers where a person says so."""
        is_named = self.client is not None and column.name.lower() == self.client.lower()
        return replace(column, role="client") if is_named and column.role == "other" else column


_NAMES: dict[Role, str] = {
    "time": "time timelocal timeiso8601 timestamp datetime msec ts starttime startutc startlocal eventtime "
    "requesttimestamp timegenerated receivedat logtime localtime accesstime",
    "date": "date",
    "clock": "",
    "request": "request requestline firstline",
    "method": "requestmethod method csmethod verb httpmethod httprequestmethod reqmethod",
    "target": "requesturi originaluri uri url requesturl fullpath httptarget urloriginal xenvoyoriginalpathpath",
    "path": "csuristem requestpath path urlpath httppath uripath",
    "query": "csuriquery args querystring query requestquery urlquery httpquery",
    "status": "status scstatus statuscode responsecode downstreamstatus httpstatus httpstatuscode "
    "responsestatus responsestatuscode edgeresponsestatus elbstatuscode",
    "agent": "httpuseragent useragent csuseragent requestuseragent clientrequestuseragent useragentoriginal agent",
    "address": "remoteaddr remoteip cip clientip clienthost clientaddr clientaddress clientipaddress remotehost "
    "remote peer ip sourceip client downstreamremoteaddresswithoutport downstreamremoteaddress realipremoteaddr "
    "clientport",
    "addresses": "httpxforwardedfor xforwardedfor forwardedfor proxyaddxforwardedfor fwd httpxrealip xrealip "
    "httpcfconnectingip cfconnectingip httptrueclientip trueclientip httpfastlyclientip fastlyclientip "
    "httpxclientip xclientip httpclientip httpxoriginalforwardedfor xoriginalforwardedfor forwarded "
    "httpxazureclientip xazureclientip cloudfrontvieweraddress xenvoyexternaladdress httpxenvoyexternaladdress",
    "host": "host httphost servername requesthost cshost xhostheader vhost authority requestauthority domain",
    "location": "senthttplocation upstreamhttplocation location redirecturl responselocation redirect "
    "downstreamlocation",
    "operation": "operationname operation graphqloperation graphqloperationname xapollooperationname "
    "httpxapollooperationname argoperationname",
    "body": "requestbody body postdata",
    "request_time": "requesttime requesttimes durationms durationseconds latency responsetime responsetimems "
    "latencyms elapsedms timetaken duration tookms requestduration totaltime rt",
    "upstream_time": "upstreamresponsetime originduration targetprocessingtime backendprocessingtime service "
    "xenvoyupstreamservicetime upstreamservicetime upstreamtime urt originresponsetime",
}
"""Role -> names, in small letters and digits alone. Sources: the documents of nginx, Apache httpd, Caddy, Envoy,
Traefik, HAProxy, Heroku, IIS, CloudFront, AWS, Google Cloud and Cloudflare logs; the Elastic Common Schema."""
_ROLE_OF = {name: role for role, names in _NAMES.items() for name in names.split()}
_UNITS_S = {
    "durationms": 1e-3,
    "responsetimems": 1e-3,
    "latencyms": 1e-3,
    "elapsedms": 1e-3,
    "tookms": 1e-3,
    "originduration": 1e-9,
    "xenvoyupstreamservicetime": 1e-3,
    "upstreamservicetime": 1e-3,
    "duration": 0.0,
    "latency": 0.0,
    "responsetime": 0.0,
    "requestduration": 0.0,
    "totaltime": 0.0,
    "upstreamtime": 0.0,
    "service": 0.0,
    "originresponsetime": 0.0,
}
"""How many seconds a duration of this name is the number of; 0 = some write seconds, some ms or ns."""
_PLAIN = re.compile(r"[^a-z0-9]")


def role_of_name(name: str) -> tuple[Role, float] | None:
    """Return what a column of this name holds, and its unit in seconds; None: its name says nothing.

    Of a nested name (`request.headers.User-Agent`) the longest ending that is known counts.
    """
    plain = [_PLAIN.sub("", part) for part in re.split(r"[.\[\]]", name.lower())]
    plain = [part for part in plain if part and part != "0"]
    for first in range(len(plain)):
        known = "".join(plain[first:])
        if known in _ROLE_OF:
            return _ROLE_OF[known], _UNITS_S.get(known, 1.0)
    return None
