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

from gameday.vocabulary import LONGEST_WALK
from tests.bench.plans import chain, shopping
from tests.bench.swarm_parts import play_in_locust
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


class NotInstalled(Exception):
    """A rival that a part compares with is not here."""


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


def rival(kind: str, size: float, url: str = PLAIN_URL, users: int = 50) -> dict[str, Any]:
    """Let Locust's FastHttpUser do the same work for some seconds."""
    command = [
        *ON_GENERATOR,
        sys.executable,
        "-m",
        "locust",
        "-f",
        "tests/bench/locust_rival.py",
        "--headless",
        "-u",
        str(users),
        "-r",
        str(users),
        "-t",
        "2m",
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
        env=os.environ | {"KIND": kind, "SECONDS": f"{max(1.0, 5.0 * size):g}"},
    )
    line = next((x for x in done.stdout.splitlines() if x.startswith("RIVAL ")), "")
    if not line:
        raise RuntimeError(done.stderr[-2000:])
    out: dict[str, Any] = json.loads(line[6:])
    return out


def wrk(size: float) -> dict[str, Any]:
    """Let wrk, a Debian package, send the same bare GET."""
    if shutil.which("wrk") is None:
        raise NotInstalled("wrk is not installed: apt-get install wrk")
    headers = [part for name, value in HEADERS.items() for part in ("-H", f"{name}: {value}")]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(
        [
            *ON_GENERATOR,
            "wrk",
            "-t1",
            "-c64",
            f"-d{max(1, round(4 * size))}s",
            *headers,
            PLAIN_URL + "/",
        ],
        capture_output=True,
        text=True,
        check=True,
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    requests = int(re.search(r"(\d+) requests in", done.stdout)[1])
    return {"requests": requests, "cpu_s": cpu, "per_cpu_s": requests / cpu}


def compared(
    ours: Callable[[], dict[str, Any]], theirs: Callable[[], dict[str, Any]], size: float
) -> dict[str, Any]:
    """Return both medians, and the median of the ratios of each round."""
    rounds = [(ours()["per_cpu_s"], theirs()["per_cpu_s"]) for _ in range(_rounds(size))]
    return {
        "ours_per_cpu_s": round(statistics.median(a for a, _ in rounds)),
        "theirs_per_cpu_s": round(statistics.median(b for _, b in rounds)),
        "ratio": round(statistics.median(a / b for a, b in rounds), 2),
        "ratios": [round(a / b, 2) for a, b in rounds],
    }


def again(once: Callable[[], dict[str, Any]], size: float) -> dict[str, Any]:
    """Return the median of each number over all rounds, and what else the last one said."""
    rounds = [once() for _ in range(_rounds(size))]
    numbers = {
        name: statistics.median(one[name] for one in rounds)
        for name, value in rounds[-1].items()
        if isinstance(value, int | float)
    }
    return rounds[-1] | numbers | {"rounds": len(rounds)}


def _rounds(size: float) -> int:
    return ROUNDS if size == 1.0 else 1


def journeys(target: Target, *, size: float = 1.0) -> dict[str, Any]:
    """Four steps with cookies, checks and an extraction, three ways, beside FastHttpUser in the same rounds."""
    lots = _times(150, size)
    ways: dict[str, Callable[[], dict[str, Any]]] = {
        "sessions_that_end": lambda: stage(
            kind="shopping", starts=[64] * lots, slot_s=0.02, url=PLAIN_URL, replay=BUSY
        ),
        "as_replay_plays_them": lambda: play_in_locust(
            1, PLAIN_URL, [64] * lots, 0.02, BUSY, shopping()
        ),
        "laps_without_end": lambda: stage(
            kind="shopping",
            laps=True,
            starts=at_a_time(_times(5, size), 0.6),
            slot_s=0.02,
            url=PLAIN_URL,
            replay=BUSY,
        ),
        "fast_http_user": lambda: rival("shopping", size),
    }
    rounds = [
        {name: play()["per_cpu_s"] for name, play in ways.items()} for _ in range(_rounds(size))
    ]
    what = {
        "sessions_that_end": "the engine alone: sessions of four steps, 64 started every 20 ms, each with a "
        "cookie jar of its own",
        "as_replay_plays_them": "the same sessions as `gameday replay` plays them: conductor, Locust, reports and "
        "record, CPU of all processes",
        "laps_without_end": "the engine alone: 64 sessions at a time that do the four steps in laps, "
        f"{LONGEST_WALK} steps each: no session starts or ends while it is measured",
        "fast_http_user": "Locust's FastHttpUser: 50 users, a session of four steps after the other",
    }
    return {
        name: {
            "per_cpu_s": round(statistics.median(one[name] for one in rounds)),
            "times_fast_http_user": round(
                statistics.median(one[name] / one["fast_http_user"] for one in rounds), 2
            ),
            "what": what[name],
        }
        for name in ways
    } | {"conditions": "cookies, a check on each step, extraction on one, no pauses"}


def _times(full: int, size: float) -> int:
    """Return `full` in the size asked for, and one at least."""
    return max(1, round(full * size))


def bare(target: Target, *, size: float = 1.0) -> dict[str, Any]:
    return compared(
        lambda: stage(
            kind="chain",
            length=10,
            laps=True,
            starts=at_a_time(_times(10, size), 0.32),
            slot_s=0.02,
            url=PLAIN_URL,
            replay=BUSY,
        ),
        lambda: wrk(size),
        size,
    ) | {"conditions": "GET /, 64 connections, the same request headers"}


def secure(target: Target, *, size: float = 1.0) -> dict[str, Any]:
    ca = (target.folder / "cert.pem").read_text()
    return compared(
        lambda: stage(
            kind="chain",
            length=10,
            laps=True,
            starts=at_a_time(_times(5, size), 0.7),
            slot_s=0.02,
            url=SECURE_URL,
            replay=BUSY,
            ca=ca,
        ),
        lambda: rival("bare", size, SECURE_URL),
        size,
    ) | {
        "conditions": "GET / over TLS 1.3, kept alive, certificate checked (the rival does not check)"
    }


def seconds_of(arrivals: list[float], began: float, seconds: int) -> np.ndarray[Any, Any]:
    """Return requests by whole second from `began`."""
    return np.histogram(arrivals, bins=began + np.arange(seconds + 1))[0]


def steady(target: Target, *, size: float = 1.0) -> dict[str, Any]:
    return again(lambda: _steady(target, _times(20, size)), size)


def _steady(target: Target, seconds: int) -> dict[str, Any]:
    target.forget_arrivals()
    done = stage(kind="chain", length=1, starts=[500] * seconds, slot_s=1.0, url=LOGGED_URL)
    counts = seconds_of(target.arrivals(), done["began"], seconds)
    off = counts - 500
    return {
        "rmse_percent": round(float(np.sqrt((off**2).mean())) / 5.0, 3),
        "worst_second_off": int(np.abs(off).max()),
        "requests": int(counts.sum()),
        "lateness_p99_ms": round(1000 * done["lateness_p99_s"], 2),
        "conditions": f"500/s for {seconds} s, even spacing; seconds counted in the target's own log",
    }


def spike(target: Target, *, size: float = 1.0) -> dict[str, Any]:
    return again(lambda: _spike(target, size), size)


def _spike(target: Target, size: float) -> dict[str, Any]:
    target.forget_arrivals()
    calm, top = [20] * 10 * _times(5, size), [200] * 10 * _times(3, size)
    rise = [int(20 + 180 * (i + 0.5) / 10) for i in range(10)]
    tenths = [*calm, *rise, *top, *rise[::-1], *calm]
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
        "conditions": f"200/s {len(calm) // 10} s, up to 2,000/s in 1 s, {len(top) // 10} s, back in 1 s, "
        "and as before; slots of 0.1 s",
    }


def stall(target: Target, *, size: float = 1.0) -> dict[str, Any]:
    return again(lambda: _stall(target, size), size)


def _stall(target: Target, size: float) -> dict[str, Any]:
    target.forget_arrivals()
    seconds, before_s, stalled_s = max(3, round(20 * size)), 8.0 * size, max(0.5, 2.0 * size)
    planned, met = 500 * seconds, round(500 * stalled_s)

    def stop_for_a_while() -> None:
        log = target.folder / "arrivals.log"
        while not log.stat().st_size:
            time.sleep(0.01)
        time.sleep(before_s)
        with target.stalled():
            time.sleep(stalled_s)

    thread = threading.Thread(target=stop_for_a_while)
    thread.start()
    done = stage(kind="chain", length=1, starts=[500] * seconds, slot_s=1.0, url=LOGGED_URL)
    thread.join()
    truth = np.sort(
        np.concatenate([np.zeros(planned - met), stalled_s * (np.arange(met) + 0.5) / met])
    )
    p99 = float(np.quantile(truth, 0.99))
    return {
        "planned": planned,
        "sent": done["counts"]["sent"],
        "done": done["counts"]["done"],
        "truth_p99_s": p99,
        "reported_p99_s": round(done["response_p99_s"], 4),
        "off_percent": round(100 * (done["response_p99_s"] / p99 - 1), 2),
        "locust_table_p99_ms": done["locust_p99_ms"],
        "lateness_p99_ms": round(1000 * done["lateness_p99_s"], 2),
        "conditions": f"500/s for {seconds} s; the target stopped from second {before_s:g} for {stalled_s:g} s",
    }


def crowd(target: Target, *, size: float = 1.0) -> dict[str, Any]:
    return again(lambda: _crowd(size), size)


def _crowd(size: float) -> dict[str, Any]:
    customers, ramp, until_s = (
        round(1_050_000 * size),
        max(3, _times(60, size)),
        max(6.0, 90.0 * size),
    )
    journey = {
        "visitor": {
            "start": {"home": 1.0},
            "next": {"home": {"home": 1.0}},
            "length": {"steps": [0.0] * 9 + [1.0]},
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
        stop_after_s=until_s,
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
        "conditions": f"sessions start over {ramp} s, pauses of 60 s (mean, exponential), "
        f"until second {until_s:g}; response from the intended instant",
    }


def statistics_cost(target: Target, *, size: float = 1.0) -> dict[str, Any]:
    samples = _times(400_000, size)
    code = (
        "import json; from tests.bench.swarm_parts import statistics_cost; "
        f"print(json.dumps(statistics_cost({samples})))"
    )
    return again(lambda: _python(code), size)


def _python(code: str) -> dict[str, Any]:
    done = subprocess.run(
        [*ON_GENERATOR, sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
    )
    out: dict[str, Any] = json.loads(done.stdout)
    return out


def distributed(target: Target, *, size: float = 1.0) -> dict[str, Any]:
    starts = at_a_time(_times(20, size), 0.36)
    return compared(
        lambda: play_in_locust(2, PLAIN_URL, starts, 0.02, BUSY, chain(10, laps=True)),
        lambda: stage(
            kind="chain",
            length=10,
            laps=True,
            starts=starts,
            slot_s=0.02,
            url=PLAIN_URL,
            replay=BUSY,
        ),
        size,
    ) | {
        "conditions": "GET /, 64 connections; two workers, their master and the conductor on one core, CPU of all "
        "four from the first to the last second of load, against the engine alone in one process"
    }


PARTS: dict[str, Callable[..., dict[str, Any]]] = {
    "journeys": journeys,
    "bare": bare,
    "tls": secure,
    "steady": steady,
    "spike": spike,
    "stall": stall,
    "crowd": crowd,
    "statistics": statistics_cost,
    "distributed": distributed,
}
"""Name -> what measures it: (target, *, size); 1.0 is the whole."""


def main() -> None:
    """Measure what is named on the command line, or everything, and print it."""
    with tempfile.TemporaryDirectory() as name, running_target(Path(name), core=1) as target:
        chosen = sys.argv[1:] or list(PARTS)
        for part in chosen:
            try:
                row = PARTS[part](target)
            except NotInstalled as why:
                row = {"left_out": str(why)}
            print(json.dumps({part: row}, indent=1), flush=True)


if __name__ == "__main__":
    main()
