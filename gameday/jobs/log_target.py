"""An access log with request times as a run of what it logged: who came and how long they waited."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pandas as pd

from gameday.calibrate import Source
from gameday.calibrate.compared import Target
from gameday.errors import UsageError
from gameday.files import scratch_folder, sha256_of
from gameday.forecast import given_demand
from gameday.history import History
from gameday.jobs.access_logs import AccessLogOrder, read_logs
from gameday.record import STEPS, RunRecord, bin_of, blank_record
from gameday.scenario import Scenario
from gameday.traffic import LoadPlan, ReplayOptions, plan_load
from gameday.vocabulary import Array, Seed, TimeGrid

__all__ = ["LogTarget", "target_of_log"]

_MOST_MIN, _LEAST_MIN = 150, 15
"""Minutes around the busiest one that are played in the model. Ours: more tell little more."""
_LEAD_IN_SHARE, _MOST_LEAD_IN = 1 / 6, 20
"""Of those minutes, the first, in which customers are under way that the log does not show from their start."""
_LEAST_TIMED = 0.5
"""Share of the steps that must have a time."""


@dataclass(frozen=True, slots=True)
class LogTarget:
    """A log as a run."""

    target: Target
    source: Source
    notes: tuple[str, ...]
    """What was taken for granted."""


def target_of_log(
    file: Path, scenario: Scenario, seed: Seed, log_format: str | None = None
) -> LogTarget:
    """Return a log as a run of the scenario; UsageError where it tells no times, or too few minutes.

    `log_format`: the server's own, where its lines do not say it.

    Its steps are those of `history.urls`. Sessions are those that cause them; all load is taken to be of the
    scenario's one stack.
    """
    if len(scenario.stack_names) > 1:
        raise UsageError(
            f"{file}: a log does not say to which of the stacks {', '.join(scenario.stack_names)} its requests "
            "went; calibrate on a run, or on a scenario of one stack"
        )
    steps, doubts = _timed_steps(file, scenario, log_format)
    minutes = steps["event_time"].to_numpy("datetime64[m]").astype(np.int64)
    window = _busiest(minutes, file)
    inside = (minutes >= window.epoch_min) & (minutes < window.epoch_min + window.slots)
    shown, slots = steps[inside], minutes[inside] - window.epoch_min
    plan = _plan(scenario, shown["event_type"].to_numpy(), slots, window, seed)
    record = _record(scenario, plan, shown, slots)
    notes = (
        f"{window.start:%Y-%m-%dT%H:%MZ} and {window.slots} minutes from then on, {len(shown)} steps of "
        f"{len(steps)} in the log",
        "all traffic of the whole fleet is taken to be in it: give the logs of all servers as one",
        "requests that failed are not in it, and whoever was turned away before the server logged it",
        *doubts,
    )
    target = Target.of(plan, record, seed=seed, scale=1.0)
    return LogTarget(target, Source("log", file.name, sha256_of(file), target.peak_per_min), notes)


def _timed_steps(
    file: Path, scenario: Scenario, log_format: str | None
) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """Return the log's steps with their times, and what reading them left in doubt."""
    with scratch_folder("log") as folder:
        events = folder / "events.parquet"
        read = read_logs(AccessLogOrder((file,), log_format), scenario, events, UTC)
        steps = pd.read_parquet(events, columns=["event_time", "event_type", "request_s"])
    timed = float(np.isfinite(steps["request_s"]).mean())
    if timed < _LEAST_TIMED:
        raise UsageError(
            f"{file}: {timed:.0%} of its steps have a request time; log it (nginx: $request_time, Envoy: "
            "%DURATION%, ALB: target_processing_time)"
        )
    return steps, tuple(read.answer.doubts)


def _busiest(minutes: Array, file: Path) -> TimeGrid:
    """Return the minutes around the busiest one."""
    first, last = int(minutes.min()), int(minutes.max())
    if last - first + 1 < _LEAST_MIN:
        raise UsageError(
            f"{file}: spans {last - first + 1} minutes; {_LEAST_MIN} are needed, of a load that rises and falls"
        )
    busiest = first + int(np.argmax(np.bincount(minutes - first)))
    slots = min(_MOST_MIN, last - first + 1)
    start = min(max(first, busiest - slots // 2), last + 1 - slots)
    return TimeGrid(datetime.fromtimestamp(60 * start, UTC), slots)


def _plan(scenario: Scenario, names: Array, slots: Array, window: TimeGrid, seed: Seed) -> LoadPlan:
    """Return the plan whose sessions cause the steps of the log, at real speed and full scale."""
    at_log = _during(scenario, window)
    demand = given_demand(at_log, _history(scenario, names, slots, window))
    return plan_load(at_log, demand, seed=seed, options=_options(window), own_target=True)


def _history(scenario: Scenario, names: Array, slots: Array, window: TimeGrid) -> History:
    """Return the log's steps by minute, all in the first region: the stack is one."""
    counts = np.zeros((len(scenario.regions), len(scenario.steps), window.slots), np.float32)
    for number, step in enumerate(scenario.step_names):
        counts[0, number] = np.bincount(slots[names == step], minlength=window.slots)
    return History(window, scenario.region_names, scenario.step_names, counts, "the log", "")


def _options(window: TimeGrid) -> ReplayOptions:
    """Return what is played: all of the log's minutes, the first of them as lead-in."""
    lead_in = min(_MOST_LEAD_IN, round(_LEAD_IN_SHARE * window.slots))
    part = window.part(lead_in, window.slots - lead_in)
    end = part.instant(part.slots)
    span = f"{part.start:%Y-%m-%dT%H:%MZ}/{end:%Y-%m-%dT%H:%MZ}"
    return ReplayOptions(span, 1.0, None, 1.0, None, lead_in)


def _during(scenario: Scenario, window: TimeGrid) -> Scenario:
    """Return the scenario whose event is what the log shows, in every region, and no launch."""
    regions = {
        name: region.model_copy(update={"zone": "UTC"}) for name, region in scenario.regions.items()
    }
    start = window.start.replace(tzinfo=None)
    event = scenario.event.model_copy(update={"start": start, "duration": 60.0 * window.slots})
    update = {"event": event, "regions": regions, "launches": {}}
    return scenario.model_copy(update=update)


def _record(scenario: Scenario, plan: LoadPlan, steps: pd.DataFrame, slots: Array) -> RunRecord:
    """Return what the log shows as a record; of services nothing is."""
    names = (scenario.stack_names, plan.steps, tuple(scenario.services))
    record = blank_record("swarm", plan.grid, plan.lead_in, plan.slot_wall_s, names)
    record.attempts[:] = record.loads[:] = np.nan
    seconds = steps["request_s"].to_numpy(float)
    numbers = steps["event_type"].map(list(plan.steps).index).to_numpy(int)
    for measure in ("planned", "achieved", "sent", "done"):
        row = record.step_counts[0, :, STEPS.index(measure)]
        np.add.at(row, (numbers, slots), 1)
    known = np.isfinite(seconds)
    bins = bin_of(seconds[known])
    np.add.at(record.latency[0, :, 0], (numbers[known], slots[known], bins), 1)
    return record
