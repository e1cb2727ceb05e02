"""A customer who is awake: between the instant a step is due and the end of its last reply.

Asleep, thinking, a customer is a row of arrays (rows.py). One object serves as the customer, as
the step under way and, where the step is a single exchange, as that exchange's flight: it is made
for every step, and what is not made costs nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from gameday.queueing import Sale
from gameday.scenario.blocks import Journey
from gameday.swarm.script.prepared_steps import Line, Scene
from gameday.swarm.wire.cookies import Jar
from gameday.swarm.wire.flight import Flight
from gameday.swarm.wire.pool import Pool
from gameday.traffic import Course

__all__ = ["Cast", "Customer", "Errand", "Part"]


@dataclass(frozen=True, slots=True)
class Part:
    """A step as the customers of one cast play it."""

    scene: Scene
    code: int
    """The tally's code of the step in this stack, planned nowhere, outcome done."""
    nominal_s: float
    """Mean response with no queue."""
    single: Line | None
    """The step's exchange where it has but one."""
    plain: bytes | None
    """The request of such a step where no word stands in it and no cookie is to be sent."""
    python: str | None
    """`module:Class` where the step is played by a Locust user's tasks."""
    fine: frozenset[int]
    """Statuses that alone make such a step done; empty where more is asked of its reply."""


@dataclass(frozen=True, slots=True)
class Cast:
    """What customers of one region and journey share."""

    number: int
    stack: int
    region: str
    journey: Journey
    course: Course
    parts: tuple[Part, ...]
    """By step."""
    own_parts: dict[tuple[int, str], Part]
    """(Step, product type) -> the step as those play it who are about that type, where they do it otherwise."""
    pool: Pool
    product: Callable[[int], str | None]
    """Session -> product type."""
    began: Callable[[int], float]
    """Session -> when it was planned to start, from the window's start."""
    selling: dict[str, Sale]
    """What is limited where they shop: its release and countdown; instants from the window's start."""


class Customer(Flight):
    """One session, awake."""

    __slots__ = (
        "began",
        "cast",
        "group",
        "group_late",
        "jar",
        "key",
        "late_s",
        "memory",
        "mood",
        "nominal_s",
        "outcome",
        "over",
        "part",
        "pending",
        "place",
        "session",
        "since",
        "step",
        "step_due",
        "tries",
        "turn",
        "why",
    )

    cast: Cast
    key: int
    """The session's key for draws."""
    session: int
    place: int
    """Which step of the walk is under way."""
    step: int
    """That step's index."""
    nominal_s: float
    """When it would be due had every reply taken its nominal time, from the window's start."""
    began: int
    """Slot of the session's start."""
    tries: int
    """How often the step was tried before."""
    mood: int
    """Why it is tried again: an outcome's number."""
    since: int
    """How often it was tried when that began to be why."""
    jar: Jar | None
    memory: dict[str, str] | None
    """What replies gave so far."""
    part: Part
    """The step under way, as this cast plays it."""
    step_due: float
    """When the step was due: its first exchange was."""
    group: int
    """Which group of exchanges is out."""
    late_s: float
    """How long we ourselves held the step's groups back so far: each by its exchange held longest."""
    group_late: float
    """The same of the group that is out."""
    pending: int
    """Required exchanges of the group that are not back."""
    turn: int
    """How many steps of several exchanges this object has ended: an errand of an earlier one is late."""
    outcome: int
    """The first bad outcome of a required exchange; 0 = done so far."""
    why: str

    def __init__(self, cast: Cast, key: int, session: int) -> None:
        self.cast, self.key, self.session = cast, key, session
        self.patience, self.patient_since = cast.journey.patience, 0.0
        self.over = False
        """Whether the session has ended: what still comes back is nobody's."""
        self.hops = 0
        self.hop_path = self.why = ""
        self.first_sent = 0.0
        self.became_get = self.resent = False
        self.outcome = self.turn = 0

    @property
    def region(self) -> str:
        """Where the customer lives."""
        return self.cast.region

    @property
    def product_type(self) -> str:
        """What the session is about; empty where the scenario has no products."""
        return self.cast.product(self.session) or ""


class Errand(Flight):
    """An exchange beside others of its step, or the next hop of a redirect."""

    __slots__ = ("owner", "turn")

    def __init__(
        self, owner: Customer, line: Line, request: bytes, due: float, patient_since: float
    ) -> None:
        super().__init__(line, request, due, owner.patience, patient_since)
        self.owner, self.turn = owner, owner.turn

    @property
    def is_late(self) -> bool:
        """Whether its step has ended: it was not required, and counts for itself alone."""
        return self.owner.over or self.turn != self.owner.turn
