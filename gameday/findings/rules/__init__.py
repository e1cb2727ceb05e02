"""Finding rules; one rule, one file. Each looks at the evidence and yields every test it made."""

from collections.abc import Callable, Iterator

from gameday.findings.evidence import Evidence
from gameday.findings.finding import Candidate
from gameday.findings.rules.cold_cache import look_for_cold_cache
from gameday.findings.rules.disagreement import look_for_disagreement
from gameday.findings.rules.displaced import look_for_displaced
from gameday.findings.rules.lost_orders import look_for_lost_orders
from gameday.findings.rules.lost_zone import look_for_lost_zone
from gameday.findings.rules.metastable import look_for_metastable
from gameday.findings.rules.missed_objective import look_for_missed_objective
from gameday.findings.rules.peak_not_borne import look_for_peak_not_borne
from gameday.findings.rules.retry_storm import look_for_retry_storm
from gameday.findings.rules.saturation import look_for_saturation
from gameday.findings.rules.slow_scaling import look_for_slow_scaling
from gameday.findings.rules.small_pool import look_for_small_pool
from gameday.findings.rules.turned_away import look_for_turned_away

__all__ = ["RULES"]

RULES: tuple[Callable[[Evidence], Iterator[Candidate]], ...] = (
    look_for_missed_objective,
    look_for_metastable,
    look_for_retry_storm,
    look_for_cold_cache,
    look_for_slow_scaling,
    look_for_small_pool,
    look_for_lost_zone,
    look_for_peak_not_borne,
    look_for_saturation,
    look_for_turned_away,
    look_for_displaced,
    look_for_lost_orders,
    look_for_disagreement,
)
