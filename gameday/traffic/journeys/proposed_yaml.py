"""What a scenario includes of a calibration: journeys and product types, as a person would write them."""

from __future__ import annotations

import re
from typing import Any

import numpy as np

from gameday.traffic.journeys.fitted import Calibration, chances_of
from gameday.traffic.plan.mix import block_of

__all__ = ["proposal"]


def proposal(found: Calibration, regions: list[str]) -> dict[str, Any]:
    """Return what a scenario includes: journeys and product types, their shares by region.

    `regions` are the scenario's: where the log says none, each has the shares of the whole.
    """
    there = [region for region in found.journeys[0].regions if region != "all"]
    names = {region: region for region in there} or dict.fromkeys(regions, "all")
    blocks = {one.name: one.block("8s") for one in found.journeys}
    types = [one for one in found.products if one.name in _sound_types(found)]
    products: dict[str, dict[str, float]] = {one.name: {} for one in types}
    for region, in_log in names.items():
        shares = chances_of(np.array([one.regions[in_log] for one in found.journeys]))
        for one, share in zip(found.journeys, shares, strict=True):
            blocks[one.name].setdefault("share", {})[region] = share
        of = np.array([one.share[in_log] for one in types])
        for kind, share in zip(
            types, chances_of(of / max(of.sum(), 1e-12)) if types else (), strict=True
        ):
            products[kind.name][region] = share
    if not names:
        return {"journeys": blocks}
    for one in found.journeys:
        if one.hours is not None:
            blocks[one.name]["hours"] = one.hours
        mix = np.array([one.products.get(kind.name, 0.0) for kind in types])
        if mix.any():
            pairs = zip(types, chances_of(mix / mix.sum()), strict=True)
            blocks[one.name]["products"] = {kind.name: share for kind, share in pairs if share > 0}
    if not types:
        return {"journeys": blocks}
    return {
        "products": {one.name: block_of(one, products[one.name]) for one in types},
        "journeys": blocks,
    }


def _sound_types(found: Calibration) -> set[str]:
    """Return the product types that a scenario can name."""
    return {one.name for one in found.products if re.fullmatch(r"[a-z][a-z0-9_-]{0,39}", one.name)}
