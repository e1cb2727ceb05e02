"""The ingredients of a forecast: log(1 + count) is their sum. One file an ingredient.

Each holds what a person may set of it, and the columns that it adds to the design matrix. A new one is a file and
a line in `Ingredients`.
"""

from typing import TYPE_CHECKING

from gameday.doors import opening

if TYPE_CHECKING:
    from gameday.scenario.ingredients.block import Ingredients
    from gameday.scenario.ingredients.regressors import Regressor
    from gameday.scenario.ingredients.when import MonthDays, Occurrence, Origin, Part, Shape, When

__all__ = [
    "Ingredients",
    "MonthDays",
    "Occurrence",
    "Origin",
    "Part",
    "Regressor",
    "Shape",
    "When",
]

if not TYPE_CHECKING:
    __getattr__ = opening(
        __name__,
        {
            "Ingredients": "block",
            "MonthDays": "when",
            "Occurrence": "when",
            "Origin": "when",
            "Part": "when",
            "Regressor": "regressors",
            "Shape": "when",
            "When": "when",
        },
    )
