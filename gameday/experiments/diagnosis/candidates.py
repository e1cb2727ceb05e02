"""What may be wrong with a target: each difference that calibration found, by the name of its kind."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, get_args

from gameday.calibrate import IN_USE, Calibration, Parameter
from gameday.scenario.blocks import Measured, MeasuredFields

__all__ = ["KINDS", "Candidate", "Kind", "candidates_of"]

Kind = Literal[
    "fewer_servers",
    "lock",
    "thread_limit",
    "pool_too_small",
    "contention",
    "slower_service",
    "slow_endpoint",
    "slow_instances",
    "heavier_tail",
    "failing_dependency",
    "unbounded_queue",
    "more_retries",
    "more_visits",
    "cache_cold",
    "autoscaling_late",
]

KINDS: tuple[Kind, ...] = get_args(Kind)

_LEAST_LOG = 0.1
"""Log of the factor between declared and measured below which a time is no cause. Ours: a tenth is
within what HTTP, event loops and clocks add to a visit."""
_SURE = 4.0
"""Standard errors by which it must differ: dozens of numbers are looked at in a run. Ours."""
_ONE = 1.5
"""Servers, below which work is done one by one."""
_LOCKED = 0.26
"""Share of the declared servers from which down one server is a lock rather than a smaller fleet. Ours."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """One thing that may be wrong: a kind, its service, and what the model is told of it."""

    kind: Kind
    stack: str
    service: str
    parameter: Parameter
    fields: MeasuredFields
    """Of `Measured`."""

    @property
    def block(self) -> Measured:
        """What the model is told, alone."""
        return Measured().model_copy(update=dict(self.fields))

    @property
    def step(self) -> str | None:
        """The step it is about; None: all."""
        prefix, _, step = self.parameter.name.partition(".")
        return step if prefix == "step_factors" else None


def candidates_of(calibration: Calibration, stack: str) -> list[Candidate]:
    """Return what differs in a stack by more than chance and trifles."""
    rows: dict[str, dict[str, Parameter]] = {}
    for row in calibration.differing:
        if row.stack == stack:
            rows.setdefault(row.service, {})[row.name] = row
    return [
        candidate
        for service, found in rows.items()
        for candidate in _of_service(found, calibration.measured[stack, service])
    ]


def _of_service(rows: dict[str, Parameter], block: Measured) -> Iterator[Candidate]:
    yield from _of_some_visits(rows, block)
    is_alone = "load.contention" not in rows  # else it was told together with that
    if is_alone and "time_factor" in rows and _is_sure(rows["time_factor"]):
        yield _candidate("slower_service", rows["time_factor"], block, "time_factor")
    if "servers" in rows:
        yield _candidate(_of_servers(rows["servers"]), rows["servers"], block, "servers")
    for name, kind, fields in _PLAIN:
        if name in rows:
            yield _candidate(kind, rows[name], block, *fields)


def _of_some_visits(rows: dict[str, Parameter], block: Measured) -> Iterator[Candidate]:
    """Yield that visits from one step alone take another time, or those to some instances."""
    for name, row in rows.items():
        if name.startswith(_OF_STEP) and _is_sure(row):
            step = name.removeprefix(_OF_STEP)
            of_step = {"step_factors": {step: block.step_factors[step]}}
            yield Candidate("slow_endpoint", row.stack, row.service, row, of_step)
        if name.startswith(_OF_INSTANCES):
            yield _candidate("slow_instances", row, block, "degraded")


def _candidate(kind: Kind, row: Parameter, block: Measured, *names: str) -> Candidate:
    fields = {name: getattr(block, name) for name in names}
    return Candidate(kind, row.stack, row.service, row, fields)


_OF_STEP, _OF_INSTANCES = "step_factors.", "slow share"
"""How the name of a parameter begins that says which visits alone are slow."""
_PLAIN: tuple[tuple[str, Kind, tuple[str, ...]], ...] = (
    ("pool.connections", "pool_too_small", ("pool",)),
    ("load.contention", "contention", ("load", "time_factor")),
    ("cv", "heavier_tail", ("cv",)),
    ("failing share", "failing_dependency", ("degraded",)),
    ("queue_per_server", "unbounded_queue", ("queue_per_server",)),
    ("retry.attempts", "more_retries", ("retry",)),
    ("visits_factor", "more_visits", ("visits_factor",)),
    ("cache.begins", "cache_cold", ("cache",)),
    ("cache.entries", "cache_cold", ("cache",)),
    ("autoscale.delay", "autoscaling_late", ("autoscale",)),
)
"""Parameter, its kind, and the fields of `Measured` that hold it."""


def _of_servers(row: Parameter) -> Kind:
    if row.measured.mid < _ONE and row.measured.mid < _LOCKED * row.declared:
        return "lock"
    return "thread_limit" if row.by == IN_USE else "fewer_servers"


def _is_sure(row: Parameter) -> bool:
    away = abs(math.log(row.measured.mid / row.declared))
    return away > max(_LEAST_LOG, _SURE * row.measured.log_sd)
