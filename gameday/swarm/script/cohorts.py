"""Who plays and with what: connections to every target, and each cast's steps prepared for it."""

from __future__ import annotations

import resource
from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import chain

import numpy as np

from gameday.queueing import build_sales
from gameday.safety import allowed_target
from gameday.scenario import Scenario
from gameday.swarm.control.run_spec import Brief
from gameday.swarm.engine.customer import Cast, Part
from gameday.swarm.script.prepared_steps import Line, Scene, written
from gameday.swarm.script.template_variables import Words
from gameday.swarm.tally.samples import Tally
from gameday.swarm.wire.pool import Pool, Rules
from gameday.swarm.wire.sockets import Sockets
from gameday.swarm.wire.tls import tls_context
from gameday.traffic import Arrivals, Walks
from gameday.vocabulary import Array, Clock

__all__ = ["Company", "gather_company", "open_pools"]

_FD_SHARE = 0.8
"""Share of a process's file descriptors that its sockets may take."""
_MOST_SOCKETS = 200_000


@dataclass(frozen=True, slots=True)
class Company:
    """The casts of a run."""

    casts: tuple[Cast, ...]
    cast_of: Array
    """Index of the cast by (region, journey); -1 where their stack has no target here."""
    lines: dict[int, Line]
    """Every exchange by its number."""


def open_pools(scenario: Scenario, brief: Brief, sockets: Sockets) -> dict[str, Pool]:
    """Return a pool for every stack that has a target; nothing is connected yet."""
    rules = scenario.replay.connections
    most = (rules.most or _most_sockets()) // len(brief.targets)
    out = {}
    for stack, url in brief.targets.items():
        target, tls = allowed_target(url), None
        if target.scheme == "https":
            tls = tls_context(brief.loaded.assets.ca_pem, verify=rules.verify)
        bounds = Rules(
            max(1, most),
            rules.connect,
            rules.handshake,
            rules.first_byte,
            rules.reply,
            rules.idle,
            rules.reuse,
        )
        out[stack] = Pool(target, bounds, sockets, tls=tls)
    return out


def gather_company(
    scenario: Scenario,
    brief: Brief,
    pools: Mapping[str, Pool],
    tally: Tally,
    walks: Walks,
    arrivals: Arrivals,
) -> Company:
    """Return everybody who can play: the customers of the stacks that have a pool."""
    plan, casts = brief.plan, list[Cast]()
    words = Words(scenario, brief.run_id, brief.loaded.assets)
    scenes = {
        stack: written(scenario, pool.target, words, brief.run_id) for stack, pool in pools.items()
    }
    cast_of = np.full((len(plan.regions), len(plan.journeys)), -1)
    for r, region in enumerate(plan.regions):
        stack = scenario.regions[region].stack
        if stack not in pools:
            continue  # another target's customers
        for j, name in enumerate(plan.journeys):
            at = scenario.stack_names.index(stack)
            cast_of[r, j] = len(casts)
            selling = build_sales(
                scenario,
                stack,
                Clock(plan.speed, plan.scale),
                stock_scale=0.0,
                window_start=plan.window.start,
            )
            parts = _parts(
                plan.steps, at, walks.nominal_s[r], scenes[stack], tally, _python(scenario, name)
            )
            casts.append(
                Cast(
                    len(casts),
                    at,
                    region,
                    scenario.journeys[name],
                    walks.courses[j],
                    parts,
                    _own_parts(parts, plan.steps, scenes[stack]),
                    pools[stack],
                    lambda session: walks.product(arrivals, session),
                    arrivals.at_s.item,
                    selling,
                )
            )
    lines = {
        line.number: line
        for scene in chain.from_iterable(of_stack.values() for of_stack in scenes.values())
        for group in scene.groups
        for line in group
    }
    return Company(tuple(casts), cast_of, lines)


def _own_parts(
    parts: tuple[Part, ...], steps: tuple[str, ...], scenes: Mapping[tuple[str, str | None], Scene]
) -> dict[tuple[int, str], Part]:
    """Return (step, product type) -> the step as they play it who do it otherwise."""
    return {
        (steps.index(step), product): replace(parts[steps.index(step)], scene=scene)
        for (step, product), scene in scenes.items()
        if product is not None
    }


def _parts(
    steps: tuple[str, ...],
    stack: int,
    nominal_s: list[float],
    scenes: Mapping[tuple[str, str | None], Scene],
    tally: Tally,
    python: dict[str, str | None],
) -> tuple[Part, ...]:
    out, varied = [], {step for step, product in scenes if product is not None}
    for i, step in enumerate(steps):
        groups, code = scenes[step, None].groups, tally.code(stack, i)
        single = groups[0][0] if len(groups) == len(groups[0]) == 1 else None
        single = None if step in varied else single  # each exchange is then counted for itself
        plain, fine = None, frozenset[int]()
        if single is not None and python[step] is None:
            tally.line_of[code] = single.number
            plain = single.constant
            fine = single.verdict.good if single.verdict.is_simple else fine
        out.append(Part(scenes[step, None], code, nominal_s[i], single, plain, python[step], fine))
    return tuple(out)


def _python(scenario: Scenario, journey: str) -> dict[str, str | None]:
    """Return which class plays each step of a journey; None where its exchanges do."""
    whole = scenario.journeys[journey].python
    return {name: step.python or whole for name, step in scenario.steps.items()}


def _most_sockets() -> int:
    """Return how many sockets the limit on file descriptors allows, raised as far as it may be."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return int(_FD_SHARE * min(hard if hard > 0 else soft, _MOST_SOCKETS))
