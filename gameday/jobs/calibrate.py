"""Calibrate a scenario on runs, logs and traces: what the target is, beside what is declared of it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pandas as pd

from gameday.calibrate import (
    Calibration,
    Equivalent,
    Parameter,
    PredictionScore,
    Source,
    calibrate_model,
    calibrate_own_times,
    calibration_of,
    fit_black_box,
    overlay_text,
    score_prediction,
)
from gameday.calibrate.compared import Target
from gameday.errors import HistoryError, UsageError
from gameday.files import MEASURED, sha256_of, write_whole
from gameday.history.trace_formats import FilesRead
from gameday.history.traces import TraceSource, read_traces
from gameday.jobs.log_target import target_of_log
from gameday.jobs.past_runs import read_json, run_folder, why_not_learned
from gameday.record import RunRecord, blank_record, fill_record
from gameday.scenario import Scenario
from gameday.scenario.reading import LoadedScenario, read_scenario
from gameday.traffic import LoadPlan
from gameday.traffic.plan import plan_of_json
from gameday.vocabulary import Seed

__all__ = ["Calibrated", "CalibrationOrder", "PastRun", "calibrate", "read_run"]


@dataclass(frozen=True, slots=True)
class CalibrationOrder:
    """What is to be calibrated, and on what."""

    evidence: tuple[str, ...]
    """Ids or folders of runs, access logs, files or folders of traces, in the order in which they were made; none:
    the newest run."""
    out: Path
    """YAML: the overlay."""
    reports: Path = Path("reports")
    """Folder of all runs."""
    event: str | None = None
    """The scenario; None: the one that a run notes."""
    log_format: str | None = None
    """Of access logs: the server's own format string; None: told from their lines."""
    seed: Seed = field(default_factory=lambda: Seed(1))


@dataclass(frozen=True, slots=True)
class Calibrated:
    """A calibration that was written."""

    calibration: Calibration
    drift: tuple[Parameter, ...]
    """What later evidence says otherwise than what came before it: declared is what that said."""
    score: PredictionScore | None
    """How a model fitted on every other slot of the last run or log predicts the others; None: too few were
    played, or there were only traces."""
    written: Path
    is_doubted: bool
    """Whether some evidence is a run of which nothing could be learned when it was played, as the notes say, or
    refutes the model as calibrated too."""


@dataclass(frozen=True, slots=True)
class PastRun:
    """A run that was, as its folder holds it."""

    run_id: str
    loaded: LoadedScenario
    plan: LoadPlan
    record: RunRecord
    servers: float
    """Share of full scale that the target's servers are."""
    sha256: str
    """Of what was measured, hex."""

    @property
    def scenario(self) -> Scenario:
        """What was declared when it was played."""
        return self.loaded.played

    def target(self, seed: Seed) -> Target:
        """Return it as the model plays it again."""
        return Target.of(self.plan, self.record, seed=seed, scale=self.servers)


def calibrate(
    order: CalibrationOrder, tell: Callable[[str], None] = lambda line: None
) -> Calibrated:
    """Calibrate on each piece of evidence after the other, and write the overlay.

    UsageError and HistoryError where one cannot be read.
    """
    _check_out(order.out)
    so_far = _Learned(order, tell)
    for name in order.evidence or (None,):
        so_far.learn(name)
    calibration, scenario, target = so_far.calibration, so_far.scenario, so_far.target
    assert calibration is not None
    assert scenario is not None
    if target is not None and scenario.is_black_box:
        calibration = _with_stations(calibration, scenario, target)
    score = None
    if target is not None:
        tell("half of its slots, predicted from the others")
        score = score_prediction(scenario, target)
    text = overlay_text(calibration)
    write_whole(order.out, lambda path: path.write_text(text, encoding="utf-8"))
    doubted = so_far.doubted or (score is not None and score.is_doubtful)
    return Calibrated(calibration, tuple(so_far.drift), score, order.out, doubted)


def _check_out(out: Path) -> None:
    """Raise UsageError where the overlay would be written over something that is none."""
    if out.is_dir():
        raise UsageError(
            f"--out: {out} is a folder; name the file, as in {out / 'calibrated.yaml'}"
        )
    if out.exists():
        try:
            calibration_of(out.read_text(encoding="utf-8"), str(out))
        except (OSError, UnicodeDecodeError, UsageError):
            raise UsageError(
                f"--out: {out} is there and is no calibration; move it away, or name another file"
            ) from None


def _with_stations(calibration: Calibration, scenario: Scenario, target: Target) -> Calibration:
    """Return a black box's calibration with the station that answers like each stack, of the last evidence."""
    found = [fit_black_box(scenario, target, stack) for stack in scenario.stack_names]
    notes = list(calibration.notes)
    for stack, station in zip(scenario.stack_names, found, strict=True):
        notes += _missing(scenario, stack, station)
    if len(calibration.sources) > 1:
        notes.append(
            f"of {len(calibration.sources)} pieces of evidence the last alone gives the station"
        )
    return replace(
        calibration,
        equivalents=tuple(filter(None, found)),
        sources=calibration.sources[-1:],
        notes=tuple(notes),
    )


def _missing(scenario: Scenario, stack: str, station: Equivalent | None) -> Iterator[str]:
    """Yield what of a stack's station too few replies told."""
    if station is None:
        yield f"{stack}: no station is told: too few replies, or too little load; play a ladder"
        return
    timed = {time.step for time in station.times}
    if untimed := [step for step in scenario.steps if step not in timed]:
        yield f"{stack}: too few replies of {', '.join(untimed)}: taken to be answered as another step"


@dataclass
class _Learned:
    """What was learned so far."""

    order: CalibrationOrder
    tell: Callable[[str], None]
    scenario: Scenario | None = None
    """As declared; that of `order`, or else of the first run."""
    calibration: Calibration | None = None
    target: Target | None = None
    """Of the last run or log."""
    drift: list[Parameter] = field(default_factory=list)
    doubted: bool = False
    """Whether some evidence is a run of which nothing could be learned when it was played."""

    def learn(self, name: str | None) -> None:
        """Calibrate on one more piece of evidence; UsageError where it is none."""
        if name is None or not Path(name).exists() or (Path(name) / "run.json").is_file():
            self._of_run(name)
        elif self._are_traces(Path(name)):
            self._of_traces(Path(name))
        elif Path(name).is_dir():
            raise UsageError(
                f"{name}: is the folder of neither a run (run.json) nor traces (OTLP, Jaeger or Zipkin, JSON)"
            )
        else:
            self._of_log(Path(name))

    def _of_run(self, name: str | None) -> None:
        past = read_run(name, self.order.reports, self.order.event)
        self.tell(f"{past.run_id}: {past.plan.window.slots} slots")
        self.scenario, self.target = past.scenario, past.target(self.order.seed)
        source = Source("run", past.run_id, past.sha256, self.target.peak_per_min)
        found = self._fitted(past.scenario, self.target, source)
        if (why := why_not_learned(name, self.order.reports)) is not None:
            note = f"{past.run_id}: the run itself taught nothing, for {why}; replay, and compare (exit code 10)"
            self.doubted, found = True, replace(found, notes=(*found.notes, note))
        self._keep(found)

    def _of_log(self, file: Path) -> None:
        scenario = self._declared(file)
        log = target_of_log(file, scenario, self.order.seed, self.order.log_format)
        self.tell(f"{file.name}: {log.notes[0]}")
        self.target = log.target
        found = self._fitted(scenario, log.target, log.source)
        self._keep(replace(found, notes=(*found.notes, *log.notes)))

    def _of_traces(self, path: Path) -> None:
        scenario = self._declared(path)
        structure = read_traces(TraceSource((str(path),)), scenario)
        self.tell(f"{path.name}: {structure.counts.traces} traces")
        source = Source("traces", path.name, _hash_of(path))
        self._keep(calibrate_own_times(self._so_far(scenario), structure, source))

    def _fitted(self, scenario: Scenario, target: Target, source: Source) -> Calibration:
        """Return what a run or a log says of the services; of a black box it is said once all is read."""
        if not scenario.services:
            return Calibration(scenario.sha256(), (source,), {}, (), ())
        return calibrate_model(self._so_far(scenario), target, (source,))

    def _declared(self, path: Path) -> Scenario:
        """Return the scenario that a log or traces are of; UsageError where none is given."""
        if self.scenario is None:
            if self.order.event is None:
                raise UsageError(
                    f"{path}: is no run, so it does not say of which scenario it is; give --event"
                )
            self.scenario = read_scenario(self.order.event).played
        return self.scenario

    def _are_traces(self, path: Path) -> bool:
        """Return whether a file or folder holds traces."""
        try:
            return next(TraceSource((str(path),)).batches(FilesRead()), None) is not None
        except HistoryError:
            return False

    def _so_far(self, scenario: Scenario) -> Scenario:
        """Return the scenario with what is known; a black box as it is: its station is fitted once all is read."""
        if self.calibration is None or scenario.is_black_box:
            return scenario
        return self.calibration.applied(scenario)

    def _keep(self, found: Calibration) -> None:
        """Add what was found last to what is known."""
        if self.calibration is not None:
            self.drift += found.differing
            found = self.calibration.followed_by(found)
        self.calibration = found


def _hash_of(path: Path) -> str:
    """Return the hash of a file, or of all files of a folder."""
    files = [path] if path.is_file() else sorted(f for f in path.rglob("*") if f.is_file())
    return hashlib.sha256("".join(map(sha256_of, files)).encode()).hexdigest()


def read_run(run: str | None, reports: Path, event: str | None = None) -> PastRun:
    """Return a run by its id or folder, None: the newest; UsageError where it cannot be calibrated on."""
    folder = run_folder(run, reports)
    manifest = read_json(folder / "run.json")
    loaded = _scenario_of(manifest, folder, event)
    plan = _plan_of(folder, loaded.played)
    record = _record_of(folder, plan, loaded.played)
    servers = float(manifest.get("servers_scale", plan.scale))
    sha256 = sha256_of(folder / MEASURED)
    return PastRun(str(manifest["run_id"]), loaded, plan, record, servers, sha256)


def _scenario_of(manifest: dict[str, Any], folder: Path, event: str | None) -> LoadedScenario:
    """Return the scenario that was played; UsageError where it is another by now."""
    asked = event or manifest.get("scenario_file")
    if asked is None:
        raise UsageError(
            f"{folder}: made by an earlier version, which did not note its scenario; give --event"
        )
    loaded = read_scenario(str(asked), drift=manifest.get("conversion_drift"))
    played = manifest.get("sha256", {}).get("scenario")
    if played is None:
        raise UsageError(
            f"{folder}: nothing was kept of the run: it still plays, was killed, or ended before its load went "
            "out; give one that came to its end"
        )
    if played != loaded.played.sha256():
        raise UsageError(
            f"{asked}: is not the scenario that run {manifest.get('run_id')} played, or was changed since; "
            "give that one with --event, or replay again"
        )
    return loaded


def _plan_of(folder: Path, scenario: Scenario) -> LoadPlan:
    file = folder / "plan.json"
    if not file.is_file():
        raise UsageError(
            f"{folder}: there is no plan.json; the run ended before its load, or is an older one"
        )
    try:
        return plan_of_json(read_json(file), scenario)
    except (KeyError, TypeError, ValueError) as error:
        raise UsageError(f"{file}: is not what a run leaves ({error}); replay again") from None


def _of_services(table: pd.DataFrame, scenario: Scenario) -> pd.DataFrame:
    """Return a record's rows without those of a station that stood in for services: nothing of it was observed."""
    is_of_station = (
        table["table"].isin(("services", "loads", "visits", "instances")) & scenario.is_black_box
    )
    return table[~is_of_station]


def _record_of(folder: Path, plan: LoadPlan, scenario: Scenario) -> RunRecord:
    file = folder / MEASURED
    if not file.is_file():
        raise UsageError(f"{folder}: nothing was measured: the run ended before its load")
    blank = blank_record(
        "swarm",
        plan.grid,
        plan.lead_in,
        plan.slot_wall_s,
        (scenario.stack_names, plan.steps, tuple(scenario.services)),
    )
    try:
        return fill_record(blank, _of_services(pd.read_parquet(file), scenario))
    except (OSError, KeyError, IndexError, ValueError) as error:
        raise UsageError(f"{file}: is not what a run leaves ({error}); replay again") from None
