"""How the swarm connects to a target: sockets, time-outs by phase, certificates."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from gameday.scenario.units import Block, Duration, Share

__all__ = ["Connections"]

Phase = Annotated[Duration, Field(gt=0)]


class Connections(Block):
    """Bounds of a worker's sockets; durations are wall time, as the target's are."""

    most: int | None = Field(default=None, ge=1, le=200_000)
    """Most sockets of a worker. Absent: four fifths of its limit on file descriptors."""
    reuse: Share = 1.0
    """Chance that a session's first exchange finds an open connection; the others open one.

    Default: a front end keeps connections to the target, as a CDN does; browsers come with 0. Over TLS every
    connection that is opened makes a full handshake."""
    connect: Phase = 5.0
    handshake: Phase = 5.0
    first_byte: Phase = 60.0
    """Between the request and the first byte of its reply."""
    reply: Phase = 120.0
    """Between the request and the last byte of its reply."""
    idle: Phase = 55.0
    """A connection unused for this long is closed. Default: below the usual 60 s of load balancers."""
    verify: bool = True
    """Whether a TLS target must show a certificate for its name."""
    ca_file: str | None = None
    """Certificates to trust beside the system's, PEM; beside the scenario unless absolute."""
