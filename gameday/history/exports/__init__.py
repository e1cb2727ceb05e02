"""Exports of events by tools that shops use; one file a tool, listed here once.

Light to import: help texts name them.
"""

from __future__ import annotations

from collections.abc import Sequence

from gameday.history.exports.amplitude import AMPLITUDE
from gameday.history.exports.event_names import named_step_of
from gameday.history.exports.export import Export
from gameday.history.exports.ga4 import GA4
from gameday.history.exports.mixpanel import MIXPANEL
from gameday.history.exports.rees46 import REES46
from gameday.history.exports.retailrocket import RETAILROCKET
from gameday.history.exports.segment import SEGMENT
from gameday.history.exports.shopify import SHOPIFY
from gameday.history.exports.snowplow import SNOWPLOW

__all__ = ["EXPORTS", "Export", "export_of", "named_step_of"]

EXPORTS = {
    export.name: export
    for export in (GA4, REES46, RETAILROCKET, AMPLITUDE, MIXPANEL, SEGMENT, SNOWPLOW, SHOPIFY)
}


def export_of(columns: Sequence[str]) -> Export | None:
    """Return the export that a file with these columns is; None where it is none of them."""
    return next((export for export in EXPORTS.values() if export.is_of(columns)), None)
