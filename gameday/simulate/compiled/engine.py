"""One replication of one stack in the compiled engine: memory made, grown, played in, and read."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np

from gameday.queueing import build_cell
from gameday.record import RunRecord
from gameday.scenario import Scenario
from gameday.simulate.compiled.kernel import DONE, GROW, begin, let_come, run
from gameday.simulate.compiled.layout import (
    ATTEMPT,
    CALL,
    EVENT,
    NONE,
    PATIENT,
    SESSION,
    STATS,
    WORK,
    WORLD,
)
from gameday.simulate.compiled.tables import Tables
from gameday.simulate.engines import Stopped
from gameday.simulate.records import blank, close
from gameday.traffic import Arrivals, LoadPlan
from gameday.vocabulary import Array, Seed

__all__ = ["run_compiled"]

_FIRST_ROOM = 1 << 12
_HEAP_EACH, _RING_EACH = 3, 4
"""Events for each there is room for: a session, a call and an attempt have one event under way at most,
in the heap or at this instant; a ring's length is a power of two."""
_POOLED = ("sessions", "works", "calls", "attempts")
"""Tables with a free list, which grow."""


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
    world = _World(tables)
    _play(tables, world, _stats_of(record), plan.arrivals_by_part(), stopped)
    sold_out = {(stack, product): at_s for product, at_s in world.sold_out_s(scenario, plan)}
    return replace(close(record, scenario, cell), notes=cell.notes, sold_out=sold_out)


def _stats_of(record: RunRecord) -> Array:
    """Return where a record's arrays are, as STATS has it."""
    counts = {
        "steps": record.step_counts,
        "sessions": record.session_counts,
        "loads": record.loads,
        "attempts": record.attempts,
        "response": record.latency,
        "visits": record.visits,
        "delay": record.session_delay,
    }
    stats = np.zeros(1, STATS)
    for name, array in counts.items():
        stats[name] = array.ctypes.data
    stats["slots"] = record.grid.slots
    return stats


def _play(
    tables: Tables,
    world: _World,
    stats: Array,
    parts: Iterator[Arrivals],
    stopped: Callable[[], bool],
) -> None:
    """Run the kernel to the end; give it more room and the next part of the plan when it asks."""
    world.feed(parts)
    begin(tables.spec, world.row)
    while (status := run(tables.spec, world.row, stats)) != DONE:
        if status == GROW:
            world.grow()
        elif stopped():
            raise Stopped
        else:
            world.feed(parts)


def _nobody_waits(journeys: int) -> Array:
    """Return the table of the lists of customers whose patience runs, all empty."""
    patients = np.zeros(journeys, PATIENT)
    patients["oldest"] = patients["newest"] = NONE
    return patients


class _World:
    """What changes in a run; `row` is the one record that knows where it is."""

    def __init__(self, tables: Tables) -> None:
        room, self._arriving = _FIRST_ROOM, tables
        services = tables.services()
        self.tables: dict[str, Array] = {
            "sessions": np.zeros(room, SESSION),
            "works": np.zeros(room, WORK),
            "calls": np.zeros(room, CALL),
            "attempts": np.zeros(room, ATTEMPT),
            "services": services.services,
            "lanes": services.lanes,
            "items": services.items,
            "patients": _nobody_waits(len(tables.plan.journeys)),
            "sales": tables.sales(),
            "events": np.zeros(_HEAP_EACH * room + tables.standing_events(), EVENT),
            "urgent": np.zeros(_RING_EACH * room, np.int64),
            "normal": np.zeros(_RING_EACH * room, np.int64),
        }
        self.row = np.zeros(1, WORLD)
        self.row["room"], self.row["arrives_s"] = tables.most_begun(), np.inf
        for name in _POOLED:
            self.tables[f"free_{name}"] = np.arange(room)
            self.row[f"{name}_free"] = room
        self._say_where()

    def _say_where(self) -> None:
        for name, array in self.tables.items():
            self.row[name] = array.ctypes.data
        self.row["ring_mask"] = len(self.tables["urgent"]) - 1

    def feed(self, parts: Iterator[Arrivals]) -> None:
        """Let the sessions of the next part that has any come; without one nobody comes any more."""
        if any(self._arriving.arrive(part) for part in parts):
            let_come(self._arriving.spec, self.row)
        else:
            self.row["is_starved"] = 0

    def sold_out_s(self, scenario: Scenario, plan: LoadPlan) -> Iterator[tuple[str, float]]:
        """Yield product types with the instant when somebody first met them sold out, s of the plan."""
        gone_s = self.tables["sales"]["gone_s"][:-1] - plan.lead_in_s
        for product, at_s in zip(scenario.products, gone_s.tolist(), strict=True):
            if at_s < np.inf:
                yield product, at_s

    def grow(self) -> None:
        """Give everything twice the room."""
        for name in _POOLED:
            self._grow_free_list(name)
        for name in (*_POOLED, "events"):
            rows = self.tables[name]
            self.tables[name] = np.concatenate([rows, np.zeros_like(rows)])
        for name in ("urgent", "normal"):
            self._grow_ring(name)
        self.row["is_tight"] = 0
        self._say_where()

    def _grow_free_list(self, name: str) -> None:
        """Let the indices of a table of twice the size be free, those that are new on top."""
        size, free = len(self.tables[name]), int(self.row[f"{name}_free"][0])
        stack = self.tables[f"free_{name}"][:free]
        self.tables[f"free_{name}"] = np.concatenate(
            [stack, np.arange(size, 2 * size), np.zeros(size - free, np.int64)]
        )
        self.row[f"{name}_free"] = free + size

    def _grow_ring(self, name: str) -> None:
        """Move what is in a ring to the begin of one of twice the size."""
        ring, first, last = self.tables[name], f"{name}_from", f"{name}_to"
        filled = np.arange(int(self.row[first][0]), int(self.row[last][0]))
        self.tables[name] = np.zeros(2 * len(ring), np.int64)
        self.tables[name][: len(filled)] = ring[filled & (len(ring) - 1)]
        self.row[first], self.row[last] = 0, len(filled)
