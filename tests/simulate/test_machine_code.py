"""Machine code is made once for a version, never served stale, and needs no home that can be written."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

import gameday
from gameday.simulate import machine_code
from gameday.simulate.machine_code import forget_old, kept_folder, sources

PACKAGE = Path(gameday.__file__).parent
PLAY = """
import os
from gameday.scenario import load_scenario
from gameday.simulate.compiled import run_compiled
from gameday.simulate.machine_code import kept_folder
from gameday.vocabulary import Seed
from tests.support.small_shop import flat_plan, load_small, small_shop
from pathlib import Path
import sys
scenario = load_small(Path(sys.argv[1]), small_shop(), {"services": {"pay": {"time": {
    "law": "exponential", "mean": "40ms"}}}})
record = run_compiled(scenario, flat_plan(scenario, 2.0, slots=2), "main", seed=Seed(1))
print(record.loads[0, 2, 0].sum() / record.attempts[0, 2, 0].sum(), kept_folder())
"""


def test_every_source_a_kernel_is_made_of_is_in_its_name() -> None:
    names = {file.name for file in sources()}
    assert {
        "kernel.py",
        "pools.py",
        "retry.py",
        "shed.py",
        "quantile_functions.py",
        "policy.py",
        "services.py",
        "run_record.py",
        "histograms.py",
    } <= names
    assert {f.name for f in (PACKAGE / "simulate" / "compiled").glob("*.py")} <= names


@pytest.mark.nightly  # it compiles everything anew; that every source is in the name is tested above
def test_an_edited_helper_is_never_served_stale_and_no_home_need_be_writable(
    tmp_path: Path,
) -> None:
    """A copy of the program with one helper edited, run without a home: visits last twice as long."""
    shutil.copytree(PACKAGE, tmp_path / "gameday", ignore=shutil.ignore_patterns("__pycache__"))
    helper = tmp_path / "gameday" / "scenario" / "service_times" / "quantile_functions.py"
    text = helper.read_text()
    assert text.count("return -math.log1p(-uniform) * mean") == 1
    helper.write_text(
        text.replace("math.log1p(-uniform) * mean", "math.log1p(-uniform) * mean * 2")
    )
    said = []
    for place, home in (
        (tmp_path, {"HOME": "/dev/null", "TMPDIR": str(tmp_path)}),
        (PACKAGE.parent, {}),
    ):
        environment = dict(os.environ) | home
        if home:
            for name in ("NUMBA_CACHE_DIR", "GAMEDAY_CACHE", "XDG_CACHE_HOME"):
                environment.pop(name, None)
        environment["PYTHONPATH"] = f"{place}:{PACKAGE.parent}"
        done = subprocess.run(
            [sys.executable, "-c", PLAY, str(tmp_path)],
            env=environment,
            capture_output=True,
            text=True,
            check=True,
            cwd=place,
        )
        said.append(done.stdout.split())
    (edited, elsewhere), (original, here) = said
    assert float(edited) == pytest.approx(2 * float(original), rel=0.15)  # of the visits that come
    assert Path(elsewhere).name != Path(here).name
    assert Path(elsewhere).is_relative_to(tmp_path)


def test_what_other_versions_made_is_forgotten_after_a_month(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old, new = tmp_path / "kernels-0", tmp_path / "kernels-1"
    for folder in (old, new):
        folder.mkdir()
    os.utime(old, (time.time() - 40 * 86400,) * 2)
    monkeypatch.setattr(machine_code, "kept_folder", lambda: tmp_path / "kernels-2")
    forget_old()
    assert not old.exists()
    assert new.exists()


def test_whoever_waits_for_machine_code_is_told_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(machine_code, "kept_folder", lambda: tmp_path / "kernels-none")
    monkeypatch.setattr(machine_code, "_COMMAND", "import time; time.sleep(0.3)")
    told: list[str] = []
    with machine_code.compiling() as wait:
        wait(told.append)
    assert "compiling" in told[0]


def test_what_is_kept_is_not_made_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "kernels-some"
    folder.mkdir()
    (folder / "kernel.run-1.py311.1.nbc").touch()
    monkeypatch.setattr(machine_code, "kept_folder", lambda: folder)
    told: list[str] = []
    with machine_code.compiling() as wait:
        wait(told.append)
    assert told == []
    assert kept_folder() is not None
