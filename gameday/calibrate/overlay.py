"""A calibration as a file that people review: an overlay over the scenario, with provenance and intervals."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError

from gameday.calibrate.calibration import Calibration, Parameter, Source, Unidentified
from gameday.calibrate.equivalent import Equivalent
from gameday.errors import UsageError
from gameday.products import from_json, to_json
from gameday.scenario.blocks import Measured
from gameday.scenario.reading import as_written, from_yaml, to_yaml

__all__ = ["calibration_of", "overlay_text", "read_calibration"]

_VERSION = 1
_KEYS = (
    "calibration",
    "scenario_sha256",
    "sources",
    "services",
    "equivalents",
    "parameters",
    "unidentified",
    "notes",
)


def overlay_text(calibration: Calibration) -> str:
    """Return a calibration as YAML: what the model is told first, then how each number was come by."""
    data = {
        "calibration": _VERSION,
        "scenario_sha256": calibration.scenario_sha256,
        "sources": [to_json(source) for source in calibration.sources],
        "services": _services(calibration),
        "equivalents": [to_json(station) for station in calibration.equivalents],
        "parameters": [to_json(row) for row in calibration.parameters],
        "unidentified": [to_json(row) for row in calibration.unidentified],
        "notes": list(calibration.notes),
    }
    return to_yaml(data, dict(_comments(calibration)))


def _services(calibration: Calibration) -> dict[str, dict[str, object]]:
    """Return service -> stack -> what the model is told of it."""
    services: dict[str, dict[str, object]] = {}
    for (stack, service), block in calibration.measured.items():
        services.setdefault(service, {})[stack] = as_written(block)
    return services


def _comments(calibration: Calibration) -> Iterator[tuple[tuple[str, ...], str]]:
    yield ("services",), "what the model is told in place of what the scenario declares"
    for row in calibration.differing:
        if row.name in ("servers", "time_factor", "cv"):
            path = ("services", row.service, row.stack, row.name)
            yield path, f"declared {row.declared:.4g}; by {row.by}"


def read_calibration(file: Path) -> Calibration:
    """Return the calibration in a file; UsageError where it cannot be read."""
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(
            f"--calibration: {file} cannot be read ({error}); `gameday calibrate RUN --out FILE` makes one"
        ) from None
    return calibration_of(text, f"--calibration: {file}")


def calibration_of(text: str, where: str) -> Calibration:
    """Return the calibration in a file's text; UsageError says what is wrong with it, and where."""
    try:
        return _calibration(from_yaml(text))
    except KeyError as error:
        raise UsageError(f"{where}: `{error.args[0]}:` is missing; {_AGAIN}") from None
    except (ValueError, TypeError, AttributeError) as error:
        raise UsageError(f"{where}: {error}; {_AGAIN}") from None


_AGAIN = "correct it, or make it anew with `gameday calibrate RUN --out FILE`"
_Row = TypeVar("_Row")


def _rows(data: Mapping[str, Any], name: str, kind: type[_Row]) -> tuple[_Row, ...]:
    """Return the rows of a list in the file; ValueError says which row is none."""
    rows = []
    for number, row in enumerate(data.get(name) or (), 1):
        try:
            rows.append(from_json(kind, row))
        except ValidationError as error:
            raise ValueError(f"{name}, row {number}: {_first(error)}") from None
    return tuple(rows)


def _first(error: ValidationError) -> str:
    """Return the first fault that validation found, with the path of its field."""
    first = error.errors()[0]
    return f"{'.'.join(map(str, first['loc']))}: {first['msg']}"


def _calibration(data: Mapping[str, Any]) -> Calibration:
    if data.get("calibration") != _VERSION:
        raise ValueError(f"is no calibration of version {_VERSION} (`calibration: {_VERSION}`)")
    if unknown := data.keys() - _KEYS:
        raise ValueError(f"unknown: {', '.join(sorted(unknown))}; it may hold {', '.join(_KEYS)}")
    return Calibration(
        scenario_sha256=str(data["scenario_sha256"]),
        sources=_rows(data, "sources", Source),
        measured=dict(_measured(data["services"])),
        parameters=_rows(data, "parameters", Parameter),
        unidentified=_rows(data, "unidentified", Unidentified),
        notes=tuple(map(str, data["notes"])),
        equivalents=_rows(data, "equivalents", Equivalent),
    )


def _measured(
    services: Mapping[str, Mapping[str, object]],
) -> Iterator[tuple[tuple[str, str], Measured]]:
    for service, stacks in services.items():
        for stack, block in stacks.items():
            try:
                yield (str(stack), str(service)), Measured.model_validate(block)
            except ValidationError as error:
                raise ValueError(f"services.{service}.{stack}.{_first(error)}") from None
