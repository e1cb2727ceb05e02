"""One exchange on its way: its request, when it was due and sent, and how long its customer waits."""

from __future__ import annotations

from typing import Any

__all__ = ["Flight"]


class Flight:
    """A request from the moment it is due to its reply."""

    __slots__ = (
        "became_get",
        "due",
        "exchange",
        "first_sent",
        "held_at",
        "hop_path",
        "hops",
        "patience",
        "patient_since",
        "request",
        "resent",
        "sent",
    )

    exchange: Any
    """Tells `head_only` (its reply has no body), `keeps_body` (the body is read) and `resend` (it may go
    out again on another connection when the first proved stale)."""
    request: bytes
    due: float
    """Intended instant, seconds of the engine's clock."""
    sent: float
    """When it was issued; 0 while our own bound on sockets holds it back."""
    held_at: float
    """Since when our own bound held it back, while `sent` is 0."""
    patience: float
    """How long its customer waits, seconds."""
    patient_since: float
    """From when on; 0 = from `sent`."""
    hops: int
    """Redirects followed so far."""
    hop_path: str
    """Where the last of them led."""
    first_sent: float
    """When the first hop was sent; 0 = this is it."""
    became_get: bool
    """Whether a redirect turned it into a GET."""
    resent: bool
    """Whether it went out a second time, the first connection having proved stale."""

    def __init__(
        self, exchange: Any, request: bytes, due: float, patience: float, patient_since: float
    ) -> None:
        self.exchange, self.request, self.due = exchange, request, due
        self.patience, self.patient_since = patience, patient_since
        self.sent = self.first_sent = 0.0
        self.hops, self.hop_path = 0, ""
        self.became_get = self.resent = False

    def has_left(self, now: float) -> bool:
        """Return whether its customer has lost patience."""
        since = self.patient_since or self.sent
        return since > 0.0 and now > since + self.patience
