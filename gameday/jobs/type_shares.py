"""Product types of an event: shares by region and hour from order lines, and as an overlay of the scenario."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from gameday.errors import UsageError
from gameday.files import write_whole
from gameday.forecast import Demand, demand_of, fit
from gameday.forecast.uncertainty import ShareErrors, mean_shares, share_errors, share_paths
from gameday.history import read_typed_orders
from gameday.live import Show
from gameday.scenario import Scenario, load_scenario
from gameday.scenario.reading import to_yaml
from gameday.traffic.plan import minutes_of_day
from gameday.vocabulary import Array, Seed

__all__ = ["TypeAnswer", "TypeOrder", "TypeShare", "forecast_types"]

_PATHS = 200
"""Days drawn for the quantiles of shares."""
_LEVELS = (0.1, 0.9)


@dataclass(frozen=True, slots=True)
class TypeOrder:
    """What is asked for."""

    event: str
    orders: Path
    seed: Seed
    type_column: str | None = None
    out: Path | None = None
    """Parquet to write: every minute, region and type."""
    overlay: Path | None = None
    """YAML to write: `products.*.share` and `hours` of the event, to include in the scenario."""


@dataclass(frozen=True, slots=True)
class TypeShare:
    """A product type's share of a region's orders in the event."""

    region: str
    type: str
    share: float
    """On average, weighted by the orders expected."""
    low: float
    """p10 of the event's share, over days that could happen."""
    high: float
    hours: tuple[float, ...]
    """In each local hour of the event, 24; NaN where the event holds none of that hour."""


@dataclass(frozen=True, slots=True)
class TypeAnswer:
    """Shares of all types."""

    event: str
    rows: tuple[TypeShare, ...]
    errors: ShareErrors
    notes: tuple[str, ...]


def forecast_types(order: TypeOrder, show: Show) -> TypeAnswer:
    """Forecast the shares of product types in the event, and write what is asked for.

    HistoryError where order lines are unsound or hold less than 14 days; UsageError where an overlay is asked for
    a scenario without products.
    """
    scenario = load_scenario(order.event)
    if order.overlay is not None and not scenario.products:
        raise UsageError(f"--overlay: {order.event} has no products whose shares could be replaced")
    typed = read_typed_orders(order.orders, scenario, order.type_column)
    for note in typed.notes:
        show.say(f"orders: {note}")
    # A launch's orders are of the type that is sold, and come on top of the day's.
    plain = scenario.model_copy(update={"launches": {}})
    fitted = fit(plain, typed)
    demand = demand_of(plain, fitted)
    shares = _Shares(scenario, demand, mean_shares(demand), share_paths(demand, _PATHS, order.seed))
    notes = (*_launch_notes(scenario), *demand.notes)
    answer = TypeAnswer(
        scenario.event.name, tuple(shares.rows()), share_errors(fitted.models), notes
    )
    if order.out is not None:
        table = shares.table()
        write_whole(order.out, lambda path: table.to_parquet(path, index=False))
    if order.overlay is not None:
        text = to_yaml(_overlay(scenario, answer.rows))
        write_whole(order.overlay, lambda path: path.write_text(text, encoding="utf-8"))
    return answer


def _launch_notes(scenario: Scenario) -> list[str]:
    """Return a note on each launch, whose orders are in no share."""
    return [
        f"launch {name}: its orders come on top of these shares, all of type '{launch.product}'"
        for name, launch in scenario.launches.items()
    ]


@dataclass(frozen=True, slots=True)
class _Shares:
    """Shares of types by the minute."""

    scenario: Scenario
    demand: Demand
    """Of orders; its axis `step` is the types."""
    mean: Array
    """Shape (regions, types, slots)."""
    paths: Array
    """Of days that could happen, shape (number, regions, types, slots)."""

    def rows(self) -> Iterator[TypeShare]:
        """Yield each type's share of each region's event."""
        for r in range(len(self.demand.regions)):
            for t in range(len(self.demand.steps)):
                yield self._row(r, t)

    def _row(self, r: int, t: int) -> TypeShare:
        span = slice(*self.demand.spans[r])
        orders = self.demand.mean[r, :, span].sum(axis=0)
        weight = orders / max(float(orders.sum()), 1e-12)
        inside, hour = self.mean[r, t, span], self._local_hours(r)[span]
        low, high = np.quantile(self.paths[:, r, t, span] @ weight, _LEVELS)
        return TypeShare(
            region=self.demand.regions[r],
            type=self.demand.steps[t],
            share=float(inside @ weight),
            low=float(low),
            high=float(high),
            hours=tuple(_mean(inside[hour == h], weight[hour == h]) for h in range(24)),
        )

    def _local_hours(self, r: int) -> Array:
        zone = self.scenario.regions[self.demand.regions[r]].zone
        return minutes_of_day(zone, self.demand.grid) // 60

    def table(self) -> pd.DataFrame:
        """Return every minute: region, type, slot_utc, its share and that share's quantiles."""
        demand = self.demand
        minutes = pd.to_datetime(demand.grid.minutes(), unit="m", utc=True)
        index = pd.MultiIndex.from_product(
            [demand.regions, demand.steps, minutes], names=["region", "type", "slot_utc"]
        )
        low, high = np.quantile(self.paths, _LEVELS, axis=0)
        columns = {"share": self.mean, "p10": low, "p90": high}
        flat = {name: values.ravel() for name, values in columns.items()}
        return pd.DataFrame(flat, index=index).reset_index()


def _mean(values: Array, weight: Array) -> float:
    """Return a weighted mean; NaN of none."""
    return float(np.average(values, weights=weight + 1e-12)) if len(values) else float("nan")


def _overlay(scenario: Scenario, rows: tuple[TypeShare, ...]) -> dict[str, object]:
    """Return the products' shares and hours in the event; a type without orders has a share of 0."""
    names = {row.type for row in rows}
    lacking = [name for name in scenario.products if name not in names]
    products: dict[str, object] = {
        name: {
            "share": {row.region: row.share for row in rows if row.type == name},
            "hours": _hours([row for row in rows if row.type == name]),
        }
        for name in sorted(names)
    }
    products |= {name: {"share": dict.fromkeys(scenario.regions, 0.0)} for name in lacking}
    return {"products": products}


def _hours(rows: list[TypeShare]) -> dict[str, list[float]]:
    """Return region -> a type's weight in each local hour, over its mean share; 1 of hours not in the event."""
    return {
        row.region: [
            1.0 if math.isnan(share) else round(share / max(row.share, 1e-12), 4)
            for share in row.hours
        ]
        for row in rows
    }
