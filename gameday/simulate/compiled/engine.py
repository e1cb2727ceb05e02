"""One replication of one stack in the compiled engine: memory made, grown, played in, and read."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np

from gameday.queueing import build_cell
from gameday.record import RunRecord
from gameday.scenario import Scenario
from gameday.simulate.compiled import kernel, layout
from gameday.simulate.compiled.tables import Tables
from gameday.simulate.engines import Stopped
from gameday.simulate.records import blank, close
from gameday.traffic import Arrivals, LoadPlan
from gameday.vocabulary import Array, Seed

__all__ = ["run_compiled"]

_FIRST_ROOM = 1 << 12
_HEAP_EACH, _RING_EACH = 3, 4
"""Places for each there is room for: a session, a call and an attempt have one event under way at most,
in the heap or at this instant; a ring's length is a power of two."""


def run_compiled(
    scenario: Scenario,
    plan: LoadPlan,
    stack: str,
    *,
    seed: Seed,
    scale: float | None = None,
    stopped: Callable[[], bool] = lambda: False,
) -> RunRecord:
    """Return what `run_reference` returns, to the last bit; its arguments are the same.

    `stopped` is asked whenever another part of the plan is due; Stopped is raised when it says so.
    """
    cell = build_cell(scenario, stack, scale=plan.scale if scale is None else scale)
    tables = Tables(scenario, plan, cell, seed.root)
    record = blank(scenario, plan, stack, "compiled")
    counts = {
        "steps": record.step_counts,
        "sessions": record.session_counts,
        "loads": record.loads,
        "attempts": record.attempts,
        "response": record.latency,
        "visits": record.visits,
        "delay": record.session_delay,
    }
    books = np.zeros(1, layout.BOOKS)
    for name, array in counts.items():
        books[name] = array.ctypes.data
    books["slots"] = plan.grid.slots
    world = _World(tables)
    parts = plan.arrivals_by_part()
    world.feed(parts)
    kernel.begin(tables.spec, world.row)
    while (status := kernel.run(tables.spec, world.row, books)) != kernel.DONE:
        if status == kernel.GROW:
            world.grow()
        elif stopped():
            raise Stopped
        else:
            world.feed(parts)
    gone_s = world.tables["sales"]["gone_s"][:-1] - plan.lead_in_s
    times = zip(scenario.products, gone_s.tolist(), strict=True)
    sold = {(stack, product): at_s for product, at_s in times if at_s < np.inf}
    return replace(close(record, scenario, cell), notes=cell.notes, sold_out=sold)


class _World:
    """What changes in a run; `row` is the one record that knows where it is."""

    def __init__(self, tables: Tables) -> None:
        room, self._arriving = _FIRST_ROOM, tables
        services, lanes, items = tables.services()
        patients = np.zeros(len(tables.plan.journeys), layout.PATIENT)
        patients["oldest"] = patients["newest"] = layout.NONE
        self.row = np.zeros(1, layout.WORLD)
        self.tables: dict[str, Array] = {
            "sessions": np.zeros(room, layout.SESSION),
            "works": np.zeros(room, layout.WORK),
            "calls": np.zeros(room, layout.CALL),
            "attempts": np.zeros(room, layout.ATTEMPT),
            "services": services,
            "lanes": lanes,
            "items": items,
            "patients": patients,
            "sales": tables.sales(),
            "events": np.zeros(_HEAP_EACH * room + tables.standing_events(), layout.EVENT),
            "urgent": np.zeros(_RING_EACH * room, np.int64),
            "normal": np.zeros(_RING_EACH * room, np.int64),
        }
        self.row["room"], self.row["arrives_s"] = tables.most_begun(), np.inf
        for name in _KINDS:
            self.tables[f"free_{name}"] = np.arange(room)
            self.row[f"{name}_free"] = room
        self._say_where()

    def _say_where(self) -> None:
        for name, array in self.tables.items():
            self.row[name] = array.ctypes.data
        self.row["ring_mask"] = len(self.tables["urgent"]) - 1

    def feed(self, parts: Iterator[Arrivals]) -> None:
        """Let the sessions of the next part that has any come; nobody comes any more without one."""
        if any(self._arriving.arrive(part) for part in parts):
            kernel.let_come(self._arriving.spec, self.row)
        else:
            self.row["is_starved"] = 0

    def grow(self) -> None:
        """Give everything twice the room."""
        for name in _KINDS:
            size, free = len(self.tables[name]), int(self.row[f"{name}_free"][0])
            stack = self.tables[f"free_{name}"][:free]
            self.tables[f"free_{name}"] = np.concatenate(
                [stack, np.arange(size, 2 * size), np.zeros(size - free, np.int64)]
            )
            self.row[f"{name}_free"] = free + size
        for name in (*_KINDS, "events"):
            self.tables[name] = np.concatenate(
                [self.tables[name], np.zeros_like(self.tables[name])]
            )
        for name in ("urgent", "normal"):
            ring, first, last = self.tables[name], f"{name}_from", f"{name}_to"
            places = np.arange(int(self.row[first][0]), int(self.row[last][0]))
            self.tables[name] = np.zeros(2 * len(ring), np.int64)
            self.tables[name][: len(places)] = ring[places & (len(ring) - 1)]
            self.row[first], self.row[last] = 0, len(places)
        self.row["is_tight"] = 0
        self._say_where()


_KINDS = ("sessions", "works", "calls", "attempts")
