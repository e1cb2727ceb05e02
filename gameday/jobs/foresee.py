"""What every job begins with: the past, the demand that is forecast from it, and the plan that causes it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from gameday.forecast import Demand, forecast_demand, given_demand
from gameday.forecast.evaluation import wape_words
from gameday.history import History, read_given, read_history
from gameday.jobs.one_run.order import Order, Past
from gameday.live import Show
from gameday.safety import check_guardrails
from gameday.scenario import Scenario
from gameday.scenario.reading import LoadedScenario, choose_injections
from gameday.traffic import LoadPlan, plan_load
from gameday.traffic.plan import ladder_options, ladder_plan
from gameday.vocabulary import SLOT_S, Seed

__all__ = ["Foreseen", "expect", "foresee"]


@dataclass(frozen=True, slots=True)
class Foreseen:
    """What is known before anything is sent."""

    history: History
    demand: Demand
    plan: LoadPlan
    peak_per_min: float
    """Session starts in the busiest minute of the window, at full scale."""


def expect(scenario: Scenario, past: Past, seed: Seed, show: Show) -> tuple[History, Demand]:
    """Return the past and the demand forecast from it, or the curve that is given and its demand."""
    if past.demand is not None:
        return _given(scenario, past.demand, show)
    with show.phase("history"):
        history = read_history(scenario, file=past.history, seed=seed)
        show.update(f"{history.grid.slots / 1440:.0f} days, {history.source}")
    for note in history.notes:
        show.say(f"history: {note}")
    with show.phase("forecast"):
        demand = forecast_demand(scenario, history)
        show.update(wape_words(demand.benchmark))
    return history, demand


def _given(scenario: Scenario, file: Path, show: Show) -> tuple[History, Demand]:
    with show.phase("demand"):
        given = read_given(scenario, file)
        demand = given_demand(scenario, given)
        show.update(f"given by {given.source}; nothing is forecast")
    for note in (*given.notes, *demand.notes):
        show.say(f"demand: {note}")
    return given, demand


def foresee(loaded: LoadedScenario, order: Order, show: Show) -> Foreseen:
    """Return past, demand and plan of an order; nothing is sent."""
    history, demand = expect(loaded.written, order.past, order.seed, show)
    scenario, is_ours = loaded.played, not order.has_own_target
    with show.phase("load plan"):
        asked = ladder_options(order.asked, order.ladder) if order.ladder else order.asked
        plan = plan_load(scenario, demand, seed=order.seed, options=asked, own_target=not is_ours)
        peak_per_min = float(plan.starts.sum(axis=(0, 1)).max())
        if order.ladder:
            plan = ladder_plan(plan, order.ladder)
        else:
            window_s = plan.window.slots * SLOT_S
            plan = plan.with_injections(
                choose_injections(order.inject, scenario, window_s, is_ours=is_ours)
            )
        check_guardrails(scenario, plan)
        show.update(f"{int(plan.played.sum())} sessions at {plan.speed:g}x, scale {plan.scale:g}")
    return Foreseen(history, demand, plan, peak_per_min)
