"""How busy other work kept this machine: told from /proc, ours and the target's taken off."""

from __future__ import annotations

import os
import socket
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gameday.swarm.machine import BUSY_SHARE, MachineMeter, MachineUse, use_of

TICKS = os.sysconf("SC_CLK_TCK")
CORES = 2


def write_proc(
    proc: Path,
    *,
    busy_s: float,
    steal_s: float = 0.0,
    ours_s: float = 0.0,
    child_s: float = 0.0,
    theirs_s: float = 0.0,
    waited_s: float | None = 0.0,
    elsewhere_s: float = 0.0,
) -> None:
    """Write a /proc of two cores, and one more that others use: us, a child of ours whose session is its own,
    and a stranger.
    """
    used = [int(seconds * TICKS) for seconds in (busy_s, 0, 0, 1000, 0, 0, 0, steal_s)]
    rows = [
        "cpu  1 1 1 1 1 1 1 1 0 0",
        f"cpu0 {' '.join(map(str, used))} 0 0",
        "cpu1 0 0 0 0 0 0 0 0 0 0",
        f"cpu{CORES} {int(elsewhere_s * TICKS)} 0 0 0 0 0 0 0 0 0",
    ]
    proc.mkdir(exist_ok=True)
    (proc / "stat").write_text("\n".join([*rows, "procs_running 3"]))
    me = os.getpid()
    for pid, parent, seconds in ((me, 1, ours_s), (me + 1, me, child_s), (me + 2, 1, theirs_s)):
        (proc / str(pid)).mkdir(exist_ok=True)
        fields = ["S", str(parent), *["0"] * 9, str(int(seconds * TICKS)), *["0"] * 25]
        (proc / str(pid) / "stat").write_text(f"{pid} (a ) name) {' '.join(fields)}")
    if waited_s is not None:
        (proc / "pressure").mkdir(exist_ok=True)
        total = (
            f"some avg10=0.00 avg60=0.00 avg300=0.00 total={int(waited_s * 1e6)}\nfull total=0\n"
        )
        (proc / "pressure" / "cpu").write_text(total)


class Clock:
    """Wall seconds, turned by hand."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.now_s = 100.0
        patch.setattr(time, "monotonic", lambda: self.now_s)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


def use_after(proc: Path, clock: Clock, seconds: float, **used: Any) -> MachineUse:
    write_proc(proc, busy_s=50.0, ours_s=5.0, child_s=5.0, waited_s=used.pop("waited_from", 3.0))
    meter = MachineMeter(proc=proc, allowed=frozenset(range(CORES)))
    meter.read()
    clock.now_s += seconds
    write_proc(proc, **used)
    meter.read()
    return use_of(meter.readings)


def test_cores_that_we_may_not_run_on_are_no_matter(tmp_path: Path, clock: Clock) -> None:
    used = {"busy_s": 60.0, "ours_s": 9.0, "child_s": 5.0, "elsewhere_s": 1000.0}
    use = use_after(tmp_path / "proc", clock, 10.0, **used)
    assert use.cores == CORES
    assert use.other_share == pytest.approx((10.0 - 4.0) / 20.0)


def test_our_own_processes_and_their_children_are_no_other_work(
    tmp_path: Path, clock: Clock
) -> None:
    used = {"busy_s": 65.0, "ours_s": 9.0, "child_s": 13.0, "theirs_s": 3.0, "waited_s": 8.0}
    use = use_after(tmp_path / "proc", clock, 10.0, **used)
    assert use.own_share == pytest.approx((4.0 + 8.0) / 20.0)
    assert use.other_share == pytest.approx((15.0 - 12.0) / 20.0)
    assert use.pressure == pytest.approx(0.5)
    assert not use.is_too_busy
    assert "other work used 15% of this machine's 2 cores" in use.text


def test_time_stolen_by_the_host_is_other_work(tmp_path: Path, clock: Clock) -> None:
    used = {"busy_s": 60.0, "ours_s": 15.0, "child_s": 5.0, "steal_s": 8.0}
    use = use_after(tmp_path / "proc", clock, 10.0, **used)
    assert use.other_share == use.steal_share == pytest.approx(0.4)
    assert use.is_too_busy


def test_without_pressure_files_pressure_is_unknown_and_the_rest_is_known(
    tmp_path: Path, clock: Clock
) -> None:
    used = {"busy_s": 60.0, "ours_s": 5.0, "child_s": 5.0, "waited_s": None, "waited_from": None}
    use = use_after(tmp_path / "proc", clock, 10.0, **used)
    assert use.pressure is None
    assert use.other_share == pytest.approx(0.5)
    assert "something waited for a core: unknown" in use.text


def test_where_nothing_can_be_read_it_is_unknown_and_bars_no_comparison(tmp_path: Path) -> None:
    meter = MachineMeter(proc=tmp_path)
    meter.read()
    meter.read()
    use = use_of(meter.readings)
    assert use.other_share is None
    assert not use.is_too_busy
    assert "unknown" in use.text


@given(parts=st.lists(st.tuples(st.floats(0.1, 4.0), st.floats(0.0, 1.0)), min_size=2, max_size=60))
def test_the_worst_ten_seconds_are_no_quieter_than_the_whole_and_no_busier_than_any_part(
    parts: list[tuple[float, float]],
) -> None:
    from gameday.swarm.machine import _Reading

    readings, at_s, busy_s = [_Reading(0.0, CORES, 0.0, 0.0, 0.0, None)], 0.0, 0.0
    for seconds, share in parts:
        at_s, busy_s = at_s + seconds, busy_s + share * CORES * seconds
        readings.append(_Reading(at_s, CORES, busy_s, 0.0, 0.0, None))
    use = use_of(readings)
    assert use.other_share is not None
    assert use.worst_share is not None
    assert use.other_share - 1e-9 <= use.worst_share <= max(share for _, share in parts) + 1e-9


def test_a_burst_of_ten_seconds_in_a_long_quiet_run_is_too_busy() -> None:
    from gameday.swarm.machine import _Reading

    busy_s, readings = 0.0, []
    for at_s in range(0, 201, 2):
        busy_s += 2.0 * CORES * (0.5 if 100 < at_s <= 112 else 0.02)
        readings.append(_Reading(float(at_s), CORES, busy_s, 0.0, 0.0, None))
    use = use_of(readings)
    assert use.other_share is not None
    assert use.other_share < 0.1 < BUSY_SHARE
    assert use.is_too_busy


def test_a_target_that_listens_on_this_machine_is_no_other_work() -> None:
    from gameday.swarm.machine import _listeners

    with socket.create_server(("127.0.0.1", 0)) as target:
        url = f"http://127.0.0.1:{target.getsockname()[1]}"
        found = _listeners(Path("/proc"), (url,))
        if not Path("/proc/net/tcp").is_file():
            pytest.skip("no /proc/net/tcp here: a target's processes cannot be told")
        assert os.getpid() in found
    assert _listeners(Path("/proc"), (url,)) == set()
