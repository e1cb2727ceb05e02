"""How well diagnosis names what is wrong: faults in the model of random graphs, and planted in the embedded shop.

python -m tests.bench.diagnosis model     312 faults of every kind on random graphs, healthy ones, rivals
python -m tests.bench.diagnosis two       two faults at once, 42 times
python -m tests.bench.diagnosis predictions  slots held out of 20 runs, and the time that calibrating takes
python -m tests.bench.diagnosis shop      20 faults drawn from a seed, planted in the shop, one replay each
python -m tests.bench.diagnosis slower    a service 1.5 x slower in the shop only, 3 replays
python -m tests.bench.diagnosis healthy   20 replays of a healthy shop, 5 of them beside other work
python -m tests.bench.diagnosis ladder    a ladder against a shop not as declared; half and twice its servers
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import numpy as np

from gameday.calibrate import (
    Calibration,
    calibrate_model,
    knees_of,
    score_prediction,
    with_measured,
)
from gameday.calibrate.compared import StackObserved, Target
from gameday.experiments.diagnosis import (
    KINDS,
    Attempt,
    Fault,
    Kind,
    diagnose,
    felt_fault,
    is_felt,
    name_fault,
    plant,
)
from gameday.forecast import forecast_demand
from gameday.history import read_history
from gameday.jobs.calibrate import PastRun, read_run
from gameday.record import RunRecord
from gameday.scenario import Scenario, load_scenario
from gameday.scenario.blocks import Measured, Spread
from gameday.scenario.reading import as_written, to_yaml
from gameday.simulate import RunControl, simulate
from gameday.traffic import LoadPlan, ReplayOptions, plan_load
from gameday.vocabulary import Array, Seed
from tests.support.bench_shop import BENCH_SHOP
from tests.support.random_systems import RandomSystem, faulty_system, random_system

ONCE = RunControl(replications=1, workers=1)


@dataclass
class Score:
    """How often something was right."""

    tried: int = 0
    service: int = 0
    kind: int = 0

    def add(self, attempt: Attempt) -> None:
        """Count an attempt."""
        self.tried += 1
        self.service += attempt.is_service_right
        self.kind += attempt.is_kind_right


# --- in the model --------------------------------------------------------------------------------


def in_the_model(faults: int, first: int = 0) -> dict[str, Any]:
    """Return how faults hidden in random systems were named, by kind; the same systems healthy; and rivals."""
    scores = {kind: Score() for kind in KINDS}
    rivals = {"largest z": 0, "largest robust z (BARO's scorer)": 0}
    false = 0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for number in range(faults):
            kind = KINDS[number % len(KINDS)]
            system, fault, real = faulty_system(folder, first + number, kind)
            [record] = simulate(real, system.plan, seed=Seed(first + number), control=ONCE)
            target = Target.of(system.plan, record, seed=Seed(3), control=ONCE)
            found = diagnose(system.scenario, target, calibrate_model(system.scenario, target))
            scores[kind].add(name_fault(fault, found))
            [healthy] = simulate(system.scenario, system.plan, seed=Seed(99), control=ONCE)
            target = Target.of(system.plan, healthy, seed=Seed(3), control=ONCE)
            found = diagnose(system.scenario, target, calibrate_model(system.scenario, target))
            false += any(one.causes for one in found)
            for rival, ranks in zip(rivals, (_largest_z, _largest_robust_z), strict=True):
                rivals[rival] += ranks(system.scenario, healthy, record) == fault.service
    tried = sum(score.tried for score in scores.values())
    return {
        "faults": tried,
        "service right first": sum(score.service for score in scores.values()) / tried,
        "kind right": sum(score.kind for score in scores.values()) / tried,
        "healthy with a cause": false / tried,
        "rivals, service right first": {name: right / tried for name, right in rivals.items()},
        "by kind": {k: f"{s.service}, {s.kind} of {s.tried}" for k, s in scores.items()},
    }


def _metrics(scenario: Scenario, record: RunRecord) -> dict[str, Array]:
    """Return service -> its metrics by slot, (metrics, slots): the same for us and for rivals."""
    seen = StackObserved.of(record, "main", tuple(scenario.services))
    out = {}
    for name, service in seen.services.items():
        latency = [np.average(np.arange(len(row)), weights=row + 1e-9) for row in service.visits]
        bad = service.attempt("failed", "shed", "timed_out", "orphaned")
        out[name] = np.array([service.concurrency, service.queue, bad, latency])
    return out


def _largest_z(scenario: Scenario, before: RunRecord, after: RunRecord) -> str:
    """Return the service with a slot of a metric that is the most standard deviations off a healthy run."""
    calm, struck = (_metrics(scenario, record) for record in (before, after))

    def away(name: str) -> float:
        middle, spread = (x[:, None] for x in (calm[name].mean(axis=1), calm[name].std(axis=1)))
        return float(np.max(np.abs(struck[name] - middle) / (spread + 1e-6)))

    return max(calm, key=away)


def _largest_robust_z(scenario: Scenario, before: RunRecord, after: RunRecord) -> str:
    """Return the service with a slot of a metric that lies most interquartile ranges off the healthy median.

    Source: the scorer of BARO (Pham et al., 2024), which is given the time of the fault.
    """
    calm, struck = (_metrics(scenario, record) for record in (before, after))

    def away(name: str) -> float:
        low, middle, high = np.quantile(calm[name], (0.25, 0.5, 0.75), axis=1)[..., None]
        return float(np.max(np.abs(struck[name] - middle) / (high - low + 1e-6)))

    return max(calm, key=away)


def two_at_once(systems: int, first: int = 20_000) -> dict[str, Any]:
    """Return how many of two faults hidden at once in two services are among the causes, and false causes."""
    named, kinds, false = 0, 0, 0
    rng = Seed(first).stream("second faults")
    with tempfile.TemporaryDirectory() as name:
        for number in range(systems):
            kind = KINDS[number % len(KINDS)]
            system, fault, real = faulty_system(Path(name), first + number, kind)
            both = [fault, _other_fault(system, fault, rng)]
            [record] = simulate(both[1].planted(real), system.plan, seed=Seed(number), control=ONCE)
            target = Target.of(system.plan, record, seed=Seed(3), control=ONCE)
            [found] = diagnose(system.scenario, target, calibrate_model(system.scenario, target))
            causes = {(cause.candidate.service, cause.candidate.kind) for cause in found.causes}
            named += sum(one.service in {service for service, _ in causes} for one in both)
            kinds += sum((one.service, one.kind) in causes for one in both)
            false += sum(service not in {one.service for one in both} for service, _ in causes)
    return {
        "systems": systems,
        "faults": 2 * systems,
        "named": named,
        "kind": kinds,
        "false": false,
    }


def _other_fault(system: RandomSystem, fault: Fault, rng: np.random.Generator) -> Fault:
    """Return a fault of another service that is felt by itself."""
    others = [name for name in system.scenario.services if name != fault.service]
    while True:
        kind = KINDS[int(rng.integers(0, len(KINDS)))]
        service = others[int(rng.integers(0, len(others)))]
        other = plant(system.scenario, "main", service, kind, rng)
        if other is not None and is_felt(system.scenario, system.plan, other, Seed(1)):
            return other


def _without(record: RunRecord, hidden: list[str]) -> RunRecord:
    """Return a record in which nothing of some services was observed."""
    rows = [record.services.index(name) for name in hidden]
    attempts, loads, visits = (x.copy() for x in (record.attempts, record.loads, record.visits))
    attempts[:, rows], loads[:, rows], visits[:, rows] = np.nan, np.nan, 0.0
    return replace(record, attempts=attempts, loads=loads, visits=visits)


def predictions(runs: int, first: int = 30_000) -> dict[str, Any]:
    """Return how slots that were held out are predicted, over runs of random systems not as declared; and the time
    that calibrating takes, by how many services there are.
    """
    rng, held, scores, seconds = Seed(first).stream("truth"), [0, 0], dict[str, list[Any]](), []
    with tempfile.TemporaryDirectory() as name:
        for number in range(runs):
            system = random_system(Path(name), first + number)
            factors = {n: float(np.exp(rng.uniform(-0.5, 0.4))) for n in system.scenario.services}
            measured = {
                n: {"stacks": {"main": {"measured": {"time_factor": f}}}}
                for n, f in factors.items()
            }
            real = system.changed({"services": measured})
            [record] = simulate(real, system.plan, seed=Seed(first + number), control=ONCE)
            target = Target.of(system.plan, record, seed=Seed(3))
            names = list(factors)
            for hidden in ([], names[: len(names) // 2], names):
                began = time.perf_counter()
                unseen = replace(target, record=_without(record, hidden))
                calibrate_model(system.scenario, unseen)
                took_s = round(time.perf_counter() - began, 1)
                seconds.append((took_s, f"{len(names)} services, {len(hidden)} not observed"))
            score = score_prediction(system.scenario, target)
            assert score is not None
            for metric in score.metrics:
                held[0] += metric.held
                held[1] += metric.rows
                scores.setdefault(metric.metric, []).append(
                    (metric.interval_score, metric.interval_score_of_quantiles)
                )
    return {
        "runs": runs,
        "rows": held[1],
        "in their 95 % prediction intervals": held[0] / held[1],
        "mean interval score, and of the fitted slots' quantiles": {
            metric: np.round(np.mean(rows, axis=0), 5).tolist() for metric, rows in scores.items()
        },
        "calibrating, seconds, the longest": sorted(seconds)[-5:],
        "slots": record.grid.slots,
    }


# --- in the shop ---------------------------------------------------------------------------------


def bench_plan(folder: Path) -> tuple[Path, Scenario, LoadPlan]:
    """Return the bench's shop as a file, as a scenario, and the plan of its replay."""
    file = folder / "bench.yaml"
    file.write_text(BENCH_SHOP, encoding="utf-8")
    scenario = load_scenario(str(file))
    history = read_history(scenario, file=None, seed=Seed(1))
    demand = forecast_demand(scenario, history)
    options = ReplayOptions("peak", None, None, 1.0, None)
    plan = plan_load(scenario, demand, seed=Seed(1), options=options, own_target=True)
    return file, scenario, plan


def planted_file(fault: Fault, folder: Path) -> Path:
    """Return the shop with a fault as a file: what the shop runs, and nobody else reads."""
    overlay = {
        "include": ["bench.yaml"],
        "services": {
            fault.service: {"stacks": {fault.stack: {"measured": as_written(fault.block)}}}
        },
    }
    file = folder / f"{fault.kind}-{fault.service}.yaml"
    file.write_text(to_yaml(overlay), encoding="utf-8")
    return file


@contextmanager
def shop_of(file: Path, port: int) -> Iterator[str]:
    """Run the embedded shop of a scenario; yield its address."""
    command = [sys.executable, "-m", "gameday.cli", "shop", "--event", str(file), "--scale", "1"]
    command += ["--port", str(port)]
    quiet = subprocess.DEVNULL
    with subprocess.Popen(command, stdout=quiet, stderr=quiet) as shop:
        try:
            url = f"http://127.0.0.1:{port}"
            for _ in range(200):
                try:
                    urlopen(f"{url}/health", timeout=1).close()
                    break
                except OSError:
                    time.sleep(0.1)
            yield url
        finally:
            shop.terminate()
            shop.wait(20)


def replayed(file: Path, url: str, out: Path, *more: str) -> dict[str, Any]:
    """Return the summary of a replay of a scenario against a target."""
    command = [sys.executable, "-m", "gameday.cli", "replay", "--event", str(file)]
    command += ["--target", url, "--scale", "1", "--no-n-minus-one", "--quiet", "--json"]
    done = subprocess.run(
        [*command, "--out", str(out), *more], capture_output=True, text=True, check=False
    )
    if not done.stdout.strip():
        raise RuntimeError(done.stderr[-2000:])
    answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return answer


def first_cause(summary: dict[str, Any]) -> tuple[str | None, str | None]:
    """Return service and kind of the first cause among a run's findings."""
    for finding in summary["findings"]:
        if finding["rule"] in KINDS:
            return finding["subject"], finding["rule"]
    return None, None


def drawn_faults(
    scenario: Scenario, plan: LoadPlan, count: int, seed: int
) -> tuple[list[Fault], list[Kind]]:
    """Return faults drawn from a seed, the kinds in a random order, each felt in the model; and kinds drawn that
    no service can have so that anybody felt it.
    """
    rng, found, left_out = Seed(seed).stream("planted faults"), list[Fault](), list[Kind]()
    order: list[Kind] = []
    number = 0
    while len(found) < count and number < 10 * count:
        order = order or [KINDS[k] for k in rng.permutation(len(KINDS))]
        kind, number = order.pop(), number + 1
        fault = felt_fault(scenario, plan, kind, Seed(seed).child(str(number)))
        if fault is not None:
            found.append(fault)
        else:
            left_out.append(kind)
    return found, left_out


def in_the_shop(count: int, seed: int) -> dict[str, Any]:
    """Return how faults planted in the embedded shop were named; every attempt is told."""
    score, passed, attempts = Score(), 0, []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        file, scenario, plan = bench_plan(folder)
        faults, left_out = drawn_faults(scenario, plan, count, seed)
        for number, fault in enumerate(faults):
            with shop_of(planted_file(fault, folder), 8771 + number % 20) as url:
                summary = replayed(file, url, folder / "reports")
            service, kind = first_cause(summary)
            attempt = Attempt(fault, service, kind)  # type: ignore[arg-type]
            score.add(attempt)
            verdict = summary["verdict"]["name"]
            passed += verdict == "PASS"
            line = f"{fault.kind} {fault.service} {fault.step or ''}: named {kind} {service}, {verdict}"
            attempts.append(line)
            print(number + 1, line, f"({score.service}, {score.kind} of {score.tried})", flush=True)
    return {
        "planted": score.tried,
        "service right first": score.service,
        "kind right": score.kind,
        "ended in PASS": passed,
        "drawn, and nobody would feel it": left_out,
        "attempts": attempts,
    }


SLOWER, SLOWER_SERVICE = 1.5, "pay"
"""Times as long as declared that a service works in the shop only; others wait for it."""


def slower_in_the_shop(runs: int) -> dict[str, Any]:
    """Return what a service that works 1.5 times as long in the shop only is measured and named as."""
    fields = {"time_factor": Spread.exactly(SLOWER)}
    fault = Fault("slower_service", "main", SLOWER_SERVICE, None, fields)
    out = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        file, _, _ = bench_plan(folder)
        for number in range(runs):
            with shop_of(planted_file(fault, folder), 8794) as url:
                summary = replayed(file, url, folder / "reports", "--seed", str(number + 1))
            factors = [
                row["measured"]["mid"]
                for row in summary["learned"]["parameters"]
                if (row["service"], row["name"]) == (SLOWER_SERVICE, "time_factor")
            ]
            service, kind = first_cause(summary)
            out.append(
                {
                    "named": f"{kind} {service}",
                    "factor": factors,
                    "off": [f / SLOWER - 1 for f in factors],
                }
            )
    return {"times": SLOWER, "service": SLOWER_SERVICE, "runs": out}


# --- a ladder, and what other sizes will do ---------------------------------------------------------

LADDER = ("--ladder", "25,50,75,100%")
MOST_BUSY = 0.9
"""Utilisation at the peak of a service as it really is: beyond, no calibration is asked for."""


@dataclass(frozen=True)
class Truth:
    """What a shop's services really are, beside what is declared of them."""

    factors: dict[str, float]
    """Service -> how many times as long it works."""
    servers: dict[str, int]

    @staticmethod
    def drawn(scenario: Scenario, plan: LoadPlan, seed: int) -> Truth:
        """Return times x 0.5 to 2 and servers +- 50 %, drawn anew where a service could not carry the peak."""
        rng, busy = Seed(seed).stream("truth"), _busy(scenario, plan)
        factors, servers = dict[str, float](), dict[str, int]()
        for name, service in scenario.services.items():
            declared = service.servers("main")
            while True:
                factor = float(np.exp(rng.uniform(np.log(0.5), np.log(2.0))))
                number = max(1, round(declared * rng.uniform(0.5, 1.5)))
                if busy[name] * factor * declared / number < MOST_BUSY:
                    break
            factors[name], servers[name] = factor, number
        return Truth(factors, servers)

    def block(self, name: str, *, times: float = 1.0) -> Measured:
        """Return one service as it is, with so many times its servers."""
        servers = max(1, round(times * self.servers[name]))
        return Measured(
            time_factor=Spread.exactly(self.factors[name]), servers=Spread.exactly(servers)
        )

    def file(self, folder: Path, *, more: str | None = None, times: float = 1.0) -> Path:
        """Write the shop as it is; service `more` with so many times its servers."""
        services = {
            name: {"stacks": {"main": {"measured": as_written(self.block(name, times=n))}}}
            for name in self.factors
            for n in [times if name == more else 1.0]
        }
        file = folder / f"truth-{more}-{times:g}.yaml"
        overlay = {"include": ["bench.yaml"], "services": services}
        file.write_text(to_yaml(overlay), encoding="utf-8")
        return file


def _busy(scenario: Scenario, plan: LoadPlan) -> dict[str, float]:
    """Return service -> utilisation in the busiest slots of the model of the scenario as declared."""
    record = simulate(scenario, plan, seed=Seed(5), control=ONCE)[0]
    rows = {name: np.sort(record.utilisation("main", name)) for name in scenario.services}
    return {name: float(np.nanmean(row[-5:])) for name, row in rows.items()}


def ladder_in_the_shop(seed: int) -> dict[str, Any]:
    """Return how near one ladder's calibration comes to a shop that is not as declared, and how it scales."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        file, scenario, plan = bench_plan(folder)
        truth = Truth.drawn(scenario, plan, seed)
        with shop_of(truth.file(folder), 8770) as url:
            replayed(file, url, folder / "ladder", *LADDER)
        past = _run_in(folder / "ladder", file)
        target = past.target(Seed(1))
        calibration = calibrate_model(past.scenario, target)
        score = score_prediction(past.scenario, target)
        assert score is not None
        real = _busy(calibration.over(scenario), plan)
        busiest = max(real, key=lambda name: real[name] * (truth.servers[name] > 1))
        return {
            "parameters": _beside_truth(calibration, truth),
            "held-out slots": {m.metric: (m.held, m.rows, m.mean_error) for m in score.metrics},
            "scaled": busiest,
            "scale claim": {
                f"{times:g} c": _scaled(folder, file, truth, past, calibration, busiest, times)
                for times in (0.5, 2.0)
            },
        }


def _run_in(out: Path, file: Path) -> PastRun:
    [run] = out.glob("*/*/run.json")
    return read_run(str(run.parent), out, str(file))


def _beside_truth(calibration: Calibration, truth: Truth) -> dict[str, str]:
    """Return each service's measured factor and servers beside the real ones."""
    rows = {(row.service, row.name): row for row in calibration.parameters}
    out = {}
    for name, factor in truth.factors.items():
        time_row, servers = rows.get((name, "time_factor")), rows.get((name, "servers"))
        measured = float("nan") if time_row is None else time_row.measured.mid
        counted = float("nan") if servers is None else servers.measured.mid
        others = [
            f"{of} {row.measured.mid:.3g}"
            for (n, of), row in rows.items()
            if n == name and of not in ("time_factor", "servers") and not row.agrees
        ]
        out[name] = (
            f"time {measured / factor - 1:+.1%}, servers {counted:g} of {truth.servers[name]}"
            + "".join(f", {other}" for other in others)
        )
    return out


def _scaled(
    folder: Path,
    file: Path,
    truth: Truth,
    past: PastRun,
    calibration: Calibration,
    name: str,
    times: float,
) -> dict[str, str]:
    """Return prediction and measurement of the shop with so many times the servers of a service."""
    with shop_of(truth.file(folder, more=name, times=times), 8769) as url:
        replayed(file, url, folder / f"scaled-{times:g}", *LADDER)
    measured = _run_in(folder / f"scaled-{times:g}", file).record
    servers = calibration.measured["main", name].servers
    counted = truth.servers[name] if servers is None else servers.mid
    block = calibration.measured["main", name].model_copy(
        update={"servers": Spread.exactly(max(1, round(times * counted)))}
    )
    scenario = with_measured(calibration.over(past.scenario), "main", name, block)
    control = RunControl(replications=10, workers=1)
    runs = simulate(scenario, past.plan, seed=Seed(2), control=control, scale=past.servers)
    steps = past.plan.grid.slots - 10, past.plan.grid.slots
    out = {}
    for label, slots in (("75 %", slice(steps[0] - 10, steps[0])), ("100 %", slice(*steps))):
        predicted = np.mean([_seen(run, name, slots) for run in runs], axis=0)
        real = _seen(measured, name, slots)
        busy = f"utilisation {predicted[0]:.1%} {real[0]:.1%}"
        out[label] = (
            f"{busy}, mean {_off(predicted[1], real[1])}, p99 {_off(predicted[2], real[2])}"
        )
    knees = [_knee(record, past, name) for record in (runs[0], measured)]
    out["knee"] = f"predicted {knees[0]:.3g}, measured {knees[1]:.3g}"
    return out


def _off(predicted: float, real: float) -> str:
    return f"{1000 * predicted:.0f} ms {1000 * real:.0f} ms ({predicted / real - 1:+.0%})"


def _seen(record: RunRecord, name: str, slots: slice) -> Array:
    """Return utilisation of a service, mean and p99 of visits to it, in some slots."""
    visits = StackObserved.of(record, "main", (name,), slots).services[name]
    busy = float(np.nanmean(record.utilisation("main", name)[slots]))
    return np.array([busy, visits.visit_mean_s, visits.visit_s(0.99)])


def _knee(record: RunRecord, past: PastRun, name: str) -> float:
    target = Target.of(past.plan, record, seed=Seed(1))
    peak = float(past.plan.starts.sum(axis=(0, 1)).max())
    found = {knee.service: knee.load.mid for knee in knees_of(past.scenario, target, peak)}
    return found.get(name) or float("nan")


def healthy_replays(count: int, *, beside: int = 0) -> dict[str, Any]:
    """Return how many replays of a healthy shop had a finding; `beside` of them with other work on the machine."""
    found, verdicts, learned, held, rows = [], Counter[str](), 0, 0, 0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        file, _, _ = bench_plan(folder)
        for number in range(count):
            out = folder / f"reports-{number}"
            with shop_of(file, 8795) as url, _other_work(on=number < beside):
                summary = replayed(file, url, out, "--seed", str(number + 1))
            titles = [finding["title"] for finding in summary["findings"]]
            found += titles
            verdicts[summary["verdict"]["name"]] += 1
            if not summary["learned"]["why_not"]:
                learned += 1
                past = _run_in(out, file)
                score = score_prediction(past.scenario, past.target(Seed(1)))
                held += sum(metric.held for metric in score.metrics) if score else 0
                rows += sum(metric.rows for metric in score.metrics) if score else 0
            print(number + 1, summary["verdict"]["name"], titles, flush=True)
    return {
        "replays": count,
        "beside other work": beside,
        "verdicts": verdicts,
        "learned from": learned,
        "findings": found,
        "held-out slots in their 95 % prediction intervals": f"{held} of {rows}",
    }


@contextmanager
def _other_work(*, on: bool) -> Iterator[None]:
    """Keep a core half busy, where asked."""
    code = (
        "import time\nwhile True:\n t=time.time()\n while time.time()-t<.05: pass\n time.sleep(.05)"
    )
    work = subprocess.Popen([sys.executable, "-c", code]) if on else None
    try:
        yield
    finally:
        if work is not None:
            work.terminate()
            work.wait(10)


def _seed() -> int:
    """Return the seed of what is drawn for the shop: one that nobody has seen, or that of `BENCH_SEED`."""
    seed = int(os.environ.get("BENCH_SEED") or time.time())
    print("BENCH_SEED", seed, flush=True)
    return seed


PARTS: dict[str, Callable[..., dict[str, Any]]] = {
    "model": lambda *, size=1.0: in_the_model(max(1, round(312 * size))),
    "two": lambda *, size=1.0: two_at_once(max(1, round(42 * size))),
    "predictions": lambda *, size=1.0: predictions(max(1, round(20 * size))),
    "shop": lambda *, size=1.0: in_the_shop(max(1, round(20 * size)), _seed()),
    "slower": lambda *, size=1.0: slower_in_the_shop(max(1, round(3 * size))),
    "healthy": lambda *, size=1.0: healthy_replays(
        max(1, round(20 * size)), beside=round(5 * size)
    ),
    "ladder": lambda *, size=1.0: ladder_in_the_shop(_seed()),
}
"""Name -> what measures it; size 1.0 is the whole. A ladder has one size."""


def main() -> None:
    """Measure what is named on the command line, or everything, and print it."""
    for part in sys.argv[1:] or list(PARTS):
        print(json.dumps({part: PARTS[part]()}, indent=1), flush=True)


if __name__ == "__main__":
    main()
