"""The files a scenario names beside its YAML: feeds and certificates, read whole."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gameday.scenario.faults import Fault, did_you_mean
from gameday.scenario.model import Scenario

__all__ = ["Assets", "asset_faults", "read_assets"]

_MOST_BYTES = 64 << 20
"""Size of a feed's file: every worker holds it, and gets it from the master."""


@dataclass(frozen=True, slots=True)
class Assets:
    """Feeds and certificates, as the swarm needs them."""

    feeds: dict[str, dict[str, list[str]]] = field(default_factory=dict)
    """Feed -> column -> its values, top to bottom."""
    ca_pem: str | None = None
    """Certificates of targets to trust."""
    metrics_ca_pem: str | None = None
    """Certificates of the server that has their numbers."""


def read_assets(scenario: Scenario, folder: Path) -> Assets:
    """Return the content of every file the scenario names; `folder` holds the scenario."""
    feeds = {name: _table(folder / feed.file) for name, feed in scenario.feeds.items()}
    pems = ((folder / file).read_text() if file else None for _, file in _certificates(scenario))
    return Assets(feeds, *pems)


def _certificates(scenario: Scenario) -> tuple[tuple[tuple[str, ...], str | None], ...]:
    """Return (path of the field, file) of every file of certificates that a scenario may name."""
    return (
        (("replay", "connections", "ca_file"), scenario.replay.connections.ca_file),
        (("observe", "ca_file"), scenario.observe.ca_file),
    )


def asset_faults(scenario: Scenario, folder: Path) -> Iterator[Fault]:
    """Yield what is wrong with the files."""
    columns: dict[str, list[str]] = {}
    for name, feed in scenario.feeds.items():
        try:
            table = _table(folder / feed.file)
        except (OSError, ValueError) as error:
            fault = f"cannot be read ({error}); a CSV with a heading, or Parquet"
            yield ("feeds", name, "file"), fault
            continue
        columns[name] = list(table)
        if not table or not next(iter(table.values())):
            yield ("feeds", name, "file"), "has no rows"
    yield from _column_faults(scenario, columns)
    yield from _certificate_faults(scenario, folder)


def _column_faults(scenario: Scenario, columns: dict[str, list[str]]) -> Iterator[Fault]:
    """Yield template words `{feed.column}` whose column their feed lacks; `columns`: by feed."""
    for path, word in scenario.template_words():
        feed, dot, column = word.partition(".")
        known = columns.get(feed)
        if dot and known is not None and column not in known:
            yield path, f"feed '{feed}' has no column '{column}'{did_you_mean(column, known)}"


def _certificate_faults(scenario: Scenario, folder: Path) -> Iterator[Fault]:
    for path, ca_file in _certificates(scenario):
        if ca_file is None:
            continue
        try:
            pem = (folder / ca_file).read_text()
            ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cadata=pem or "none")
        except (OSError, ValueError, TypeError) as error:  # an SSLError is an OSError
            yield path, f"cannot be read ({error}); certificates to trust, in PEM"


def _table(file: Path) -> dict[str, list[str]]:
    """Return a table's columns as text; OSError or ValueError where it is none."""
    from pyarrow import parquet  # heavy: only scenarios with feeds need it

    if file.stat().st_size > _MOST_BYTES:
        raise ValueError(f"is larger than {_MOST_BYTES >> 20} MiB, which every worker would hold")
    table = parquet.read_table(file) if file.suffix == ".parquet" else _csv_as_text(file)
    if len(set(table.column_names)) < len(table.column_names):
        raise ValueError("two columns have one name")
    columns = zip(table.column_names, table.columns, strict=True)
    return {
        name: ["" if v is None else str(v) for v in column.to_pylist()] for name, column in columns
    }


def _csv_as_text(file: Path) -> Any:
    """Return a CSV as an Arrow table in which every column is text."""
    import pyarrow as pa
    from pyarrow import csv

    names = csv.open_csv(file).schema.names
    as_text = csv.ConvertOptions(
        column_types={n: pa.string() for n in names}, strings_can_be_null=False
    )
    return csv.read_csv(file, convert_options=as_text)
