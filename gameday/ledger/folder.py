"""A run's folder: its manifest, what it is played from, and what it showed."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from gameday.capacity import CapacityRequest, as_yaml
from gameday.files import write_whole
from gameday.forecast import Demand
from gameday.history import History
from gameday.ledger.ledger import Ledger, RunRow
from gameday.record import RunRecord, record_table
from gameday.scenario import Scenario
from gameday.scenario.reading import Assets, secrets_of
from gameday.traffic import LoadPlan
from gameday.traffic.fit import event_demand
from gameday.traffic.plan import plan_to_json

__all__ = ["RunFolder"]


@dataclass(frozen=True, slots=True)
class RunFolder:
    """Where one run leaves its files, each whole or not at all."""

    path: Path
    ledger: Ledger

    def note(self, row: RunRow, **facts: object) -> None:
        """Write the manifest and the ledger's row; the verdict is RUNNING until the end."""
        manifest = {
            "schema_version": 1,
            "run_id": row.run_id,
            "event": row.event,
            "verdict": row.verdict,
            "exit_code": row.exit_code,
            "started_utc": row.started_utc,
            "pid": row.pid,
            **facts,
        }
        self._text("run.json", json.dumps(manifest, indent=1))
        self.ledger.record_run(row)

    def write_inputs(
        self, scenario: Scenario, demand: Demand, history: History, plan: LoadPlan
    ) -> None:
        """Write what the run is played from."""
        secrets = secrets_of(scenario, Assets(), os.environ)
        self._text("scenario.json", secrets.masked_scenario(scenario))
        whole, actual = event_demand(scenario, demand), history.during(demand.grid)
        known = np.nan if actual is None else actual.ravel()
        table = whole.table().assign(path=whole.path(plan.quantile).ravel(), actual=known)
        self._table("demand.parquet", table)
        self._table("plan.parquet", plan.table())
        self._text("plan.json", json.dumps(plan_to_json(plan)))

    def write_records(self, **records: tuple[RunRecord, ...]) -> None:
        """Write run records, one file a name; a name without records leaves none."""
        for name, runs in records.items():
            if runs:
                tables = [record_table(run, number) for number, run in enumerate(runs)]
                self._table(f"{name}.parquet", pd.concat(tables, ignore_index=True))

    def write_text(self, name: str, text: str) -> None:
        """Write a file of the run that another room made the text of."""
        self._text(name, text)

    def write_event(self, table: pd.DataFrame) -> None:
        """Write what the model said of the whole event, minute by minute; nothing leaves no file."""
        if len(table):
            self._table("event.parquet", table)

    def write_results(self, summary: dict[str, Any], requests: tuple[CapacityRequest, ...]) -> None:
        """Write findings and requests, and note them in the ledger."""
        self._text("findings.json", json.dumps(summary["findings"], indent=1))
        for request in requests:
            self._text(f"capacity/{request.id}.yaml", as_yaml(request))
        self.ledger.record_results(summary["run_id"], summary["findings"], summary["requests"])

    def _text(self, name: str, text: str) -> None:
        write_whole(self.path / name, lambda path: path.write_text(text, encoding="utf-8"))

    def _table(self, name: str, table: pd.DataFrame) -> None:
        write_whole(self.path / name, lambda path: table.to_parquet(path))
