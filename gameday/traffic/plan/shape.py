"""Which window a replay plays, how fast and how large; checked against the scaled-down system (cell)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np

from gameday.errors import UsageError
from gameday.python_words import check_number
from gameday.scenario import Scenario, did_you_mean, local_to_utc
from gameday.traffic.plan.nominal import StackResponses
from gameday.vocabulary import SLOT_S, Array, TimeGrid

__all__ = [
    "ReplayOptions",
    "check_speed",
    "choose_scale",
    "choose_speed",
    "choose_window",
    "fastest_speed",
    "larger_scales",
    "named_window",
]

_THINK_RESPONSES = 3.0
"""Nominal responses that a mean think time must last: think times shrink with speed and responses do not, so
with less a session would be mostly waiting. Ours."""
_SLOT_RESPONSES = 10.0
"""Nominal p99 responses that a slot must last: with less, a slot's replies fall into the next ones. Ours."""
_MOST_LARGER = 0.5
"""By which share of itself a scale chosen by the program may be raised. Ours."""


@dataclass(frozen=True, slots=True)
class ReplayOptions:
    """A replay's options as given on the command line; None = the scenario's own value."""

    window: str = "peak"
    """`peak`, `all`, or START/END, each with an offset or as LOCAL@region."""
    speed: float | None = None
    duration_s: float | None = None
    """Wall seconds for the window; sets the speed."""
    scale: float | None = None
    """None: `auto`."""
    quantile: float | None = None
    lead_in: int | None = None
    """Most slots before the window; None: as many as customers need to be under way."""

    def __post_init__(self) -> None:
        """Raise UsageError where a value is of another kind, or out of its range."""
        if not isinstance(self.window, str):
            raise UsageError(
                f"--window: must be a text: peak, all, or START/END (got {self.window!r})"
            )
        check_number("--speed", self.speed, least=1)
        check_number("--duration", self.duration_s, least=0, is_open=True)
        check_number("--scale", self.scale, least=0, is_open=True)
        check_number("--quantile", self.quantile, least=0, most=1, is_open=True)


def choose_speed(options: ReplayOptions, scenario: Scenario, window_s: float) -> float:
    """Return the speed at which a window of so many event seconds is played; UsageError below real time."""
    if not options.duration_s:
        return options.speed or scenario.replay.speed
    speed = window_s / options.duration_s
    if speed < 1:
        raise UsageError(f"--duration is longer than the window itself ({speed:.3g}x)")
    return speed


def choose_window(
    window: str,
    scenario: Scenario,
    grid: TimeGrid,
    starts: Array,
    spans: Sequence[tuple[int, int]],
) -> TimeGrid:
    """Return the window that `ReplayOptions.window` means.

    `starts` are session starts (regions, slots) over `grid`; `spans` are the regions' as in Demand.

    `peak` is the run of `replay.peak` with the most session starts of any one stack, inside the event's span of
    one of its regions; all of that span where it is shorter.
    """
    if window == "all":
        first, last = min(a for a, _ in spans), max(b for _, b in spans)
        return grid.part(first, last - first)
    if window != "peak":
        return named_window(window, scenario, grid)
    return _peak(scenario, grid, starts, spans)


def _peak(
    scenario: Scenario, grid: TimeGrid, starts: Array, spans: Sequence[tuple[int, int]]
) -> TimeGrid:
    """Return the busiest window of any stack; the arguments are those of `choose_window`."""
    width = max(1, round(scenario.replay.peak / SLOT_S))
    runs = []
    for stack in scenario.stack_names:
        regions = [scenario.region_names.index(name) for name in scenario.stack_regions(stack)]
        stack_starts = starts[regions].sum(axis=0)
        runs += [_busiest(stack_starts, spans[r], width) for r in regions]
    _, first, slots = max(runs, key=lambda run: run[0])
    return grid.part(first, slots)


def _busiest(starts: Array, span: tuple[int, int], width: int) -> tuple[float, int, int]:
    """Return the most starts in `width` slots in a row inside a span, the first one and their number."""
    first, last = span
    width = min(width, last - first)
    upto = np.concatenate([[0.0], np.cumsum(starts[first:last])])
    summed = upto[width:] - upto[:-width]
    best = int(summed.argmax())
    return float(summed[best]), first + best, width


def named_window(text: str, scenario: Scenario, grid: TimeGrid) -> TimeGrid:
    """Return the window written as START/END; UsageError where it is none or leaves `grid`."""
    parts = text.split("/")
    if len(parts) != 2:
        raise UsageError(
            f"--window: must be peak, all, or START/END, as in "
            f"2027-07-13T18:00@{scenario.region_names[0]}/2027-07-13T19:00"
            f"@{scenario.region_names[0]} (got '{text}')"
        )
    window = TimeGrid.between(*(_instant(part, scenario) for part in parts))
    if window.slots == 0:
        raise UsageError(f"--window: ends before it starts (got '{text}')")
    if window.start < grid.start or window.end > grid.end:
        raise UsageError(
            f"--window: {text} lies outside the event, which is forecast from "
            f"{grid.start:%Y-%m-%dT%H:%MZ} to {grid.end:%Y-%m-%dT%H:%MZ}"
        )
    return window


def _instant(text: str, scenario: Scenario) -> datetime:
    local, _, region = text.partition("@")
    if region and region not in scenario.regions:
        raise UsageError(
            f"--window: unknown region '{region}'{did_you_mean(region, scenario.regions)}"
        )
    try:
        instant = datetime.fromisoformat(local.replace("Z", "+00:00"))
        if region and instant.tzinfo is not None:
            raise UsageError(f"--window: '{text}' has an offset and a region; give one of them")
        if region:
            return local_to_utc(instant, scenario.regions[region].zone)
    except ValueError as error:
        raise UsageError(f"--window: '{text}': {error}") from None
    if instant.tzinfo is None:
        raise UsageError(f"--window: '{text}' needs an offset, or a region after @")
    return instant.astimezone(UTC)


def choose_scale(
    scale: float | None, scenario: Scenario, steps: Array, *, own_target: bool
) -> float:
    """Return k: as given, or such that the hottest slot has `replay.steps_per_s` a wall second.

    `steps` are steps a minute over the window, shape (regions, steps, slots).
    """
    if scale is not None:
        return scale
    if own_target:
        return scenario.replay.target_fraction
    hottest_per_s = float(steps.sum(axis=(0, 1)).max()) / SLOT_S
    if hottest_per_s <= 0:
        raise UsageError("the forecast of this window is empty; choose another --window")
    exact = scenario.replay.steps_per_s / hottest_per_s
    digits = 1 - int(np.floor(np.log10(exact)))
    return min(1.0, float(np.round(exact, digits)))


def larger_scales(scale: float) -> Iterator[float]:
    """Yield scales of two digits from `scale` on, up to half as much again.

    Few servers are rounded up in one scaled-down system (cell) and down in the next, which stretches service times
    in only one of them: a speed that is too fast for one cell may be right for the next.
    """
    step = 10.0 ** (int(np.floor(np.log10(scale))) - 1)
    for count in range(1 + int(_MOST_LARGER * scale / step)):
        yield min(1.0, float(np.round(scale + count * step, 12)))


def check_speed(speed: float, scenario: Scenario, nominal: StackResponses) -> None:
    """Raise UsageError where the speed is so high that the run does not show what the event does."""
    fastest, why = fastest_speed(scenario, nominal)
    if speed > max(1.0, fastest):  # real time is always allowed
        raise UsageError(
            f"--speed {speed:g}x is too fast: {why}; up to {max(1.0, np.floor(fastest * 10) / 10):g}x would do"
        )


def fastest_speed(scenario: Scenario, nominal: StackResponses) -> tuple[float, str]:
    """Return the highest speed at which a run still shows what the event does, and what bounds it."""
    return min(_speed_limits(scenario, nominal), key=lambda limit: limit[0], default=(np.inf, ""))


def _speed_limits(scenario: Scenario, nominal: StackResponses) -> Iterator[tuple[float, str]]:
    """Yield the speeds beyond which responses take too much of a slot or of a think time, and why.

    Of a black box none: how long its replies take is not known.
    """
    if scenario.is_black_box:
        return
    for stack, responses in nominal.items():
        for step, response in responses.items():
            yield (
                SLOT_S / (_SLOT_RESPONSES * response.p99_s),
                f"a slot must last 10 nominal p99 of {step} in {stack} ({response.p99_s:.3f} s)",
            )
        for name, journey in scenario.journeys.items():
            think_s = float(np.mean([journey.think_s(step) for step in journey.next]))
            response_s = float(np.mean([responses[step].mean_s for step in journey.next]))
            yield (
                think_s / (_THINK_RESPONSES * response_s),
                f"mean think of {name} must be 3 nominal responses in {stack}",
            )
