"""The product: a reviewable order for servers, and the moves it may make."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from typing import Annotated, Any

from pydantic import PlainSerializer

from gameday.capacity.living.prediction import Prediction, Score
from gameday.capacity.schedule import ScheduledStep
from gameday.errors import UsageError
from gameday.products import IsoMinute, from_json, to_json
from gameday.safety.identity import Statement
from gameday.scenario.reading import to_yaml

__all__ = [
    "ERLANG",
    "STATES",
    "CapacityRequest",
    "Proof",
    "ProofRow",
    "as_json",
    "as_yaml",
    "from_mapping",
    "instances_at",
]

VERSION = 2
STATES = (
    *("draft", "in_review", "approved", "ordered", "active", "verified"),
    *("rejected", "expired", "superseded", "released"),
)
"""That a request may be in, its ends last."""
ERLANG = "Erlang's C, each service by itself"
"""How what the model did not size is sized."""


@dataclass(frozen=True, slots=True)
class ProofRow:
    """An objective in the case that was played, before and after the order; numbers in words."""

    before: str
    after: str
    change: str
    said: str
    """holds, fails, undecided, not observed, or why nobody can tell."""
    holds_after: bool
    """Whether the whole interval holds, in the case sized for, by a model that the run does not refute."""

    @staticmethod
    def of(data: dict[str, Any]) -> ProofRow:
        """Return the row that a request file holds; what it does not say is not proven."""
        before, after, change, answer = (
            str(data.get(name, "")) for name in ("before", "after", "change", "said")
        )
        return ProofRow(before, after, change, answer, data.get("holds_after") is True)


@dataclass(frozen=True, slots=True)
class Proof:
    """The case that a request is sized for, played in the model with all requests of its stack placed."""

    case: str = ""
    """Quantile, zones lost, minutes, speed, cell, and what was placed; empty: it was not played."""
    replications: int = 0
    why_not: str = ""
    """Why it was not played."""
    objectives: dict[str, ProofRow] = field(default_factory=dict)

    def as_mapping(self) -> dict[str, Any]:
        """Return the proof as request files hold it."""
        if not self.case:
            return {"said": self.why_not} if self.why_not else {}
        rows = {text: asdict(row) for text, row in self.objectives.items()}
        return {"of": self.case, "replications": self.replications, **rows}

    @staticmethod
    def of_mapping(data: dict[str, Any]) -> Proof:
        """Return the proof that a request file holds; one of an older version proves nothing."""
        if "of" not in data:
            return Proof(why_not=str(data.get("said", "")))
        rows = {text: ProofRow.of(row) for text, row in data.items() if isinstance(row, dict)}
        return Proof(str(data["of"]), int(data.get("replications", 0)), objectives=rows)

    def in_a_line(self) -> str:
        """Return `holds`, or what does not, or why it was not played."""
        if not self.case:
            return self.why_not or "not proven: the case that it is sized for was not played"
        open_ = [f"{text}: {r.said}" for text, r in self.objectives.items() if not r.holds_after]
        if open_ or not self.objectives:
            return "; ".join(open_) or "not proven: the scenario has no objective"
        return next((r.said for r in self.objectives.values() if r.said != "holds"), "holds")


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
    window_start: IsoMinute
    """First minute in which the present fleet does not fit, UTC; of a schedule, its first hour after warm-up."""
    window_end: IsoMinute
    """First minute after the last such, UTC; of a schedule, its end."""
    needed_by: IsoMinute
    """When the servers must work, UTC."""
    latest_order: IsoMinute
    """The last moment to order, by the lead time, UTC."""
    at_risk: bool
    """Whether that moment has passed, and servers are to be added."""
    instance: str
    zones: int
    instances_from: int
    instances_to: int
    """At their most: `schedule` says when."""
    servers_per_instance: int
    offered: dict[str, float]
    """Quantile of the event's strength -> busy servers asked for at the peak, erlangs."""
    servers_needed: int
    """With every zone up, so that the bounds hold with `zones_lost` gone."""
    zones_lost: int
    sized_for: str
    """The quantile sized for, and whether the past can support it."""
    bounds: dict[str, float]
    """What Erlang's C keeps: utilisation and chance of waiting, with the zones lost; empty: the model sized it."""
    peak_utilisation: dict[str, float]
    """before and after, all zones up, and with the zones lost."""
    hourly_usd: float
    """Of the added instances, in the hours in which most are at work."""
    total_usd: float
    """Of the instances added, hour by hour of the schedule; without one, from needed_by to the end of the window.
    Below 0: saved."""
    expires: IsoMinute
    """When they may be given back, UTC."""
    proof: Annotated[Proof, PlainSerializer(Proof.as_mapping)] = field(default_factory=Proof)
    history: tuple[Statement, ...] = ()
    """What was done to it, by whom, from its first draft."""
    peak: IsoMinute | None = None
    """The minute of the most load sized for, UTC; None: an older file, which does not say."""
    schedule: tuple[ScheduledStep, ...] = ()
    """When how many are at work, where that differs from `instances_from`; none: `instances_to` all the time."""
    sized_by: str = ERLANG
    """How its size was found."""
    model: str = "not compared"
    """What the run says of the service's model, by which it is sized: `agrees`, or `not compared`."""
    revision: int = 1
    """Of the orders for this service and event: one that was bought and no longer does is followed by another."""
    owner: str = ""
    """The team that answers for the service; empty: the scenario names none."""
    forecast_steps: float = 0.0
    """Steps that the customers of its stack are expected to make in the event, on average, launches included; 0:
    unknown."""
    target: str = ""
    """What the run was played against: `embedded shop`, or `given target`, the user's own."""
    prediction: Prediction = field(default_factory=Prediction)
    """What the next run like this one will show."""
    record: tuple[Score, ...] = ()
    """How the predictions of this request, and of those before it, came out."""

    @property
    def added(self) -> int:
        """Instances to add."""
        return self.instances_to - self.instances_from

    def instances_in(self, start: datetime, end: datetime) -> int:
        """Return the instances that are at work from `start` to `end`, the fewest of that time."""
        return instances_at(self.schedule, start, end, self.instances_from, self.instances_to)

    @property
    def instance_hours(self) -> float:
        """Hours of all instances beside those that are at work now; below 0: fewer are."""
        if not self.schedule:
            return self.added * ((self.window_end - self.needed_by) / timedelta(hours=1))
        return sum((step.instances - self.instances_from) * step.hours for step in self.schedule)

    @property
    def most_hours(self) -> float:
        """Hours of a schedule in which the most are at work."""
        return sum(step.hours for step in self.schedule if step.instances == self.instances_to)

    @property
    def schedule_words(self) -> str:
        """When most are at work, in how many steps, and the instance-hours; empty: there is no schedule."""
        if not self.schedule:
            return ""
        most = max(self.schedule, key=lambda step: step.instances)
        return (
            f"{most.instances} from {most.start:%Y-%m-%dT%H:%MZ} to {most.end:%Y-%m-%dT%H:%MZ} ({most.phase}); "
            f"{len(self.schedule)} steps, {self.instance_hours:+,.0f} instance-hours"
        )

    @property
    def proven(self) -> str:
        """What its proof comes to, in a line: `holds`, or what does not, or why it was not made."""
        return self.proof.in_a_line()

    @property
    def proven_for(self) -> str:
        """The case that was played for its proof: quantile, zones lost, minutes, speed, cell; empty: none was."""
        return self.proof.case


def instances_at(
    schedule: tuple[ScheduledStep, ...], start: datetime, end: datetime, usual: int, most: int
) -> int:
    """Return the fewest instances from `start` to `end`: `usual` outside a schedule, `most` without one."""
    if not schedule:
        return most
    steps = [step for step in schedule if step.start < end and step.end > start]
    covered = sum((min(s.end, end) - max(s.start, start) for s in steps), timedelta())
    least = [] if covered == end - start else [usual]
    return min([*least, *(step.instances for step in steps)])


def as_yaml(request: CapacityRequest) -> str:
    """Return the request as YAML in a stable order, for review in git."""
    return to_yaml(json.loads(as_json(request)))


def as_json(request: CapacityRequest) -> str:
    """Return the request as the ledger holds it, with the keys of its file, numbers rounded."""
    return json.dumps({"version": VERSION, "kind": "CapacityRequest", **_rounded(to_json(request))})


def _rounded(value: Any) -> Any:
    """Return JSON with its numbers rounded to four digits."""
    if isinstance(value, dict):
        return {key: _rounded(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_rounded(item) for item in value]
    return round(value, 4) if isinstance(value, float) else value


def from_mapping(data: dict[str, Any], where: str) -> CapacityRequest:
    """Return the request that a read YAML file holds; UsageError names the file and the fault."""
    fields = {k: v for k, v in data.items() if k not in ("version", "kind")}
    if data.get("kind") != "CapacityRequest" or data.get("version") != VERSION:
        raise UsageError(
            f"{where}: is no CapacityRequest of version {VERSION}; of an older run, replay again"
        )
    try:
        _check(fields)
        return CapacityRequest(**{**fields, **_parts(fields)})
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise UsageError(f"{where}: {type(error).__name__}: {error}") from None


def _parts(fields: Mapping[str, Any]) -> Mapping[str, object]:
    """Return the fields of a request that files hold in another form."""
    return {
        **{name: _instant(fields[name]) for name in _INSTANTS},
        "peak": None if fields.get("peak") is None else _instant(fields["peak"]),
        "findings": tuple(fields["findings"]),
        "history": tuple(Statement.of_mapping(said) for said in fields["history"]),
        "prediction": from_json(Prediction, fields.get("prediction", {})),
        "record": tuple(from_json(Score, score) for score in fields.get("record", ())),
        "schedule": tuple(ScheduledStep.of(step) for step in fields.get("schedule", ())),
        "proof": Proof.of_mapping(fields.get("proof", {})),
    }


def _instant(text: object) -> datetime:
    return datetime.fromisoformat(str(text).replace("Z", "+00:00"))


_INSTANTS = ("window_start", "window_end", "needed_by", "latest_order", "expires")
_COUNTS = ("zones", "instances_from", "instances_to", "servers_per_instance", "revision")


def _check(fields: Mapping[str, Any]) -> None:
    """Raise ValueError where a file that was read holds what no request can have."""
    known = CapacityRequest.__dataclass_fields__
    if unknown := sorted(set(fields) - set(known)):
        raise ValueError(f"there is no field {', '.join(unknown)}")
    if missing := [name for name in _NEEDED if name not in fields]:
        raise ValueError(f"{', '.join(missing)} is missing")
    if fields["state"] not in STATES:
        raise ValueError(f"state: unknown '{fields['state']}'; use one of {', '.join(STATES)}")
    for name in _COUNTS:
        if not isinstance(fields.get(name, 1), int) or fields.get(name, 1) < 1:
            raise ValueError(f"{name}: must be a whole number above 0 (got {fields[name]})")
    for name in (*_NUMBERS, *_TABLES):
        numbers = fields.get(name, 0.0)
        for number in numbers.values() if name in _TABLES else (numbers,):
            if not isinstance(number, (int, float)) or isinstance(number, bool):
                raise ValueError(f"{name}: must be a number (got {number})")


_NUMBERS = ("hourly_usd", "total_usd", "forecast_steps")
_TABLES = ("offered", "bounds", "peak_utilisation")
_NEEDED = (
    *("id", "event", "stack", "service", "state", "history"),
    *_INSTANTS,
    *_COUNTS[:4],
    *_NUMBERS[:2],
    *_TABLES,
)
