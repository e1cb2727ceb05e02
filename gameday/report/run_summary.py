"""From the rooms' products to one summary of a run; every number is made upstream."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from gameday.calibrate import Equivalent, Knee, Parameter, Unidentified, as_declared
from gameday.capacity import CapacityRequest, Withheld
from gameday.experiments.failures import (
    MeasuredRecovery,
    Recovery,
    StackLosses,
    does_it_recover,
    measured_recovery,
)
from gameday.experiments.rehearsal import ModelAnswer, rehearse
from gameday.findings import Evidence, Finding, Tests, Validity, Verdict, standing_of
from gameday.findings.tables import (
    Accounts,
    Followed,
    MachineRow,
    ObjectiveRow,
    RedirectRow,
    RunSellOut,
    ServiceRow,
    SlotSeries,
    StepRow,
    accounts_of,
    followed,
    machine_row,
    objective_rows,
    redirect_rows,
    sell_outs_of_run,
    service_rows,
    slot_series,
    step_rows,
)
from gameday.forecast import Demand, EventDemand
from gameday.forecast.evaluation import (
    ActualsScore,
    DemandSeries,
    actuals_table,
    demand_series,
)
from gameday.history import History
from gameday.products import to_json
from gameday.record import RunRecord
from gameday.record.measures import LATENESS_BOUND_S
from gameday.report.lives import LifeRows, Lives, life_rows
from gameday.report.proof_rows import ProvenRow, proven_rows
from gameday.scenario import Scenario
from gameday.traffic.fit import event_demand

__all__ = ["Judged", "RunAbout", "Summary", "gather", "summary_json"]

SCHEMA_VERSION = 1


@dataclass(frozen=True, slots=True)
class RunAbout:
    """Which run it is."""

    run_id: str
    event: str
    started_utc: str
    version: str
    """Of gameday."""
    command: str
    target: dict[str, str] | str
    """Stack -> URL, or in words."""


@dataclass(frozen=True, slots=True)
class ForecastRow:
    """What stands behind the forecast, and how it did where the history knows better by now."""

    backtest_wape: float | None
    race: tuple[tuple[str, float], ...]
    """Each forecast of the rolling-origin race with its error."""
    strength_sigma: float
    """Deviation of the logarithm of the event's strength."""
    past_events: int
    calibrated_to: float
    """The highest quantile that the past can support."""
    notes: tuple[str, ...]
    actuals: ActualsScore | None
    is_given: bool
    """Whether the demand was given, and nothing forecast."""


@dataclass(frozen=True, slots=True)
class RefutedRow:
    """A service whose model the run refutes."""

    stack: str
    service: str
    why: tuple[str, ...]
    """What was measured against what was predicted."""


@dataclass(frozen=True, slots=True)
class LearnedRow:
    """What the run says of the target, beside what is declared of it."""

    parameters: tuple[Parameter, ...]
    """The ones in which it differs stand first."""
    unidentified: tuple[Unidentified, ...]
    set_aside: tuple[str, ...]
    """What differs and is no cause: a cause elsewhere explains it."""
    unexplained: tuple[str, ...]
    """What is off with all causes in the model."""
    knees: tuple[Knee, ...]
    equivalents: tuple[Equivalent, ...]
    """The stations that answer like targets of which nothing else is known."""
    why_not: str
    """Why nothing was learned; empty: it was."""
    known_before: str
    """The calibration that the model was given before the run; empty: none."""


@dataclass(frozen=True, slots=True)
class Conditions:
    """How a run was played, and with which model it is compared."""

    window_utc: str
    lead_in_slots: int
    speed: float
    scale: float
    quantile: str
    slot_wall_s: float
    replications: int
    """Of the model of the run as played."""
    replications_at_real_speed: int
    scale_at_real_speed: float | None
    scenario_sha256: str
    """Of what was declared."""


@dataclass(frozen=True, slots=True)
class Judged:
    """What a run came to when it was judged."""

    evidence: Evidence
    run: RunRecord
    """What was measured."""
    demand: Demand
    history: History
    tests: Tests
    findings: tuple[Finding, ...]
    requests: tuple[CapacityRequest, ...]
    withheld: tuple[Withheld, ...]
    verdict: Verdict
    validity: Validity
    lives: Lives = field(default_factory=Lives)


@dataclass(frozen=True, slots=True)
class Summary:
    """A run in the numbers that its report shows; every one is made upstream."""

    about: RunAbout
    seed: int
    history_sha256: str
    machine: MachineRow
    redirects: dict[str, RedirectRow]
    verdict: Verdict
    followed: Followed
    findings: tuple[Finding, ...]
    findings_by_severity: dict[str, int]
    requests: tuple[CapacityRequest, ...]
    requests_usd: float
    proof: tuple[ProvenRow, ...]
    withheld: tuple[Withheld, ...]
    model_refuted: tuple[RefutedRow, ...]
    learned: LearnedRow
    objectives: tuple[ObjectiveRow, ...]
    services: tuple[ServiceRow, ...]
    steps: tuple[StepRow, ...]
    event_model: ModelAnswer | None
    """The model at real speed; None where there is none."""
    sell_out: tuple[RunSellOut, ...]
    injected: tuple[str, ...]
    recovery: dict[str, MeasuredRecovery] | None
    recovery_modelled: dict[str, Recovery] | None
    n_minus_one: dict[str, StackLosses]
    event_missing: str
    """Why the model at real speed is missing, or has fewer replications than were wanted."""
    series: SlotSeries
    demand_series: DemandSeries
    forecast: ForecastRow
    validity: Validity
    books: Accounts
    notes: tuple[str, ...]
    conditions: Conditions
    caveats: tuple[str, ...]
    lives: LifeRows
    """What it did to findings and requests of the runs before."""
    is_black_box: bool
    """Whether the scenario has no services: nothing was modelled, sized or lost."""


def gather(judged: Judged, about: RunAbout) -> Summary:
    """Return the summary of a run."""
    evidence, run, findings = judged.evidence, judged.run, judged.findings
    scenario, plan = evidence.scenario, evidence.plan
    expected = event_demand(scenario, judged.demand)
    severities = sorted({finding.severity for finding in findings})
    return Summary(
        about=about,
        seed=plan.seed.root,
        history_sha256=judged.history.sha256,
        machine=machine_row(evidence.machine),
        redirects=redirect_rows(evidence, run),
        verdict=judged.verdict,
        followed=followed(evidence, run, judged.validity),
        findings=findings,
        findings_by_severity={s: sum(f.severity == s for f in findings) for s in severities},
        requests=judged.requests,
        requests_usd=sum(request.total_usd for request in judged.requests),
        proof=tuple(proven_rows(judged.requests)),
        withheld=judged.withheld,
        model_refuted=_refuted(judged),
        learned=_learned(evidence),
        objectives=objective_rows(evidence, findings, judged.tests),
        services=service_rows(evidence),
        steps=step_rows(evidence, run),
        event_model=_at_real_speed(evidence),
        sell_out=sell_outs_of_run(evidence, run),
        injected=tuple(injection.text for injection in plan.injections),
        recovery=measured_recovery(plan.injections, run, plan.speed, evidence.calm),
        recovery_modelled=_recovery_modelled(evidence),
        n_minus_one=evidence.n_minus_one,
        event_missing=evidence.event_missing,
        series=slot_series(evidence, run),
        demand_series=demand_series(expected, judged.history, plan.quantile),
        forecast=_forecast(expected, judged.history),
        validity=judged.validity,
        books=accounts_of(run),
        notes=run.notes,
        conditions=_conditions(evidence),
        caveats=_caveats(evidence),
        lives=life_rows(judged.lives, about.run_id),
        is_black_box=not scenario.services_are_known,
    )


def summary_json(summary: Summary, scenario: Scenario) -> dict[str, Any]:
    """Return a summary as `summary.json` holds it; times of findings also by the clocks of their regions."""
    fields = to_json(summary)
    about = fields.pop("about")
    lateness_s = summary.validity.lateness_p99_s
    fields["validity"] |= {
        "lateness_bound_s": LATENESS_BOUND_S,
        "lateness_p99_s": None if lateness_s != lateness_s else lateness_s,
    }
    for row, finding in zip(fields["findings"], summary.findings, strict=True):
        local = _local(finding.first_breach, _zone(scenario, finding.stack))
        row |= {"doubt": finding.doubt, "first_breach_local": local}
    for row, request in zip(fields["requests"], summary.requests, strict=True):
        row |= {"latest_order": f"{request.latest_order:%Y-%m-%d}", "proven": request.proven}
        row["instance_hours"] = round(request.instance_hours, 1)
    return {"schema_version": SCHEMA_VERSION, **about, **fields}


def _zone(scenario: Scenario, stack: str) -> str:
    """Return the clock of a stack's first region; UTC where a finding is of no single stack."""
    if stack not in scenario.stack_names:
        return "UTC"
    return scenario.regions[scenario.stack_regions(stack)[0]].zone


def _local(instant: datetime | None, zone: str) -> str | None:
    if instant is None:
        return None
    return instant.astimezone(ZoneInfo(zone)).strftime("%Y-%m-%d %H:%M %Z")


def _at_real_speed(evidence: Evidence) -> ModelAnswer | None:
    if not evidence.event:
        return None
    return rehearse(evidence.scenario, evidence.event, evidence.event_scale or 1.0)


def _recovery_modelled(evidence: Evidence) -> dict[str, Recovery] | None:
    if not evidence.event:
        return None
    return does_it_recover(evidence.plan.injections, evidence.event, evidence.calm)


def _forecast(expected: EventDemand, history: History) -> ForecastRow:
    demand = expected.organic
    return ForecastRow(
        backtest_wape=demand.backtest_wape,
        race=demand.benchmark,
        strength_sigma=demand.strength_sigma,
        past_events=demand.past_events,
        calibrated_to=demand.calibrated_to,
        notes=(*history.notes, *demand.notes),
        actuals=actuals_table(expected, history),
        is_given=demand.is_given,
    )


def _learned(evidence: Evidence) -> LearnedRow:
    calibration = evidence.calibration
    rows = () if calibration is None else calibration.parameters
    aside = [c for diagnosis in evidence.diagnosis for c in diagnosis.set_aside]
    off = [(d.stack, row) for d in evidence.diagnosis for row in d.unexplained]
    return LearnedRow(
        parameters=tuple(sorted(rows, key=lambda row: row.agrees)),
        unidentified=() if calibration is None else calibration.unidentified,
        set_aside=tuple(f"{c.stack} {c.service}: {c.parameter.name}" for c in aside),
        unexplained=tuple(
            dict.fromkeys(f"{stack}: {row.metric} of {row.subject}" for stack, row in off)
        ),
        knees=evidence.knees,
        equivalents=evidence.equivalents,
        why_not=evidence.not_calibrated,
        known_before=evidence.known_before,
    )


def _refuted(judged: Judged) -> tuple[RefutedRow, ...]:
    refuted = standing_of(judged.findings, judged.tests).refuted
    return tuple(RefutedRow(stack, service, why) for (stack, service), why in refuted.items())


def _conditions(evidence: Evidence) -> Conditions:
    plan = evidence.plan
    return Conditions(
        window_utc=f"{plan.window.start:%Y-%m-%dT%H:%MZ} to {plan.window.end:%Y-%m-%dT%H:%MZ}",
        lead_in_slots=plan.lead_in,
        speed=plan.speed,
        scale=plan.scale,
        quantile=f"p{100 * plan.quantile:g}",
        slot_wall_s=plan.slot_wall_s,
        replications=len(evidence.predicted),
        replications_at_real_speed=len(evidence.event),
        scale_at_real_speed=evidence.event_scale,
        scenario_sha256=as_declared(evidence.scenario).sha256(),
    )


def _caveats(evidence: Evidence) -> tuple[str, ...]:
    plan = evidence.plan
    caveats = [
        f"Played at {plan.speed:g}x: evidence of what the load does at its level, not of what time "
        "does (queue build-up over minutes, autoscaling, the sell-out minute)."
        if plan.speed > 1
        else "Played at real speed.",
        f"Played in a cell of {plan.scale:g} of full scale: small cells are slower at equal "
        "utilisation, so its latencies are compared with the model of that same cell, and an "
        "objective that holds in it is judged on the safe side (DECISIONS 10)."
        if evidence.load_share == 1.0 and evidence.scenario.services_are_known
        else f"The target met {evidence.load_share:.3g} of the load that the forecast means for it.",
    ]
    if evidence.known_before:
        caveats.append(
            f"The model was calibrated before the run, by {evidence.known_before}: what is called calibrated "
            "here is what that file says, not what the scenario declares."
        )
    if evidence.event:
        caveats.append(
            "At real speed the model simulated the same window, after an hour of warm-up, in a cell of "
            f"{evidence.event_scale:.2g} of full scale, {len(evidence.event)} replications: the largest "
            "cell the engine carries beside the run. `gameday simulate --window all` has the whole event."
        )
    if evidence.event_missing or not evidence.event:
        caveats.append(
            f"The model of the window at real speed has {len(evidence.event) or 'no'} replications: "
            f"{evidence.event_missing or 'it was not asked'}. What rests on it is not judged."
        )
    cells = {note for run in evidence.predicted[:1] for note in run.notes}
    return (*caveats, *sorted(cells))
