"""The product: a reviewable order for servers, and the moves it may make."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from typing import Any

from gameday.errors import UsageError
from gameday.scenario.reading import to_yaml

__all__ = ["MOVES", "CapacityRequest", "Move", "as_yaml", "from_mapping", "moved"]

VERSION = 1

MOVES: dict[str, tuple[str, ...]] = {
    "draft": ("proposed", "cancelled"),
    "proposed": ("in_review", "cancelled", "superseded"),
    "in_review": ("approved", "rejected", "deferred", "cancelled"),
    "deferred": ("in_review", "cancelled"),
    "approved": ("ordered", "cancelled", "superseded"),
    "ordered": ("active", "failed", "cancelled"),
    "active": ("verified", "verify_failed"),
    "verify_failed": ("proposed",),
    "verified": ("released",),
    "rejected": (),
    "failed": ("proposed",),
    "released": (),
    "cancelled": (),
    "superseded": (),
}
"""State -> states it may become. Source: anchors/practice.md §2.3."""


@dataclass(frozen=True, slots=True)
class Move:
    """One change of state: when, by whom, why."""

    at: str
    actor: str
    state: str
    reason: str


@dataclass(frozen=True, slots=True)
class CapacityRequest:
    """How many of which instance, where, by when, and why."""

    id: str
    event: str
    run: str
    stack: str
    service: str
    state: str
    findings: tuple[str, ...]
    """Ids of the findings it answers; empty: from sizing alone."""
    window_start: datetime
    """First minute in which the present fleet is too small, UTC."""
    window_end: datetime
    """First minute after the last such, UTC."""
    needed_by: datetime
    """When the servers must work, UTC."""
    latest_order: datetime
    """The last moment to order, by the lead time, UTC."""
    at_risk: bool
    """Whether that moment has passed."""
    instance: str
    zones: int
    instances_from: int
    instances_to: int
    servers_per_instance: int
    offered: dict[str, float]
    """Quantile of the event's strength -> busy servers asked for at the peak, erlangs."""
    servers_needed: int
    """With every zone up, so that the bounds hold with `zones_lost` gone."""
    zones_lost: int
    sized_for: str
    """The quantile sized for, and whether the past can support it."""
    bounds: dict[str, float]
    """What must hold: utilisation and chance of waiting, with the zones lost."""
    peak_utilisation: dict[str, float]
    """before and after, all zones up, and with the zones lost."""
    hourly_usd: float
    """Of the added instances."""
    total_usd: float
    """Of the added instances from needed_by to the end of the window."""
    expires: datetime
    """When they may be given back, UTC."""
    proof: dict[str, Any] = field(default_factory=dict)
    """`of`: the case played in the model, all of a stack's requests placed; objective -> its numbers before and
    after with intervals, and `holds_after`, true only where the whole interval holds in the case sized for."""
    history: tuple[Move, ...] = ()
    peak: datetime | None = None
    """The minute of the most load sized for, UTC; None: an older file, which does not say."""
    model: str = "not compared"
    """What the run says of the service's model, by which it is sized: `agrees`, or `not compared`."""

    @property
    def added(self) -> int:
        """Instances to add."""
        return self.instances_to - self.instances_from

    @property
    def proven(self) -> str:
        """What its proof comes to, in a line: `holds`, or what does not, or why it was not made."""
        if "of" not in self.proof:
            return str(
                self.proof.get("said", "not proven: the case that it is sized for was not played")
            )
        rows = {text: row for text, row in self.proof.items() if isinstance(row, dict)}
        open_ = [f"{text}: {row['said']}" for text, row in rows.items() if not row["holds_after"]]
        if open_ or not rows:
            return "; ".join(open_) or "not proven: the scenario has no objective"
        return next((row["said"] for row in rows.values() if row["said"] != "holds"), "holds")

    @property
    def proven_for(self) -> str:
        """The case that was played for its proof: quantile, zones lost, minutes, speed, cell; empty: none was."""
        return str(self.proof.get("of", ""))


def moved(request: CapacityRequest, move: Move) -> CapacityRequest:
    """Return the request after `move`; UsageError when it is not legal from its state.

    Who proposed a request may not approve it.
    """
    if move.state not in MOVES[request.state]:
        may = ", ".join(MOVES[request.state]) or "nothing"
        raise UsageError(f"{request.id}: {request.state} may become {may}, not {move.state}")
    proposers = {m.actor for m in request.history if m.state in ("draft", "proposed")}
    if move.state == "approved" and move.actor in proposers:
        raise UsageError(f"{request.id}: {move.actor} proposed it; somebody else must approve")
    return replace(request, state=move.state, history=(*request.history, move))


def as_yaml(request: CapacityRequest) -> str:
    """Return the request as YAML in a stable order, for review in git."""
    return to_yaml({"version": VERSION, "kind": "CapacityRequest", **_plain(asdict(request))})


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%dT%H:%MZ")
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return round(value, 4) if isinstance(value, float) else value


def from_mapping(data: dict[str, Any], where: str) -> CapacityRequest:
    """Return the request that a read YAML file holds; UsageError names the file and the fault."""
    fields = {k: v for k, v in data.items() if k not in ("version", "kind")}
    if data.get("kind") != "CapacityRequest" or data.get("version") != VERSION:
        raise UsageError(f"{where}: is no CapacityRequest of version {VERSION}")
    try:
        for name in ("window_start", "window_end", "needed_by", "latest_order", "expires"):
            fields[name] = datetime.fromisoformat(str(fields[name]).replace("Z", "+00:00"))
        if fields.get("peak") is not None:
            fields["peak"] = datetime.fromisoformat(str(fields["peak"]).replace("Z", "+00:00"))
        fields["findings"] = tuple(fields["findings"])
        fields["history"] = tuple(Move(**move) for move in fields["history"])
        if fields["state"] not in MOVES:
            raise ValueError(f"state: unknown '{fields['state']}'; use one of {', '.join(MOVES)}")
        for name in ("zones", "instances_from", "instances_to", "servers_per_instance"):
            if not isinstance(fields[name], int) or fields[name] < 1:
                raise ValueError(f"{name}: must be a whole number above 0 (got {fields[name]})")
        return CapacityRequest(**fields)
    except (KeyError, TypeError, ValueError) as error:
        raise UsageError(f"{where}: {type(error).__name__}: {error}") from None
