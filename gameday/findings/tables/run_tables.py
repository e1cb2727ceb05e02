"""What a run came to beside what was predicted: services, steps, redirects, and how far it followed its plan."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gameday.findings.evidence import Evidence
from gameday.findings.verdict import Validity
from gameday.record import RunRecord, percentile
from gameday.record.intervals import Interval, interval_of, plain_number, prediction_interval
from gameday.record.measures import BAD, service_number
from gameday.swarm import BUSY_SHARE, MachineUse
from gameday.vocabulary import Array

__all__ = [
    "Compared",
    "Followed",
    "MachineRow",
    "RedirectRow",
    "ServiceRow",
    "StepRow",
    "followed",
    "machine_row",
    "redirect_rows",
    "service_rows",
    "step_rows",
]

_LOST = ("failed", "shed", "timed_out", "cancelled", "orphaned")
"""Attempts at a service that did not end well."""


@dataclass(frozen=True, slots=True)
class MachineRow:
    """How busy other work kept this machine, and whether that forbids a comparison; fields as of MachineUse."""

    cores: int
    seconds: float
    other_share: float | None
    worst_share: float | None
    own_share: float | None
    steal_share: float | None
    pressure: float | None
    text: str
    not_compared: str | None
    """Why model and measurement are not compared; None: they are."""


@dataclass(frozen=True, slots=True)
class Followed:
    """How far a run followed the forecast."""

    session_starts_share: float
    """Of the planned session starts, slot by slot, that came as planned."""
    sessions_planned: int
    sessions_started: int
    steps_forecast: int
    """Of the window, at the run's scale."""
    steps_planned: int
    steps_sent: int
    fit_residual_share: float
    """Of the forecast's steps that the journeys' session starts do not reproduce."""


@dataclass(frozen=True, slots=True)
class Compared:
    """A number of a service: in the model of the run as played, and measured."""

    predicted: Interval | None
    """Of one run, not of the mean of the replications."""
    measured: float | None


@dataclass(frozen=True, slots=True)
class ServiceRow:
    """A service of a stack, predicted and measured; p50 and p99 of a visit in seconds."""

    stack: str
    service: str
    utilisation: Compared
    p50: Compared
    p99: Compared
    error_rate: Compared


@dataclass(frozen=True, slots=True)
class StepRow:
    """A step of a stack over the window; latencies are of the response but for `service_p99_s`."""

    stack: str
    step: str
    sent: int
    bad: int
    """Of those sent, that failed, failed a check or were abandoned."""
    error_rate: float | None
    p50_s: float | None
    p99_s: float | None
    service_p99_s: float | None
    """From sending to the last byte."""
    predicted_p99_s: Interval | None


@dataclass(frozen=True, slots=True)
class RedirectRow:
    """Redirects of a step over the whole run."""

    sent: int
    followed: int
    declared: int
    """By the scenario, for so many steps."""


def machine_row(machine: MachineUse) -> MachineRow:
    """Return how busy other work kept this machine while load went out."""
    barred = (
        "not compared: this machine was busy with other work (bound "
        f"{BUSY_SHARE:.0%} of its cores in the worst 10 s)"
    )
    return MachineRow(
        machine.cores,
        machine.seconds,
        machine.other_share,
        machine.worst_share,
        machine.own_share,
        machine.steal_share,
        machine.pressure,
        machine.text,
        barred if machine.is_too_busy else None,
    )


def followed(evidence: Evidence, run: RunRecord, validity: Validity) -> Followed:
    """Return how far the run followed the forecast: session starts, and steps against forecast."""
    plan = evidence.plan
    sessions = run.sessions_by_slot(slots=run.whole)
    planned, started = sessions["planned"], sessions["started"]
    miss = np.abs(started - planned).sum() / max(1, planned.sum())
    forecast = plan.forecast[:, :, plan.lead_in :]
    residual = np.abs(plan.caused - plan.forecast)[:, :, plan.lead_in :].sum()
    steps = run.steps_by_slot()
    return Followed(
        session_starts_share=round(1 - float(miss), 6),
        sessions_planned=validity.sessions_planned,
        sessions_started=validity.sessions_started,
        steps_forecast=round(float(plan.clock.played(forecast).sum())),
        steps_planned=steps.count("planned"),
        steps_sent=steps.count("achieved"),
        fit_residual_share=round(float(residual / forecast.sum()), 5),
    )


def service_rows(evidence: Evidence) -> tuple[ServiceRow, ...]:
    """Return every service of every stack, predicted with interval and measured."""
    return tuple(
        ServiceRow(
            stack,
            service,
            _compared(evidence, stack, service, "utilisation"),
            _compared(evidence, stack, service, "p50"),
            _compared(evidence, stack, service, "p99"),
            _compared(evidence, stack, service, "error_rate"),
        )
        for stack in evidence.scenario.stack_names
        for service in evidence.scenario.stack_services(stack)
    )


def _compared(evidence: Evidence, stack: str, service: str, metric: str) -> Compared:
    unit = "s" if metric in ("p50", "p99") else "share"
    predicted = [_number(run, stack, service, metric) for run in evidence.predicted]
    run = evidence.measured
    measured = float("nan") if run is None else _number(run, stack, service, metric)
    band = interval_of(prediction_interval(predicted, unit)) if predicted else None
    return Compared(band, plain_number(measured))


def _number(run: RunRecord, stack: str, service: str, metric: str) -> float:
    if metric != "error_rate":
        return service_number(run, stack, service, metric)
    attempts = run.attempts_by_slot(stack, service)
    arrived = attempts.total("arrived")
    return attempts.total(*_LOST) / arrived if arrived > 0 else float("nan")


def step_rows(evidence: Evidence, run: RunRecord) -> tuple[StepRow, ...]:
    """Return every step of every stack: counts, error rate, and latencies measured and predicted."""
    return tuple(
        _step_row(evidence, run, stack, step) for stack in run.stacks for step in run.steps
    )


def _step_row(evidence: Evidence, run: RunRecord, stack: str, step: str) -> StepRow:
    counts, longest_s = run.steps_by_slot(stack, [step]), run.longest_response_s([step])

    def quantile(histogram: Array, level: float) -> float:
        return percentile(histogram, level, longest_s)

    sent, bad = counts.count("achieved"), counts.count(*BAD)
    response = run.response(stack, step)
    service = run.latency_by_slot(stack, [step], "service").sum(axis=0)
    predicted = [quantile(r.response(stack, step), 0.99) for r in evidence.predicted]
    return StepRow(
        stack=stack,
        step=step,
        sent=sent,
        bad=bad,
        error_rate=plain_number(bad / sent) if sent else None,
        p50_s=plain_number(quantile(response, 0.5)),
        p99_s=plain_number(quantile(response, 0.99)),
        service_p99_s=plain_number(quantile(service, 0.99)),
        predicted_p99_s=interval_of(prediction_interval(predicted, "s")) if predicted else None,
    )


def redirect_rows(evidence: Evidence, run: RunRecord) -> dict[str, RedirectRow]:
    """Return step -> steps sent, redirects followed, and redirects declared for so many steps."""
    rows = {}
    for step in run.steps:
        sent = run.steps_by_slot(steps=[step], slots=run.whole).count("achieved")
        exchanges = evidence.scenario.steps[step].each_exchange()
        declared = sent * sum(exchange.redirects for exchange in exchanges)
        rows[step] = RedirectRow(sent, run.redirects.get(step, 0), declared)
    return rows
