"""What a scenario includes of a calibration: journeys and product types, as a person would write them."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Annotated

import numpy as np

from gameday.products import WhereKnown
from gameday.traffic.journeys.fitted import Calibration, FittedJourney, JourneyBlock, chances_of
from gameday.traffic.journeys.walked_sessions import WalkedBlock
from gameday.traffic.plan.mix import ProductBlock, ProductMix, product_block

__all__ = ["PATIENCE", "Proposal", "propose"]

_TYPE_NAME = r"[a-z][a-z0-9_-]{0,39}"
"""A product type that a scenario can name."""
PATIENCE = "8s"
"""Of proposed journeys: no log says when customers leave a slow page. Ours."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """The blocks of a scenario that a log says."""

    products: Annotated[dict[str, ProductBlock] | None, WhereKnown] = None
    """Absent where the log has no product types, or no region is known."""
    journeys: dict[str, JourneyBlock] | dict[str, WalkedBlock]


def propose(found: Calibration, regions: list[str]) -> Proposal:
    """Return what a scenario includes: journeys and product types, their shares by region.

    `regions` are the scenario's: where the log says none, each has the shares of the whole.
    """
    in_log = {region: region for region in found.journeys[0].regions if region != "all"}
    in_log = in_log or dict.fromkeys(regions, "all")
    if not in_log:
        return Proposal(journeys={j.name: j.block(PATIENCE) for j in found.journeys})
    types = [mix for mix in found.products if re.fullmatch(_TYPE_NAME, mix.name)]
    return Proposal(
        products=_product_blocks(types, in_log) if types else None,
        journeys=_journey_blocks(found.journeys, types, in_log),
    )


def _product_blocks(types: list[ProductMix], in_log: dict[str, str]) -> dict[str, ProductBlock]:
    """Return product type -> its block; `in_log`: region -> its name in the log."""
    shares = _by_region(_shares_among(types), in_log)
    return {mix.name: product_block(mix, share) for mix, share in zip(types, shares, strict=True)}


def _journey_blocks(
    journeys: tuple[FittedJourney, ...], types: list[ProductMix], in_log: dict[str, str]
) -> dict[str, JourneyBlock]:
    """Return journey -> its block with its shares; `in_log`: region -> its name in the log."""
    shares = _by_region([journey.regions for journey in journeys], in_log)
    return {
        journey.name: replace(
            journey.block(PATIENCE),
            share=share,
            hours=journey.hours,
            products=_own_types(journey, types),
        )
        for journey, share in zip(journeys, shares, strict=True)
    }


def _by_region(rows: list[dict[str, float]], in_log: dict[str, str]) -> list[dict[str, float]]:
    """Return region -> share of each row, rounded so that a region's shares sum to 1.

    `rows` hold shares by the log's names of regions; `in_log`: region -> its name in the log.
    """
    shares = {
        region: chances_of(np.array([row[name] for row in rows])) for region, name in in_log.items()
    }
    return [{region: share[n] for region, share in shares.items()} for n in range(len(rows))]


def _shares_among(types: list[ProductMix]) -> list[dict[str, float]]:
    """Return, by region, each type's share of the sessions that are about one of these types."""
    totals = {
        region: max(np.array([mix.share[region] for mix in types]).sum(), 1e-12)
        for region in types[0].share
    }
    return [{r: float(share / totals[r]) for r, share in mix.share.items()} for mix in types]


def _own_types(journey: FittedJourney, types: list[ProductMix]) -> dict[str, float] | None:
    """Return product type -> share of a journey's sessions about one; None where none is."""
    weights = np.array([journey.products.get(mix.name, 0.0) for mix in types])
    if not weights.any():
        return None
    chances = zip(types, chances_of(weights / weights.sum()), strict=True)
    return {mix.name: chance for mix, chance in chances if chance > 0}
