"""Snowplow's enriched events, with a head."""

from __future__ import annotations

from gameday.history.exports.export import Export

__all__ = ["SNOWPLOW"]

SNOWPLOW = Export(
    name="snowplow",
    time=("derived_tstamp", "collector_tstamp"),
    event=("se_action", "event_name"),
    user=("domain_userid", "network_userid"),
    session=("domain_sessionid",),
    order=("tr_orderid", "ti_orderid"),
    steps={
        "page_view": None,
        "page_ping": None,
        "transaction": "checkout",
        "transaction_item": None,
    },
    signs=("collector_tstamp", "domain_userid", "domain_sessionid"),
)
"""Source: Snowplow, "Canonical event model"."""
