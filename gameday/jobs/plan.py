"""What a replay would send, slot by slot; nothing is sent."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from gameday.forecast import Demand
from gameday.jobs.foresee import foresee
from gameday.jobs.one_run.order import Order, checked
from gameday.jobs.past_runs import last_summary
from gameday.live import Show
from gameday.products import to_json
from gameday.queueing import build_cell
from gameday.scenario import Scenario
from gameday.scenario.reading import LoadedScenario, read_scenario, share_cut
from gameday.simulate import visits_per_s
from gameday.traffic import LoadPlan
from gameday.traffic.fit import Contradiction, Residual, find_contradictions, measure_residuals
from gameday.traffic.plan import Outlook, StockRow, outlook, sold_orders, stock_rows

__all__ = ["PlanAnswer", "Planned", "plan_json", "plan_order"]


@dataclass(frozen=True, slots=True)
class Redirects:
    """How many of the requests are redirects."""

    declared: int
    """By the scenario."""
    last_run: str | None
    """The event's newest run that counted them."""
    as_in_last_run: int | None
    """As that run followed them."""
    text: str


@dataclass(frozen=True, slots=True)
class RegionSlots:
    """What a region's customers send in each slot."""

    requests: list[float]
    orders: list[float]
    customers: list[float]
    """At one time."""


@dataclass(frozen=True, slots=True)
class ProductOrders:
    """What is ordered of a product type."""

    orders: dict[str, float]
    """Region -> orders asked for."""
    can_be_sold: float
    worth: float | None
    """Of what can be sold; None where the product has no price."""
    orders_per_slot: dict[str, list[float]]


@dataclass(frozen=True, slots=True)
class JourneyWalk:
    """What a journey comes to."""

    visits: dict[str, float]
    """Step -> mean visits a session."""
    ever: dict[str, float]
    """Step -> share of sessions that come to it."""
    mean_steps: float
    spread_steps: float
    mean_s: float
    share_cut: float
    """Of its steps, cut off where the longest walks end."""


@dataclass(frozen=True, slots=True)
class PlanConditions:
    """What is played, and how."""

    event: str
    window_start: str
    window_end: str
    lead_in_slots: int
    speed: float
    scale: float
    quantile: float
    seed: int
    wall_s: float
    sessions: int


@dataclass(frozen=True, slots=True)
class PlanTotals:
    """What is sent in all, lead-in included, and at the most."""

    steps: int
    requests: int
    redirects: Redirects
    orders: int
    request_bytes: int
    peak_steps_per_s: float
    peak_requests_per_s: float
    peak_utc: str
    most_customers: float


@dataclass(frozen=True, slots=True)
class PlanSlots:
    """What is sent in each slot, lead-in first."""

    slots_utc: list[str]
    steps_per_slot: dict[str, dict[str, list[float]]]
    """Region -> step -> steps."""
    sessions_per_slot: dict[str, dict[str, list[int]]]
    """Region -> journey -> session starts."""
    per_slot: dict[str, RegionSlots]


@dataclass(frozen=True, slots=True)
class PlanAnswer:
    """What a plan would send."""

    conditions: PlanConditions
    totals: PlanTotals
    slots: PlanSlots
    products: dict[str, ProductOrders]
    stock: tuple[StockRow, ...]
    journeys: dict[str, JourneyWalk]
    service_visits_per_s: dict[str, dict[str, list[float]]]
    """Stack -> service -> visits a second."""
    cells: dict[str, dict[str, int]]
    """Stack -> service -> servers in the scaled-down system."""
    residuals: tuple[Residual, ...]
    contradictions: tuple[Contradiction, ...]


@dataclass(frozen=True, slots=True)
class Planned:
    """A plan and what it comes to."""

    answer: PlanAnswer
    plan: LoadPlan
    loaded: LoadedScenario


def plan_order(order: Order, show: Show) -> Planned:
    """Return what a replay of an order would send."""
    loaded = read_scenario(order.event, drift=order.drift)
    seen = foresee(loaded, checked(order, loaded.played), show)
    last = last_summary(order.out, loaded.played.event.name) or {}
    answer = _answer(loaded.played, seen.demand, seen.plan, last)
    return Planned(answer, seen.plan, loaded)


def plan_json(answer: PlanAnswer) -> dict[str, Any]:
    """Return a plan as `gameday plan --json` prints it: one flat object, contradictions in words too."""
    fields = to_json(answer, schema_version=3)
    for row, contradiction in zip(fields["contradictions"], answer.contradictions, strict=True):
        row |= {
            "first": contradiction.first.isoformat(),
            "last": contradiction.last.isoformat(),
            "text": contradiction.text,
        }
    version, conditions, totals, slots = (
        fields.pop(name) for name in ("schema_version", "conditions", "totals", "slots")
    )
    return {"schema_version": version, **conditions, **totals, **slots, **fields}


def _answer(scenario: Scenario, demand: Demand, plan: LoadPlan, last: dict[str, Any]) -> PlanAnswer:
    seen = outlook(scenario, plan)
    stock = [
        row
        for stack in scenario.stack_names
        for row in stock_rows(scenario, demand.strength_sigma, plan, seen, stack)
    ]
    return PlanAnswer(
        conditions=_conditions(scenario, plan),
        totals=_totals(plan, seen, last),
        slots=_slots(plan, seen),
        products={name: _product(scenario, plan, seen, name) for name in seen.orders_by_type},
        stock=tuple(stock),
        journeys={name: _journey(scenario, plan, seen, name) for name in seen.chains},
        service_visits_per_s=_service_visits(scenario, plan, seen),
        cells=_cells(scenario, plan),
        residuals=tuple(measure_residuals(plan)),
        contradictions=tuple(find_contradictions(scenario, plan)),
    )


def _conditions(scenario: Scenario, plan: LoadPlan) -> PlanConditions:
    return PlanConditions(
        event=scenario.event.name,
        window_start=plan.window.start.isoformat(),
        window_end=plan.window.end.isoformat(),
        lead_in_slots=plan.lead_in,
        speed=plan.speed,
        scale=plan.scale,
        quantile=plan.quantile,
        seed=plan.seed.root,
        wall_s=plan.duration_s + plan.lead_in_s,
        sessions=int(plan.played.sum()),
    )


def _totals(plan: LoadPlan, seen: Outlook, last: dict[str, Any]) -> PlanTotals:
    per_s = seen.requests.sum(axis=0) / plan.slot_wall_s
    hottest = plan.lead_in + int(per_s[plan.lead_in :].argmax())
    most_steps = float(seen.steps.sum(axis=(0, 1))[plan.lead_in :].max())
    return PlanTotals(
        steps=round(float(seen.steps.sum())),
        requests=round(float(seen.requests.sum())),
        redirects=_redirects(plan, seen, last),
        orders=round(float(seen.orders.sum())),
        request_bytes=round(seen.request_bytes),
        peak_steps_per_s=round(most_steps / plan.slot_wall_s, 1),
        peak_requests_per_s=round(float(per_s[hottest]), 1),
        peak_utc=plan.grid.instant(hottest).isoformat(),
        most_customers=round(float(seen.customers.sum(axis=0).max()), 1),
    )


def _slots(plan: LoadPlan, seen: Outlook) -> PlanSlots:
    regions = list(enumerate(plan.regions))
    return PlanSlots(
        slots_utc=[plan.grid.instant(slot).isoformat() for slot in range(plan.grid.slots)],
        steps_per_slot=_steps_per_slot(plan, seen),
        sessions_per_slot={
            region: dict(zip(plan.journeys, plan.played[r].tolist(), strict=True))
            for r, region in regions
        },
        per_slot={region: _region_slots(seen, r) for r, region in regions},
    )


def _region_slots(seen: Outlook, region: int) -> RegionSlots:
    return RegionSlots(
        seen.requests[region].round(1).tolist(),
        seen.orders[region].round(2).tolist(),
        seen.customers[region].round(1).tolist(),
    )


def _steps_per_slot(plan: LoadPlan, seen: Outlook) -> dict[str, dict[str, list[float]]]:
    return {
        region: dict(zip(plan.steps, seen.steps[r].round(1).tolist(), strict=True))
        for r, region in enumerate(plan.regions)
    }


def _product(scenario: Scenario, plan: LoadPlan, seen: Outlook, name: str) -> ProductOrders:
    rows, price = seen.orders_by_type[name], scenario.products[name].price
    sold = sold_orders(scenario, plan, seen, name)
    regions = list(enumerate(plan.regions))
    return ProductOrders(
        orders={region: round(float(rows[r].sum()), 2) for r, region in regions},
        can_be_sold=round(sold, 2),
        worth=None if price is None else round(price * sold, 2),
        orders_per_slot={region: rows[r].round(3).tolist() for r, region in regions},
    )


def _journey(scenario: Scenario, plan: LoadPlan, seen: Outlook, name: str) -> JourneyWalk:
    chain = seen.chains[name]
    return JourneyWalk(
        visits=dict(zip(plan.steps, chain.visits.round(6).tolist(), strict=True)),
        ever=dict(zip(plan.steps, chain.ever.round(6).tolist(), strict=True)),
        mean_steps=chain.mean_steps,
        spread_steps=chain.spread_steps,
        mean_s=chain.mean_s,
        share_cut=share_cut(scenario.journeys[name]),
    )


def _service_visits(
    scenario: Scenario, plan: LoadPlan, seen: Outlook
) -> dict[str, dict[str, list[float]]]:
    rows = {}
    for stack in scenario.stack_names:
        visits = plan.scale * visits_per_s(scenario, stack, seen.steps_by_type)
        rows[stack] = dict(zip(scenario.services, visits.round(2).tolist(), strict=True))
    return rows


def _cells(scenario: Scenario, plan: LoadPlan) -> dict[str, dict[str, int]]:
    cells = {s: build_cell(scenario, s, scale=plan.scale) for s in scenario.stack_names}
    return {
        stack: {name: station.servers for name, station in cell.stations.items()}
        for stack, cell in cells.items()
    }


def _redirects(plan: LoadPlan, seen: Outlook, last: dict[str, Any]) -> Redirects:
    """Return how many requests are redirects as declared, and as the event's last run followed them."""
    declared, rows = round(seen.redirects), last.get("redirects", {})
    steps = dict.fromkeys(plan.steps, 0.0)
    for region in _steps_per_slot(plan, seen).values():
        for step, slots in region.items():
            steps[step] += sum(slots)
    followed = sum(
        count * rows[step]["followed"] / rows[step]["sent"]
        for step, count in steps.items()
        if step in rows and rows[step]["sent"]
    )
    text = (
        f"of the requests {declared:,.0f} are redirects, as declared"
        if declared
        else "redirects are not included in the requests: no exchange declares any (`redirects: 1`), "
        "and the embedded shop sends none"
    )
    if not rows:
        return Redirects(declared, None, None, f"{text}; no run of this event is there to tell")
    run = str(last["run_id"])
    text += f"; as run {run} followed them, they come to {round(followed):,.0f} for this plan"
    return Redirects(declared, run, round(followed), text)
