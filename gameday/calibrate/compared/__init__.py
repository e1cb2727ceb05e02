"""A measured run and the model of it side by side: what both show, and how far apart they are."""

from typing import TYPE_CHECKING

from gameday.doors import opening

if TYPE_CHECKING:
    from gameday.calibrate.compared.discrepancy import Row, distance, rows_of
    from gameday.calibrate.compared.observed import Look, StackObserved
    from gameday.calibrate.compared.stack_model import StackModel, Target

__all__ = ["Look", "Row", "StackModel", "StackObserved", "Target", "distance", "rows_of"]

if not TYPE_CHECKING:
    __getattr__ = opening(
        __name__,
        {
            "Look": "observed",
            "Row": "discrepancy",
            "StackModel": "stack_model",
            "StackObserved": "observed",
            "Target": "stack_model",
            "distance": "discrepancy",
            "rows_of": "discrepancy",
        },
    )
