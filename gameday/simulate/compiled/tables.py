"""Scenario, plan and cell as the tables of `layout`: compiled once, played many times."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from gameday.queueing import Cell, Visit, sales, switches
from gameday.scenario import Scenario
from gameday.scenario.blocks import Exchange, Journey
from gameday.scenario.service_times import ServiceTime
from gameday.simulate.compiled import layout
from gameday.simulate.compiled.laws import law_of
from gameday.simulate.compiled.rules import band_rows, service_tables, table
from gameday.traffic import Arrivals, Course, LoadPlan, Walks
from gameday.vocabulary import Array, Clock

__all__ = ["Tables"]

_CART, _ORDER, _LOOK = 1, 2, 3
"""What an exchange does with a limited product; 0 = nothing."""


class Tables:
    """The tables of a run; `spec` is the one record that knows where they are."""

    def __init__(self, scenario: Scenario, plan: LoadPlan, cell: Cell, root: int) -> None:
        self.scenario, self.plan, self.cell = scenario, plan, cell
        self._keep: dict[str, Array] = {}
        self._walks, self._numbered = Walks(scenario, plan), 0
        self._regions = [plan.regions.index(r) for r in scenario.stack_regions(cell.stack)]
        self._law_rows: list[float] = []
        self._graph()
        self._journeys()
        self._keep["law_rows"] = np.array(self._law_rows or [0.0])
        injected = switches(scenario, cell, plan.injections, plan.clock)
        names = list(scenario.services)
        self._keep["switches"] = table(
            layout.SWITCH,
            [
                (
                    one.at_s,
                    one.until_s,
                    one.share,
                    one.slow,
                    names.index(one.service),
                    one.zone,
                    one.is_down,
                    one.is_flush,
                    one.least,
                )
                for one in injected
            ],
        )
        nominal = [plan.nominal[cell.stack][step].mean_s for step in plan.steps]
        self._keep["nominal"] = np.array(nominal)
        spec = self.spec = np.zeros(1, layout.SPEC)
        for name, rows in self._keep.items():
            spec[name] = rows.ctypes.data
        patience = max(journey.patience for journey in scenario.journeys.values())
        end = plan.grid.slots * plan.slot_wall_s
        spec["slot_s"], spec["until_s"], spec["offset_s"] = (
            plan.slot_wall_s,
            end + patience,
            plan.lead_in_s,
        )
        spec["speed"] = plan.speed
        spec["slots"], spec["steps"], spec["products"] = (
            plan.grid.slots,
            len(plan.steps),
            len(scenario.products),
        )
        spec["service_count"], spec["switch_count"] = len(names), len(injected)
        spec["root"], spec["plan_root"] = _signed(root), _signed(plan.seed.root)

    def arrive(self, part: Arrivals) -> bool:
        """Let the sessions of a part of the plan be the next to come; return whether there are any."""
        mine = np.flatnonzero(np.isin(part.region, self._regions))
        part_here = Arrivals(part.at_s[mine], part.region[mine], part.journey[mine])
        numbers = mine + self._numbered
        self._numbered += len(part.at_s)
        self._coming = {
            "arrival_s": part_here.at_s.astype(float),
            "arrival_number": numbers,
            "arrival_journey": part_here.journey.astype(np.int64),
            "arrival_product": self._walks.products(part_here, numbers).astype(np.int64),
        }
        for name, rows in self._coming.items():
            self.spec[name] = rows.ctypes.data
        self.spec["arrivals"] = len(mine)
        return len(mine) > 0

    def _journeys(self) -> None:
        plan, choices = self.plan, list[tuple[float, int, int]]()
        self._pauses: list[tuple[Any, ...]] = [(0.0, 0.0, 0.0, 0, 0, 0)]
        journeys, nexts = [], []

        def row(choice: Any, laws: dict[int, Any]) -> tuple[int, int]:
            first = len(choices)
            rows = (
                []
                if choice is None
                else zip(choice.upto.tolist(), choice.names.tolist(), strict=True)
            )
            if choice is not None and choice.only is not None:
                rows = [(1.0, choice.only)]
            choices.extend((upto, to, self._pause(laws.get(to))) for upto, to in rows)
            return first, len(choices)

        for name in plan.journeys:
            journey = self.scenario.journeys[name]
            course = Course(journey, plan.steps, plan.clock)
            ranges = (*row(course.start, {}), *row(course.length, {}))
            journeys.append(_journey(journey, plan.clock, *ranges, self._pause(course.duration)))
            nexts += [
                row(course.next.get(step), course.think.get(step, {}))
                for step in range(len(plan.steps))
            ]
        self._keep["journeys"] = table(layout.JOURNEY, journeys)
        self._keep["nexts"] = table(layout.NEXT, nexts)
        self._keep["choices"] = table(layout.CHOICE, choices)
        self._keep["pauses"] = table(layout.PAUSE, self._pauses)

    def _pause(self, law: ServiceTime | None) -> int:
        """Add a law of pauses; return its place."""
        if law is None:
            return 0
        numbers, *rest = self._law(law)
        self._pauses.append((*numbers, *rest))
        return len(self._pauses) - 1

    def _law(self, law: ServiceTime) -> tuple[tuple[float, float, float], int, int, int]:
        """Add a law's table; return its numbers, its place in LAWS, and where its table begins and ends."""
        numbers, place, rows = law_of(law)
        first = len(self._law_rows)
        self._law_rows += rows
        return numbers, place, first, len(self._law_rows)

    def _graph(self) -> None:
        """The exchanges of every step, and the calls below them."""
        self._scripts: list[tuple[int, int]] = []
        self._groups: list[tuple[int, int]] = []
        self._members: list[tuple[int, int, int, int]] = []
        self._visits: list[tuple[Any, ...]] = []
        products = [*self.scenario.products, None]
        script_of, seen = [], dict[tuple[int, int], int]()
        for s, step in enumerate(self.plan.steps):
            for product in products:
                visits = self.cell.exchanges(step, product)
                if (s, id(visits)) not in seen:
                    asked = self.scenario.exchanges(step, product)
                    seen[s, id(visits)] = self._script(visits, asked)
                script_of.append(seen[s, id(visits)])
        self._bands = band_rows(self.scenario, self._law_rows)
        limited = self.scenario.stock(self.cell.stack)
        self._keep |= {
            "script_of": np.array(script_of, np.int64),
            "is_limited": np.array([p in limited for p in products], np.int64),
            "scripts": table(layout.SCRIPT, self._scripts),
            "groups": table(layout.GROUP, self._groups),
            "members": table(layout.MEMBER, self._members),
            "visits": table(layout.VISIT, self._visits),
        }

    def _script(self, visits: tuple[tuple[Visit, ...], ...], exchanges: list[list[Any]]) -> int:
        groups = [
            [
                (self._visit(visit), int(e.required), 0, _action(e))
                for visit, e in zip(group, asked, strict=True)
            ]
            for group, asked in zip(visits, exchanges, strict=True)
        ]
        self._scripts.append(self._add(groups))
        return len(self._scripts) - 1

    def _add(self, groups: list[list[tuple[int, int, int, int]]]) -> tuple[int, int]:
        """Add groups that stand together; return the first and the one behind the last."""
        first = len(self._groups)
        for members in groups:
            self._groups.append((len(self._members), len(self._members) + len(members)))
            self._members += members
        return first, len(self._groups)

    def _visit(self, visit: Visit) -> int:
        """Add a visit and all below it."""
        below = self._add(
            [[(self._visit(v), 1, int(v.optional), 0) for v in group] for group in visit.then]
        )
        service = list(self.scenario.services).index(visit.service)
        is_held = not self.scenario.services[visit.service].is_asynchronous
        numbers, *law = self._law(visit.time)
        self._visits.append(
            (
                *numbers,
                visit.factor,
                visit.share,
                visit.mean_hold_s,
                *law,
                service,
                visit.number,
                *below,
                is_held,
            )
        )
        return len(self._visits) - 1

    def most_begun(self) -> int:
        """Return how much one event may begin of anything: a script, or a group."""
        script = max(
            (sum(b - a for a, b in self._groups[slice(*one)]) for one in self._scripts), default=0
        )
        group = max((last - first for first, last in self._groups), default=0)
        return 16 + script + group

    def standing_events(self) -> int:
        """Return how many events may be under way that are nobody's own: timers, scaling, an arrival."""
        growing = sum(  # decisions to scale that wait out their delay
            2 + math.ceil(rule.autoscale.delay / rule.autoscale.interval)
            for rule in self.scenario.services.values()
            if rule.autoscale is not None
        )
        return (
            1
            + len(self.plan.journeys)
            + 3 * len(self.scenario.services)
            + growing
            + int(self.spec["switch_count"][0])
        )

    def services(self) -> tuple[Array, Array, Array]:
        """Return the services as they begin, their lanes, and what their callers may keep."""
        return service_tables(self.scenario, self.cell, self._bands)

    def sales(self) -> Array:
        """Return the sale of each product type; of what is not limited it is never asked."""
        plan, out = self.plan, np.zeros(len(self.scenario.products) + 1, layout.SALE)
        out["gone_s"] = np.inf
        for product, sale in sales(
            self.scenario,
            self.cell.stack,
            plan.clock,
            window_start=plan.window.start,
        ).items():
            row = out[list(self.scenario.products).index(product)]
            for name in layout.SALE.names or ():
                row[name] = getattr(sale, name)
        return out


def _action(exchange: Exchange) -> int:
    if exchange.action == "product":
        return _LOOK if exchange.check.wait else 0
    return {"add_to_cart": _CART, "place_order": _ORDER}.get(exchange.action, 0)


def _signed(root: int) -> int:
    """Return 64 bits as the signed number that has them."""
    return root - (1 << 64) if root >= 1 << 63 else root


def _journey(journey: Journey, clock: Clock, *ranges: int) -> tuple[Any, ...]:
    reactions = [
        (r.again, clock.wall_s(r.after), r.most) if r is not None else (0.0, 0.0, 0)
        for r in (journey.on_failure, journey.on_sold_out, journey.on_waiting)
    ]
    pauses = [number for again, pause, _ in reactions for number in (again, pause)]
    return (journey.patience, *pauses, *(most for *_, most in reactions), *ranges)
