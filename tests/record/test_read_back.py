"""A run's files are read back whole: its record, and the plan it played."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd

from gameday.record import blank_record, fill_record, record_table
from gameday.traffic.plan import plan_of_json, plan_to_json
from tests.support.small_runs import busy_shop, played, record_of


def test_a_record_is_read_back_as_it_was_written(tmp_path: Path) -> None:
    scenario = busy_shop(tmp_path)
    plan = played(scenario)
    record = record_of(scenario, plan, 1)
    record.loads[0, 1, 1, 3] = np.nan
    record_table(record).to_parquet(tmp_path / "measured.parquet")
    blank = blank_record(
        "swarm",
        plan.grid,
        plan.lead_in,
        plan.slot_wall_s,
        (scenario.stack_names, plan.steps, tuple(scenario.services)),
    )
    again = fill_record(blank, pd.read_parquet(tmp_path / "measured.parquet"))
    for name in ("step_counts", "session_counts", "attempts", "loads", "latency", "session_delay"):
        np.testing.assert_array_equal(getattr(again, name), getattr(record, name), name)
    np.testing.assert_allclose(again.visits, record.visits)
    assert again.sold_out == record.sold_out


def test_a_plan_is_read_back_as_it_was_written(tmp_path: Path) -> None:
    scenario = busy_shop(tmp_path)
    plan = played(scenario)
    again = plan_of_json(json.loads(json.dumps(plan_to_json(plan))), scenario)
    assert again.sha256() == plan.sha256()
    np.testing.assert_array_equal(again.arrivals().at_s, plan.arrivals().at_s)
    assert again.nominal == plan.nominal
