"""What a replay is asked for, and what a demand is told from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from gameday.calibrate import read_calibration
from gameday.errors import UsageError
from gameday.python_words import check_number, check_targets, path_of
from gameday.safety import targets_by_stack
from gameday.scenario import Scenario
from gameday.swarm.control import Listen
from gameday.traffic import ReplayOptions
from gameday.traffic.plan import check_ladder, check_options
from gameday.vocabulary import Seed

__all__ = ["MOST_DRIFT", "Order", "Past", "checked", "past_of"]

MOST_DRIFT = 0.5
"""Conversion may differ by so much, a share. Ours: beyond, journeys are others."""


WARN_EXITS = (0, 1, 10)
"""Exit codes that a WARN may have."""


@dataclass(frozen=True, slots=True)
class Past:
    """What demand is told from: a past, or the curve itself."""

    history: Path | None = None
    """File of a past; None: the scenario's synthetic one."""
    demand: Path | None = None
    """File of a given curve, in place of a past and its forecast."""

    def __post_init__(self) -> None:
        """Raise UsageError where both are given."""
        if self.history is not None and self.demand is not None:
            raise UsageError(
                "--demand takes the place of a past and its forecast: leave out --history"
            )


def past_of(history: str | Path | None, demand: str | Path | None) -> Past:
    """Return what a Python verb was given; UsageError where a value is no path, or both are given."""
    return Past(
        None if history is None else path_of("--history", history),
        None if demand is None else path_of("--demand", demand),
    )


@dataclass(frozen=True, slots=True)
class Order:
    """A replay as it is asked for."""

    event: str
    """A bundled scenario's name, or a YAML file."""
    seed: Seed
    out: Path
    """Folder of all runs."""
    asked: ReplayOptions = field(default_factory=ReplayOptions)
    """Window, speed, scale and quantile."""
    past: Past = field(default_factory=Past)
    targets: Mapping[str, str] | None = None
    """Stack -> URL; None: the embedded shop."""
    workers: int = 1
    """Locust processes."""
    listen: Listen | None = None
    """Where workers of elsewhere join; None: they are started here."""
    inject: tuple[str, ...] = ()
    """What happens in the window, as `scenario/reading/injections.py` reads it."""
    drift: float | None = None
    """How far conversion may drift, a share; None: as the scenario says."""
    calibration: Path | None = None
    """File of what was measured of the target before; None: the model is as declared."""
    capacity: Path | None = None
    """File of what was placed; None: the one beside the event's runs, where `capacity apply` wrote one."""
    as_declared: bool = False
    """Whether fleets are as the scenario declares them, whatever was placed."""
    shop: Path | None = None
    """Scenario that the embedded shop is made of, where it is not as the event's declares it; None: it is."""
    ladder: tuple[float, ...] = ()
    """Shares of the peak's load, played one after another to learn the target; empty: the window is played."""
    warn_exit: int = 10
    """Exit code of the verdict WARN: 0, 1 or 10."""
    budget_s: float | None = None
    """Wall seconds for what the model is asked after the load; None: as the run's own length has it."""
    n_minus_one: bool = True
    """Whether what can be lost at the peak is asked."""
    command: str = "gameday replay"
    """How it was asked for: reports show it, so that it can be asked for again."""

    def __post_init__(self) -> None:
        """Raise UsageError where a value is of another kind, or out of its range."""
        check_targets(self.targets)
        check_number("--workers", self.workers, least=1, is_whole=True)
        check_number("--allow-conversion-drift", self.drift, least=0, most=MOST_DRIFT)
        if self.warn_exit not in WARN_EXITS:
            raise UsageError(f"--warn-exit: must be 0, 1 or 10 (got {self.warn_exit})")
        check_number("--budget", self.budget_s, least=10)
        if self.shop is not None and self.targets is not None:
            raise UsageError("--shop: says what the embedded shop is made of; leave out --target")
        if self.capacity is not None and self.as_declared:
            raise UsageError("--as-declared: leaves out what was placed; leave out --capacity")
        if self.ladder:
            check_ladder(self.ladder)
            if self.inject:
                raise UsageError("--ladder learns the target as it is: leave out --inject")

    @property
    def has_own_target(self) -> bool:
        """Whether the servers are the user's own, and not the embedded shop."""
        return self.targets is not None


def checked(order: Order, scenario: Scenario) -> Order:
    """Return the order with an allowed target for every stack; refuse what cannot be, before all else."""
    if order.targets is not None:
        order = replace(order, targets=targets_by_stack({**order.targets}, scenario.stack_names))
    check_options(order.asked, scenario, order.inject, own_target=order.has_own_target)
    if order.calibration is not None:
        read_calibration(order.calibration).applied(scenario)
    return order
