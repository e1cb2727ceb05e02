"""`gameday schema`, `init` and `doctor`: to write a scenario, to begin one, to check the machine."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Annotated

import typer

from gameday.errors import PreflightFailed, UsageError

__all__ = ["add_to"]

_NEEDED = (
    "locust",
    "simpy",
    "numpy",
    "scipy",
    "pandas",
    "pyarrow",
    "bokeh",
    "starlette",
    "uvicorn",
)
_DRILLS = "drills"
_LEAST_FILES = 4096


def add_to(app: typer.Typer) -> None:
    """Add this file's verbs."""
    for verb in (schema, init, doctor):
        app.command()(verb)


def schema() -> None:
    """Print the JSON Schema of a scenario file, for editors.

    Example: gameday schema > scenario.schema.json
    """
    from gameday.scenario import scenario_schema

    typer.echo(json.dumps(scenario_schema(), indent=2))


def init(
    folder: Annotated[Path, typer.Argument(help="a folder to make")],
    event: Annotated[str, typer.Option(help="the bundled scenario to begin from")] = "primeday",
) -> None:
    """Copy a bundled scenario with all it includes, to change into one's own.

    Example: gameday init myshop --event black-friday
    """
    from gameday.scenario import bundled_scenarios, scenario_file, scenario_schema

    source = scenario_file(event)
    if source not in bundled_scenarios().values():
        raise UsageError(
            f"--event: must be one of {', '.join(bundled_scenarios())} (got '{event}')"
        )
    if folder.exists():
        raise UsageError(f"{folder}: exists already; choose another folder")
    try:
        folder.mkdir(parents=True)
        if source.parent.name == _DRILLS:  # they are of one another, and of what all share
            shutil.copytree(source.parent, folder / _DRILLS)
            shutil.copytree(source.parents[1] / "shared", folder / "shared")
        else:
            shutil.copy(source, folder / source.name)
            shutil.copytree(source.parent / "shared", folder / "shared")
        (folder / "scenario.schema.json").write_text(json.dumps(scenario_schema(), indent=1))
    except OSError as error:
        raise PreflightFailed(f"{folder}: cannot be written ({error.strerror})") from None
    copied = folder / (_DRILLS if source.parent.name == _DRILLS else "") / source.name
    typer.echo(f"{copied}: change it, then: gameday replay --event {copied}")


def doctor(
    as_json: Annotated[bool, typer.Option("--json", help="print JSON")] = False,
    out: Annotated[Path, typer.Option(help="folder of all runs")] = Path("reports"),
) -> None:
    """Check what a run needs on this machine; exit 5 if something is missing.

    Example: gameday doctor
    """
    checks = [{"check": name, "state": state, "fix": fix} for name, state, fix in _checks(out)]
    if as_json:
        typer.echo(json.dumps({"schema_version": 1, "checks": checks}))
    else:
        for check in checks:
            fix = f"  {check['fix']}" if check["fix"] else ""
            typer.echo(f"{check['state']:<5}{check['check']}{fix}")
    if any(check["state"] == "fail" for check in checks):
        raise typer.Exit(5)


def _checks(out: Path) -> Iterator[tuple[str, str, str]]:
    import resource

    good = sys.version_info >= (3, 11)
    yield (
        f"Python {sys.version.split()[0]}",
        "pass" if good else "fail",
        "" if good else "use 3.11 or newer",
    )
    for name in _NEEDED:
        try:
            yield f"{name} {version(name)}", "pass", ""
        except PackageNotFoundError:
            yield name, "fail", "pip install gameday"
    files, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    enough = files >= _LEAST_FILES
    yield (f"open files {files}", "pass" if enough else "warn",
           "" if enough else f"ulimit -n {min(most, _LEAST_FILES)}")  # fmt: skip
    cores = os.cpu_count() or 1
    yield f"{cores} cores", "pass" if cores > 1 else "warn", "" if cores > 1 else "2 or more"
    place = next(folder for folder in (out.absolute(), *out.absolute().parents) if folder.exists())
    free_mib = shutil.disk_usage(place).free >> 20
    yield (
        f"{free_mib} MiB free",
        "pass" if free_mib > 200 else "fail",
        "" if free_mib > 200 else "free disk",
    )
    writable = os.access(place, os.W_OK)
    yield (
        f"{place.resolve()} writable",
        "pass" if writable else "fail",
        "" if writable else "choose --out",
    )
