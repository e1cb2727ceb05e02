"""Scenario, plan and cell as the tables of `layout`: built once, played many times."""

from __future__ import annotations

import math
from dataclasses import asdict

import numpy as np

from gameday.queueing import Cell, TimedChange, build_sales, plan_timed_changes
from gameday.scenario import Scenario
from gameday.simulate.compiled.call_graph import CallGraph
from gameday.simulate.compiled.journey_tables import journey_tables
from gameday.simulate.compiled.laws import LawRows
from gameday.simulate.compiled.layout import CHANGE, SALE, SPEC, signed, table
from gameday.simulate.compiled.service_tables import ServiceTables, band_rows, service_tables
from gameday.simulate.records import end_s, regions_of
from gameday.traffic import Arrivals, LoadPlan, Walks
from gameday.vocabulary import Array

__all__ = ["Tables"]


class Tables:
    """The tables of a run; `spec` is the one record that knows where they are."""

    def __init__(self, scenario: Scenario, plan: LoadPlan, cell: Cell, root: int) -> None:
        self.scenario, self.plan, self.cell = scenario, plan, cell
        self._walks, self._numbered = Walks(scenario, plan), 0
        self._regions = regions_of(scenario, plan, cell.stack)
        laws = LawRows()
        self._graph = CallGraph(scenario, cell, plan.steps, laws)
        self._bands = band_rows(scenario, laws.numbers)
        changes = plan_timed_changes(scenario, cell, plan.injections, plan.clock)
        self._tables: dict[str, Array] = {
            **self._graph.tables(),
            **journey_tables(scenario, plan, laws),
            "is_limited": self._is_limited(),
            "law_rows": laws.array(),  # after all that adds to it
            "changes": self._change_table(changes),
            "nominal": np.array([plan.nominal[cell.stack][step].mean_s for step in plan.steps]),
        }
        self._coming: dict[str, Array] = {}
        self.spec = np.zeros(1, SPEC)
        self._say_where(self._tables)
        self._set_numbers(root, len(changes))

    def _is_limited(self) -> Array:
        """Return of each product type, and of customers of none, whether its stock is limited."""
        limited = self.scenario.stock(self.cell.stack)
        products = (*self.scenario.products, None)
        return np.array([product in limited for product in products], np.int64)

    def _change_table(self, changes: tuple[TimedChange, ...]) -> Array:
        services = list(self.scenario.services)
        rows = [asdict(change) | {"service": services.index(change.service)} for change in changes]
        return table(CHANGE, rows)

    def _say_where(self, tables: dict[str, Array]) -> None:
        for name, rows in tables.items():
            self.spec[name] = rows.ctypes.data

    def _set_numbers(self, root: int, changes: int) -> None:
        spec, plan, scenario = self.spec, self.plan, self.scenario
        spec["slot_s"], spec["offset_s"] = plan.slot_wall_s, plan.lead_in_s
        spec["until_s"] = end_s(scenario, plan)
        spec["speed"] = plan.speed
        spec["slots"], spec["steps"] = plan.grid.slots, len(plan.steps)
        spec["products"], spec["service_count"] = len(scenario.products), len(scenario.services)
        spec["change_count"] = changes
        spec["root"], spec["plan_root"] = signed(root), signed(plan.seed.root)

    def arrive(self, part: Arrivals) -> bool:
        """Let the sessions of a part of the plan be the next to come; return whether there are any."""
        here = np.flatnonzero(np.isin(part.region, self._regions))
        part_here = Arrivals(part.at_s[here], part.region[here], part.journey[here])
        numbers = here + self._numbered
        self._numbered += len(part.at_s)
        self._coming = {
            "arrival_s": part_here.at_s.astype(float),
            "arrival_number": numbers,
            "arrival_journey": part_here.journey.astype(np.int64),
            "arrival_product": self._walks.products(part_here, numbers).astype(np.int64),
        }
        self._say_where(self._coming)
        self.spec["arrivals"] = len(here)
        return len(here) > 0

    def most_begun(self) -> int:
        """Return how much one event may begin of anything."""
        return self._graph.most_begun()

    def standing_events(self) -> int:
        """Return how many events may be under way that belong to no session, call or attempt."""
        growing = sum(  # decisions to scale that wait out their delay
            2 + math.ceil(rule.autoscale.delay / rule.autoscale.interval)
            for rule in self.scenario.services.values()
            if rule.autoscale is not None
        )
        timers = len(self.plan.journeys) + 3 * len(self.scenario.services)
        arrival = 1
        return arrival + timers + growing + int(self.spec["change_count"][0])

    def services(self) -> ServiceTables:
        """Return the services as they begin, their lanes, and their callers' caches."""
        return service_tables(self.scenario, self.cell, self._bands)

    def sales(self) -> Array:
        """Return the sale of each product type; of types without a limit it is never read."""
        plan, rows = self.plan, np.zeros(len(self.scenario.products) + 1, SALE)
        rows["gone_s"] = np.inf
        sales = build_sales(
            self.scenario, self.cell.stack, plan.clock, window_start=plan.window.start
        )
        for product, sale in sales.items():
            row = rows[list(self.scenario.products).index(product)]
            for name in SALE.names or ():
                row[name] = getattr(sale, name)
        return rows
