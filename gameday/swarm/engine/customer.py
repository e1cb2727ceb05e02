"""A customer who is awake: between the instant a step is due and the end of its last reply.

Asleep, thinking, a customer is a row of arrays (sleeping_sessions.py). One object serves as the
customer, as the step under way and, where the step is a single exchange, as that exchange's flight:
it is made for every step, so each object saved is a cost saved.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from gameday.queueing import Sale
from gameday.scenario.blocks import Journey
from gameday.swarm.script.prepared_steps import PreparedExchange, StepScript
from gameday.swarm.wire.cookies import CookieJar
from gameday.swarm.wire.flight import Flight
from gameday.swarm.wire.pool import Pool
from gameday.traffic import Course

__all__ = ["Cohort", "Customer", "ExchangeFlight", "PreparedStep"]


@dataclass(frozen=True, slots=True)
class PreparedStep:
    """A step as the customers of one cohort play it."""

    script: StepScript
    code: int
    """The tally's code of the step in this stack, outcome done."""
    nominal_s: float
    """Mean response with no queue."""
    only_exchange: PreparedExchange | None
    """The step's exchange where it has but one."""
    constant_request: bytes | None
    """The bytes of such a step's request where they are the same for all; cookies apart."""
    python_class: str | None
    """`module:Class` where the step is played by a Locust user's tasks."""
    good_statuses: frozenset[int]
    """Statuses that alone make such a step done; empty where more is asked of its reply."""


@dataclass(frozen=True, slots=True)
class Cohort:
    """What customers of one region and journey share."""

    number: int
    stack: int
    region: str
    journey: Journey
    course: Course
    steps: tuple[PreparedStep, ...]
    """By step."""
    steps_by_product: dict[tuple[int, str], PreparedStep]
    """(Step, product type) -> the step of sessions about that type, where theirs differs."""
    pool: Pool
    product: Callable[[int], str | None]
    """Session -> product type."""
    starts_at_s: Callable[[int], float]
    """Session -> when it was planned to start, from the window's start."""
    sales: dict[str, Sale]
    """Product type -> its limited sale in this stack; instants from the window's start."""


class Customer(Flight):
    """One session, awake."""

    __slots__ = (
        "cohort",
        "group",
        "group_late_s",
        "has_ended",
        "jar",
        "key",
        "late_s",
        "memory",
        "nominal_s",
        "outcome",
        "pending",
        "position",
        "prepared",
        "retry_reason",
        "session",
        "start_slot",
        "step",
        "step_due",
        "steps_ended",
        "tries",
        "tries_at_reason",
        "why",
    )

    cohort: Cohort
    key: int
    """The session's key for draws."""
    session: int
    position: int
    """Position in the walk of the step under way, from 0."""
    step: int
    """That step's index."""
    nominal_s: float
    """When it would be due had every reply taken its nominal time, from the window's start."""
    start_slot: int
    """Slot of the session's start, from the window's start."""
    tries: int
    """How often the step was tried before."""
    retry_reason: int
    """The outcome for which it is tried again."""
    tries_at_reason: int
    """The value of `tries` when that outcome first came."""
    jar: CookieJar | None
    memory: dict[str, str] | None
    """Values extracted from replies so far."""
    prepared: PreparedStep
    """The step under way, as this cohort plays it."""
    step_due: float
    """When the step was due: its first exchange was."""
    group: int
    """Index of the group of exchanges that is out."""
    late_s: float
    """How long the generator held back the step's earlier groups: each by its exchange held longest."""
    group_late_s: float
    """The same of the group that is out."""
    pending: int
    """Required exchanges of the group that are not back."""
    steps_ended: int
    """How many steps of several exchanges this object has ended: a flight of an earlier one is late."""
    outcome: int
    """The first bad outcome of a required exchange; 0 = done so far."""
    why: str

    def __init__(self, cohort: Cohort, key: int, session: int) -> None:
        self.cohort, self.key, self.session = cohort, key, session
        self.patience, self.patient_since = cohort.journey.patience, 0.0
        self.has_ended = False
        """Whether the session has ended: replies that still come are left aside."""
        self.hops = 0
        self.hop_path = self.why = ""
        self.first_sent = 0.0
        self.became_get = self.resent = False
        self.outcome = self.steps_ended = 0

    @property
    def region(self) -> str:
        """Where the customer lives."""
        return self.cohort.region

    @property
    def product_type(self) -> str:
        """What the session is about; empty where the scenario has no products."""
        return self.cohort.product(self.session) or ""


class ExchangeFlight(Flight):
    """An exchange beside others of its step, or the next hop of a redirect."""

    __slots__ = ("owner", "steps_ended")

    def __init__(
        self,
        owner: Customer,
        exchange: PreparedExchange,
        request: bytes,
        due: float,
        patient_since: float,
    ) -> None:
        super().__init__(exchange, request, due, owner.patience, patient_since)
        self.owner, self.steps_ended = owner, owner.steps_ended

    @property
    def is_late(self) -> bool:
        """Whether its step has ended without it: it was not required, and is counted on its own."""
        return self.owner.has_ended or self.steps_ended != self.owner.steps_ended
