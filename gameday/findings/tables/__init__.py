"""What a run came to, row by row, as its report shows it."""

from typing import TYPE_CHECKING

from gameday.doors import opening

if TYPE_CHECKING:
    from gameday.findings.tables.accounts import Accounts, accounts_of
    from gameday.findings.tables.objectives import ObjectiveRow, objective_rows
    from gameday.findings.tables.run_tables import (
        Compared,
        Followed,
        MachineRow,
        RedirectRow,
        ServiceRow,
        StepRow,
        followed,
        machine_row,
        redirect_rows,
        service_rows,
        step_rows,
    )
    from gameday.findings.tables.series_by_slot import SlotSeries, slot_series
    from gameday.findings.tables.sold_out import RunSellOut, sell_outs_of_run

__all__ = [
    "Accounts",
    "Compared",
    "Followed",
    "MachineRow",
    "ObjectiveRow",
    "RedirectRow",
    "RunSellOut",
    "ServiceRow",
    "SlotSeries",
    "StepRow",
    "accounts_of",
    "followed",
    "machine_row",
    "objective_rows",
    "redirect_rows",
    "sell_outs_of_run",
    "service_rows",
    "slot_series",
    "step_rows",
]

if not TYPE_CHECKING:
    __getattr__ = opening(
        __name__,
        {
            "Accounts": "accounts",
            "Compared": "run_tables",
            "Followed": "run_tables",
            "MachineRow": "run_tables",
            "ObjectiveRow": "objectives",
            "RedirectRow": "run_tables",
            "RunSellOut": "sold_out",
            "ServiceRow": "run_tables",
            "SlotSeries": "series_by_slot",
            "StepRow": "run_tables",
            "accounts_of": "accounts",
            "followed": "run_tables",
            "machine_row": "run_tables",
            "objective_rows": "objectives",
            "redirect_rows": "run_tables",
            "sell_outs_of_run": "sold_out",
            "service_rows": "run_tables",
            "slot_series": "series_by_slot",
            "step_rows": "run_tables",
        },
    )
