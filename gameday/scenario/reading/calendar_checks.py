"""What must hold of events, launches, the forecast and the history: regions, kinds, instants that exist."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from holidays import list_supported_countries

from gameday.scenario.blocks.forecasting import Stretch
from gameday.scenario.blocks.history_block import Synthetic
from gameday.scenario.events import KINDS, Launch
from gameday.scenario.faults import Fault, FaultPath, unknown
from gameday.scenario.model import CalendarEvent, Scenario
from gameday.scenario.units import local_to_utc, sums_to_one

__all__ = ["event_faults", "forecast_faults", "history_faults", "launch_faults"]


def event_faults(scenario: Scenario) -> Iterator[Fault]:
    """Yield what is wrong with the events of the calendar and with its holidays."""
    yield from _calendar_event_faults(scenario, ("event",), scenario.event)
    for i, event in enumerate(scenario.calendar.events):
        yield from _calendar_event_faults(scenario, ("calendar", "events", i), event)
    for region, country in scenario.calendar.holidays.items():
        path = ("calendar", "holidays", region)
        yield from unknown(path, "region", region, scenario.regions)
        yield from unknown(path, "country", country, sorted(list_supported_countries()))
    if scenario.event.regions is not None and set(scenario.event.regions) != set(scenario.regions):
        yield ("event", "regions"), "must be absent: a scenario's event is in all its regions"


def _calendar_event_faults(
    scenario: Scenario, path: FaultPath, event: CalendarEvent
) -> Iterator[Fault]:
    yield from unknown((*path, "kind"), "kind of event", event.kind, KINDS)
    for i, region in enumerate(event.regions or ()):
        yield from unknown((*path, "regions", i), "region", region, scenario.regions)
    for region in event.regions or scenario.regions:
        if region in scenario.regions:
            yield from _local_time_faults(scenario, (*path, "start"), event.start, region)


def _local_time_faults(
    scenario: Scenario, path: FaultPath, local: datetime, region: str
) -> Iterator[Fault]:
    """Yield the fault of a local time that daylight saving skips or repeats."""
    try:
        local_to_utc(local, scenario.regions[region].zone)
    except ValueError as error:
        yield path, f"{error}; choose another minute"


def forecast_faults(scenario: Scenario) -> Iterator[Fault]:
    """Yield regions and steps of the forecast block that do not exist."""
    block = scenario.forecast
    for i, stretch in enumerate(block.mask):
        yield from _stretch_faults(scenario, ("forecast", "mask", i), stretch)
    for i, stretch in enumerate(block.keep):
        yield from _stretch_faults(scenario, ("forecast", "keep", i), stretch)
    for name, regressor in block.ingredients.regressors.items():
        for region in dict.fromkeys(regressor.regions or ()):
            path = ("forecast", "ingredients", "regressors", name, "regions")
            yield from unknown(path, "region", region, scenario.regions)


def _stretch_faults(scenario: Scenario, path: FaultPath, stretch: Stretch) -> Iterator[Fault]:
    if stretch.region is not None:
        yield from unknown((*path, "region"), "region", stretch.region, scenario.regions)
    if stretch.step is not None:
        yield from unknown((*path, "step"), "step", stretch.step, scenario.steps)


def history_faults(scenario: Scenario) -> Iterator[Fault]:
    """Yield a history that knows its event, and what is wrong with a synthetic one."""
    block = scenario.history
    starts = [
        scenario.span(scenario.event, region)[0]
        for region in scenario.regions
        if not list(_local_time_faults(scenario, (), scenario.event.start, region))
    ]
    if starts and block.until > min(starts):
        yield ("history", "until"), "is after the event's start; a forecast must not know its event"
    if block.synthetic is not None:
        yield from _synthetic_faults(scenario, block.synthetic)


def _synthetic_faults(scenario: Scenario, synthetic: Synthetic) -> Iterator[Fault]:
    base: FaultPath = ("history", "synthetic")
    for region in synthetic.sessions_per_day:
        yield from unknown((*base, "sessions_per_day", region), "region", region, scenario.regions)
    for region in scenario.regions:
        if region not in synthetic.sessions_per_day:
            yield (*base, "sessions_per_day"), f"lacks region '{region}'"
    daily = [name for name, journey in scenario.journeys.items() if journey.launch is None]
    for name in synthetic.journeys:
        yield from unknown((*base, "journeys", name), "journey", name, daily)
    if not sums_to_one(total := sum(synthetic.journeys.values())):
        yield (*base, "journeys"), f"sums to {total:g}, not 1"


def launch_faults(scenario: Scenario) -> Iterator[Fault]:
    """Yield launches of one product, of products or in regions that do not exist, or without stock."""
    sold: dict[str, str] = {}
    for name, launch in scenario.launches.items():
        path = ("launches", name)
        if (other := sold.setdefault(launch.product, name)) != name:
            fault = f"is what launch '{other}' sells; give each a product of its own"
            yield (*path, "product"), fault
        yield from unknown((*path, "product"), "product", launch.product, scenario.products)
        yield from _release_faults(scenario, path, launch)
        for field in ("crowd", "stock", "admits"):
            for region in getattr(launch, field) or ():
                yield from unknown((*path, field, region), "region", region, launch.at)


def _release_faults(scenario: Scenario, path: FaultPath, launch: Launch) -> Iterator[Fault]:
    for region, local in launch.at.items():
        if faults := unknown((*path, "at", region), "region", region, scenario.regions):
            yield from faults
            continue
        yield from _local_time_faults(scenario, (*path, "at", region), local, region)
        if region not in launch.stock:
            yield (*path, "stock"), f"lacks region '{region}', which `at` names"
