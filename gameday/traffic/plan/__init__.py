"""The load plan: when sessions start, what they are about, how fast and large a run is."""

from typing import TYPE_CHECKING

from gameday.doors import opening

if TYPE_CHECKING:
    from gameday.traffic.plan.early_checks import check_options
    from gameday.traffic.plan.ladder import (
        LADDER_SLOTS,
        check_ladder,
        ladder_options,
        ladder_plan,
        ladder_steps,
    )
    from gameday.traffic.plan.launch_day import LaunchDay, launch_days
    from gameday.traffic.plan.mix import ProductMix
    from gameday.traffic.plan.nominal import Nominal
    from gameday.traffic.plan.plan_json import plan_of_json, plan_to_json
    from gameday.traffic.plan.plan_outlook import Outlook, outlook
    from gameday.traffic.plan.products import minutes_of_day
    from gameday.traffic.plan.stock import StockRow, sold_orders, stock_rows

__all__ = [
    "minutes_of_day",
    "LADDER_SLOTS",
    "LaunchDay",
    "Nominal",
    "Outlook",
    "ProductMix",
    "StockRow",
    "check_ladder",
    "check_options",
    "ladder_options",
    "ladder_plan",
    "ladder_steps",
    "launch_days",
    "outlook",
    "plan_of_json",
    "plan_to_json",
    "sold_orders",
    "stock_rows",
]

if not TYPE_CHECKING:
    __getattr__ = opening(
        __name__,
        {
            "minutes_of_day": "products",
            "LADDER_SLOTS": "ladder",
            "LaunchDay": "launch_day",
            "check_ladder": "ladder",
            "ladder_options": "ladder",
            "ladder_plan": "ladder",
            "ladder_steps": "ladder",
            "Nominal": "nominal",
            "Outlook": "plan_outlook",
            "ProductMix": "mix",
            "StockRow": "stock",
            "check_options": "early_checks",
            "launch_days": "launch_day",
            "outlook": "plan_outlook",
            "plan_of_json": "plan_json",
            "plan_to_json": "plan_json",
            "sold_orders": "stock",
            "stock_rows": "stock",
        },
    )
