"""How good a forecast is: rolling origins, measures, rivals beside it."""

from typing import TYPE_CHECKING

from gameday.doors import opening

if TYPE_CHECKING:
    from gameday.forecast.evaluation.accuracy import RoundedAccuracy
    from gameday.forecast.evaluation.backtest import Backtest, backtest_forecast, origins_of
    from gameday.forecast.evaluation.benchmark import backtest_wape, benchmark_words, wape_words
    from gameday.forecast.evaluation.leave_one_event_out import main_kind
    from gameday.forecast.evaluation.outlier_effect import outlier_rows
    from gameday.forecast.evaluation.review import (
        IngredientError,
        PeakReview,
        ReviewRow,
        ingredient_errors,
        peak_review,
        review_rows,
    )
    from gameday.forecast.evaluation.scores import (
        ActualsScore,
        DemandSeries,
        actuals_table,
        demand_series,
        thin,
    )

__all__ = [
    "ActualsScore",
    "Backtest",
    "DemandSeries",
    "IngredientError",
    "PeakReview",
    "ReviewRow",
    "RoundedAccuracy",
    "actuals_table",
    "backtest_forecast",
    "backtest_wape",
    "demand_series",
    "ingredient_errors",
    "main_kind",
    "origins_of",
    "outlier_rows",
    "peak_review",
    "review_rows",
    "benchmark_words",
    "thin",
    "wape_words",
]

if not TYPE_CHECKING:
    __getattr__ = opening(
        __name__,
        {
            "Backtest": "backtest",
            "ActualsScore": "scores",
            "DemandSeries": "scores",
            "IngredientError": "review",
            "PeakReview": "review",
            "ReviewRow": "review",
            "RoundedAccuracy": "accuracy",
            "actuals_table": "scores",
            "backtest_forecast": "backtest",
            "backtest_wape": "benchmark",
            "demand_series": "scores",
            "ingredient_errors": "review",
            "main_kind": "leave_one_event_out",
            "origins_of": "backtest",
            "outlier_rows": "outlier_effect",
            "peak_review": "review",
            "review_rows": "review",
            "benchmark_words": "benchmark",
            "thin": "scores",
            "wape_words": "benchmark",
        },
    )
