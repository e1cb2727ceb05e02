"""The load plan: when sessions start, what they are about, how fast and large a run is."""

from typing import TYPE_CHECKING

from gameday.doors import opening

if TYPE_CHECKING:
    from gameday.traffic.plan.early_checks import check_options
    from gameday.traffic.plan.launch_day import LaunchDay, launch_days
    from gameday.traffic.plan.mix import ProductMix
    from gameday.traffic.plan.nominal import Nominal
    from gameday.traffic.plan.plan_outlook import Outlook, outlook
    from gameday.traffic.plan.stock import StockRow, sold_orders, stock_rows

__all__ = [
    "LaunchDay",
    "Nominal",
    "Outlook",
    "ProductMix",
    "StockRow",
    "check_options",
    "launch_days",
    "outlook",
    "sold_orders",
    "stock_rows",
]

if not TYPE_CHECKING:
    __getattr__ = opening(
        __name__,
        {
            "LaunchDay": "launch_day",
            "Nominal": "nominal",
            "Outlook": "plan_outlook",
            "ProductMix": "mix",
            "StockRow": "stock",
            "check_options": "early_checks",
            "launch_days": "launch_day",
            "outlook": "plan_outlook",
            "sold_orders": "stock",
            "stock_rows": "stock",
        },
    )
