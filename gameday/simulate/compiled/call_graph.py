"""The exchanges of every step, and the calls below them, as tables of the compiled engine."""

from __future__ import annotations

import numpy as np

from gameday.queueing import Cell, Visit
from gameday.scenario import Scenario
from gameday.scenario.blocks import Exchange
from gameday.simulate.compiled.laws import LawRows
from gameday.simulate.compiled.layout import (
    CART,
    GROUP,
    LOOK,
    MEMBER,
    ORDER,
    SCRIPT,
    VISIT,
    Row,
    table,
)
from gameday.vocabulary import Array

__all__ = ["CallGraph"]

_MORE = 16
"""Of anything, that one event may begin beside a script and a group: hand-overs, retries, hedges. Ours."""


class CallGraph:
    """Scripts (the exchanges of a step for a product type), their groups, and the visits below."""

    def __init__(
        self, scenario: Scenario, cell: Cell, steps: tuple[str, ...], laws: LawRows
    ) -> None:
        self._scenario, self._laws = scenario, laws
        self._service_index = {name: index for index, name in enumerate(scenario.services)}
        self._scripts: list[Row] = []
        self._groups: list[Row] = []
        self._members: list[Row] = []
        self._visits: list[Row] = []
        self._script_of: list[int] = []
        """Script of each step and product type, the last one of customers of none."""
        for step in steps:
            self._add_step(cell, step)

    def _add_step(self, cell: Cell, step: str) -> None:
        """Add a step's scripts: product types that share their visits share one."""
        script_of_visits = dict[int, int]()
        for product in (*self._scenario.products, None):
            visits = cell.exchanges(step, product)
            if id(visits) not in script_of_visits:
                script_of_visits[id(visits)] = self._add_script(cell.requests(step, product))
            self._script_of.append(script_of_visits[id(visits)])

    def _add_script(self, requests: tuple[tuple[tuple[Visit, Exchange], ...], ...]) -> int:
        """Add a script; return its index."""
        groups = [
            [
                _member(
                    self._add_visit(visit), required=exchange.required, action=_action(exchange)
                )
                for visit, exchange in group
            ]
            for group in requests
        ]
        self._scripts.append(self._add_groups(groups))
        return len(self._scripts) - 1

    def _add_visit(self, visit: Visit) -> int:
        """Add a visit and all below it; return its index."""
        groups = [
            [_member(self._add_visit(below), optional=below.optional) for below in group]
            for group in visit.then
        ]
        below = self._add_groups(groups)
        self._visits.append(
            self._laws.add(visit.time)
            | below
            | {
                "factor": visit.factor,
                "share": visit.share,
                "chance": visit.chance,
                "hold_s": visit.mean_hold_s,
                "service": self._service_index[visit.service],
                "number": visit.number,
                "is_held": not self._scenario.services[visit.service].is_asynchronous,
            }
        )
        return len(self._visits) - 1

    def _add_groups(self, groups: list[list[Row]]) -> Row:
        """Add groups that follow each other; return the first and the one behind the last."""
        first = len(self._groups)
        for members in groups:
            begin = len(self._members)
            self._members += members
            self._groups.append({"member_from": begin, "member_to": len(self._members)})
        return {"group_from": first, "group_to": len(self._groups)}

    def tables(self) -> dict[str, Array]:
        """Return the tables under their names in SPEC."""
        return {
            "script_of": np.array(self._script_of, np.int64),
            "scripts": table(SCRIPT, self._scripts),
            "groups": table(GROUP, self._groups),
            "members": table(MEMBER, self._members),
            "visits": table(VISIT, self._visits),
        }

    def most_begun(self) -> int:
        """Return how much one event may begin of anything: a script, or a group."""
        sizes = [int(group["member_to"] - group["member_from"]) for group in self._groups]
        scripts = [
            sum(sizes[int(script["group_from"]) : int(script["group_to"])])
            for script in self._scripts
        ]
        return _MORE + max(scripts, default=0) + max(sizes, default=0)


def _member(visit: int, *, required: bool = True, optional: bool = False, action: int = 0) -> Row:
    return {"visit": visit, "is_required": required, "is_optional": optional, "action": action}


def _action(exchange: Exchange) -> int:
    if exchange.action == "product":
        return LOOK if exchange.check.wait else 0
    return {"add_to_cart": CART, "place_order": ORDER}.get(exchange.action, 0)
