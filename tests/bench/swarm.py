"""Print as JSON how the swarm compares with the tools one would use instead: make bench-swarm.

Target: nginx on loopback, pinned to core 1; every generator pinned to core 0. Figures are requests
per CPU second of the generator while it plays; ratios are of one run, medians of ROUNDS. Nothing is
asserted.
"""

from __future__ import annotations

import json
import os
import re
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from tests.bench.swarm_target import LOGGED, PLAIN, SECURE, Target, running_target

ROUNDS = int(os.environ.get("ROUNDS", "5"))
ROOT = Path(__file__).parents[2]
ON_GENERATOR = ["taskset", "-c", "0"]
PLAIN_URL, LOGGED_URL = f"http://127.0.0.1:{PLAIN}", f"http://127.0.0.1:{LOGGED}"
SECURE_URL = f"https://localhost:{SECURE}"
HEADERS = {
    "X-Gameday-Run": "bench",
    "X-Synthetic": "1",
    "Accept": "*/*",
    "X-Gameday-Step": "s10",
    "Accept-Encoding": "gzip, deflate, br",
    "User-Agent": "gameday/0.1.0 (load test; run bench)",
}
"""What the swarm sends: wrk sends the same."""
BUSY = {"connections": {"most": 64}}


def at_a_time(times: int, every_s: float) -> list[int]:
    """Return starts by slot of 0.02 s: 64 sessions together, of 500 steps each, again and again.

    Each lot has about ended when the next begins.
    """
    return ([64] + [0] * (round(every_s / 0.02) - 1)) * times


def stage(**asked: Any) -> dict[str, Any]:
    """Play with the engine in a process of its own and return what it says."""
    command = [*ON_GENERATOR, sys.executable, "-m", "tests.bench.swarm_stage", json.dumps(asked)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)
    if done.returncode:
        raise RuntimeError(done.stderr[-2000:])
    out: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return out


def rival(kind: str, url: str = PLAIN_URL, users: int = 50) -> dict[str, Any]:
    """Let Locust's FastHttpUser do the same work for some seconds."""
    command = [
        *ON_GENERATOR,
        sys.executable,
        "-m",
        "locust",
        "-f",
        "tests/bench/rivals.py",
        "--headless",
        "-u",
        str(users),
        "-r",
        str(users),
        "-t",
        "5s",
        "--only-summary",
        "-H",
        url,
    ]
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=False,
        env=os.environ | {"KIND": kind},
    )
    line = next(x for x in done.stdout.splitlines() if x.startswith("RIVAL "))
    out: dict[str, Any] = json.loads(line[6:])
    return out


def wrk() -> dict[str, Any]:
    """Let wrk send the same bare GET; it is installed from Debian where it is missing."""
    if shutil.which("wrk") is None:
        subprocess.run(
            ["apt-get", "install", "-y", "-qq", "wrk"], check=True, stdout=subprocess.DEVNULL
        )
    headers = [part for name, value in HEADERS.items() for part in ("-H", f"{name}: {value}")]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(
        [*ON_GENERATOR, "wrk", "-t1", "-c64", "-d4s", *headers, PLAIN_URL + "/"],
        capture_output=True,
        text=True,
        check=True,
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    requests = int(re.search(r"(\d+) requests in", done.stdout)[1])  # type: ignore[index]
    return {"requests": requests, "cpu_s": cpu, "per_cpu_s": requests / cpu}


def compared(
    ours: Callable[[], dict[str, Any]], theirs: Callable[[], dict[str, Any]]
) -> dict[str, Any]:
    """Return both medians, and the median of the ratios of each round."""
    rounds = [(ours()["per_cpu_s"], theirs()["per_cpu_s"]) for _ in range(ROUNDS)]
    return {
        "ours_per_cpu_s": round(statistics.median(a for a, _ in rounds)),
        "theirs_per_cpu_s": round(statistics.median(b for _, b in rounds)),
        "ratio": round(statistics.median(a / b for a, b in rounds), 2),
        "ratios": [round(a / b, 2) for a, b in rounds],
    }


def again(once: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """Return the median of each number over ROUNDS runs, and what else the last one said."""
    rounds = [once() for _ in range(ROUNDS)]
    numbers = {
        name: statistics.median(one[name] for one in rounds)
        for name, value in rounds[-1].items()
        if isinstance(value, int | float)
    }
    return rounds[-1] | numbers | {"rounds": ROUNDS}


def journeys() -> dict[str, Any]:
    return compared(
        lambda: stage(
            kind="shopping", starts=at_a_time(5, 0.6), slot_s=0.02, url=PLAIN_URL, replay=BUSY
        ),
        lambda: rival("shopping"),
    ) | {
        "conditions": "4 steps a lap, cookies, a check on each, extraction on one; 64 sessions at a "
        "time against 50 users, no pauses"
    }


def bare() -> dict[str, Any]:
    return compared(
        lambda: stage(
            kind="chain",
            length=10,
            laps=True,
            starts=at_a_time(10, 0.32),
            slot_s=0.02,
            url=PLAIN_URL,
            replay=BUSY,
        ),
        wrk,
    ) | {"conditions": "GET /, 64 connections, the same request headers"}


def secure(target: Target) -> dict[str, Any]:
    ca = (target.folder / "cert.pem").read_text()
    return compared(
        lambda: stage(
            kind="chain",
            length=10,
            laps=True,
            starts=at_a_time(5, 0.7),
            slot_s=0.02,
            url=SECURE_URL,
            replay=BUSY,
            ca=ca,
        ),
        lambda: rival("bare", SECURE_URL),
    ) | {
        "conditions": "GET / over TLS 1.3, kept alive, certificate checked (the rival does not check)"
    }


def seconds_of(arrivals: list[float], began: float, seconds: int) -> np.ndarray[Any, Any]:
    """Return requests by whole second from `began`."""
    return np.histogram(arrivals, bins=began + np.arange(seconds + 1))[0]


def steady(target: Target) -> dict[str, Any]:
    target.forget_arrivals()
    done = stage(kind="chain", length=1, starts=[500] * 20, slot_s=1.0, url=LOGGED_URL)
    counts = seconds_of(target.arrivals(), done["began"], 20)
    off = counts - 500
    return {
        "rmse_percent": round(float(np.sqrt((off**2).mean())) / 5.0, 3),
        "worst_second_off": int(np.abs(off).max()),
        "requests": int(counts.sum()),
        "lateness_p99_ms": round(1000 * done["lateness_p99_s"], 2),
        "conditions": "500/s for 20 s, even spacing; seconds counted in the target's own log",
    }


def spike(target: Target) -> dict[str, Any]:
    target.forget_arrivals()
    tenths = [20] * 50 + [int(20 + 180 * (i + 0.5) / 10) for i in range(10)] + [200] * 30
    tenths += [int(200 - 180 * (i + 0.5) / 10) for i in range(10)] + [20] * 50
    done = stage(kind="chain", length=1, starts=tenths, slot_s=0.1, url=LOGGED_URL)
    wanted = np.add.reduceat(tenths, range(0, len(tenths), 10))
    counts = seconds_of(target.arrivals(), done["began"], len(wanted))
    off = (counts - wanted) / wanted * 100
    return {
        "rmse_percent": round(float(np.sqrt((off**2).mean())), 3),
        "worst_percent": round(float(np.abs(off).max()), 2),
        "sent": done["counts"]["sent"],
        "planned": sum(tenths),
        "lateness_p99_ms": round(1000 * done["lateness_p99_s"], 2),
        "conditions": "200/s 5 s, up to 2,000/s in 1 s, 3 s, back in 1 s, 5 s; slots of 0.1 s",
    }


def stall(target: Target) -> dict[str, Any]:
    target.forget_arrivals()

    def stop_for_a_while() -> None:
        log = target.folder / "arrivals.log"
        while not log.stat().st_size:
            time.sleep(0.01)
        time.sleep(8.0)
        with target.stalled():
            time.sleep(2.0)

    thread = threading.Thread(target=stop_for_a_while)
    thread.start()
    done = stage(kind="chain", length=1, starts=[500] * 20, slot_s=1.0, url=LOGGED_URL)
    thread.join()
    truth = np.sort(np.concatenate([np.zeros(9000), 2.0 * (np.arange(1000) + 0.5) / 1000]))
    p99 = float(np.quantile(truth, 0.99))
    return {
        "planned": 10_000,
        "sent": done["counts"]["sent"],
        "done": done["counts"]["done"],
        "truth_p99_s": p99,
        "reported_p99_s": round(done["response_p99_s"], 4),
        "off_percent": round(100 * (done["response_p99_s"] / p99 - 1), 2),
        "locust_table_p99_ms": done["locust_p99_ms"],
        "lateness_p99_ms": round(1000 * done["lateness_p99_s"], 2),
        "conditions": "500/s for 20 s; the target stopped from second 8 for 2 s",
    }


def crowd() -> dict[str, Any]:
    customers, ramp = 1_050_000, 60
    journey = {
        "visitor": {
            "start": {"home": 1.0},
            "next": {"home": {"home": 0.98, "exit": 0.02}},
            "think": {"home": "60m"},
            "patience": "30s",
        }
    }
    steps = {"home": {"exchanges": [{"path": "/"}]}}
    done = stage(
        kind="own",
        journeys=journey,
        steps=steps,
        starts=[customers // ramp] * ramp + [0] * 900,
        stop_after_s=90.0,
        slot_s=1.0,
        url=PLAIN_URL,
    )
    return {
        "peak_mib": done["peak_mib"],
        "bytes_a_customer": done["bytes_a_row"],
        "most_waiting": done["most_waiting"],
        "response_p99_ms": round(1000 * done["response_p99_s"], 2),
        "lateness_p99_ms": round(1000 * done["lateness_p99_s"], 2),
        "steps": done["counts"]["done"],
        "cpu_share": round(done["cpu_s"] / done["wall_s"], 3),
        "us_a_step": round(1e6 * done["cpu_s"] / done["requests"], 1),
        "memory": done["memory"],
        "conditions": "sessions start over 60 s, pauses of 60 s (mean, exponential), until second 90; "
        "response from the intended instant",
    }


def statistics_cost() -> dict[str, Any]:
    code = "from tests.bench.swarm_parts import statistics_cost; import json; print(json.dumps(statistics_cost()))"
    done = subprocess.run(
        [*ON_GENERATOR, sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
    )
    out: dict[str, Any] = json.loads(done.stdout)
    return out


def distributed() -> dict[str, Any]:
    from tests.bench.swarm_parts import play_in_locust

    starts = at_a_time(20, 0.36)
    return compared(
        lambda: play_in_locust(2, PLAIN_URL, starts, 0.02, BUSY),
        lambda: stage(
            kind="chain",
            length=10,
            laps=True,
            starts=starts,
            slot_s=0.02,
            url=PLAIN_URL,
            replay=BUSY,
        ),
    ) | {
        "conditions": "GET /, 64 connections; two workers and their master on one core, CPU of all "
        "three from the first to the last second of load, against the engine alone in one process"
    }


def main() -> None:
    """Measure what is named on the command line, or everything, and print it."""
    with tempfile.TemporaryDirectory() as name, running_target(Path(name), core=1) as target:
        parts: dict[str, Callable[[], dict[str, Any]]] = {
            "journeys": journeys,
            "bare": bare,
            "tls": lambda: secure(target),
            "steady": lambda: again(lambda: steady(target)),
            "spike": lambda: again(lambda: spike(target)),
            "stall": lambda: again(lambda: stall(target)),
            "crowd": lambda: again(crowd),
            "statistics": lambda: again(statistics_cost),
            "distributed": distributed,
        }
        chosen = sys.argv[1:] or list(parts)
        print(json.dumps({part: parts[part]() for part in chosen}, indent=1))


if __name__ == "__main__":
    main()
