"""Finding rules; one rule, one file. Each looks at the evidence and yields every test it made."""

from gameday.findings.causes import CAUSES
from gameday.findings.rule import Rule
from gameday.findings.rules import (
    cold_cache,
    disagreement,
    lost_orders,
    lost_zone,
    metastable,
    missed_objective,
    peak_not_borne,
    retry_storm,
    saturation,
    shedding,
    slow_scaling,
    small_pool,
    unreached_steps,
)

__all__ = ["RULES"]

RULES: dict[str, Rule] = {rule.name: rule for rule in CAUSES} | {
    module.RULE.name: module.RULE
    for module in (
        missed_objective,
        metastable,
        retry_storm,
        cold_cache,
        slow_scaling,
        small_pool,
        lost_zone,
        peak_not_borne,
        saturation,
        shedding,
        unreached_steps,
        lost_orders,
        disagreement,
    )
}
"""Name -> rule, in the order in which they look: causes, then what follows from them."""
