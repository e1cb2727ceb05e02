"""What a run says of a criterion, written once."""

from typing import TYPE_CHECKING

from gameday.doors import opening

if TYPE_CHECKING:
    from gameday.record.measures.of_criteria import (
        BAD,
        LATENESS_BOUND_S,
        LEAST_SAMPLES,
        LEAST_SLOTS,
        SATURATED,
        SATURATED_SLOTS,
        TURNED_AWAY,
        bad_slots,
        first_where,
        latency_rows,
        lateness_p99,
        least_samples,
        moving_mean,
        number_of,
        service_number,
        service_series,
        share_of,
        steps_of,
        visit_count,
    )

__all__ = [
    "BAD",
    "LATENESS_BOUND_S",
    "LEAST_SAMPLES",
    "LEAST_SLOTS",
    "SATURATED",
    "SATURATED_SLOTS",
    "TURNED_AWAY",
    "bad_slots",
    "first_where",
    "latency_rows",
    "lateness_p99",
    "least_samples",
    "moving_mean",
    "number_of",
    "service_number",
    "service_series",
    "share_of",
    "steps_of",
    "visit_count",
]

if not TYPE_CHECKING:
    __getattr__ = opening(
        __name__,
        {
            "BAD": "of_criteria",
            "LATENESS_BOUND_S": "of_criteria",
            "LEAST_SAMPLES": "of_criteria",
            "LEAST_SLOTS": "of_criteria",
            "SATURATED": "of_criteria",
            "SATURATED_SLOTS": "of_criteria",
            "TURNED_AWAY": "of_criteria",
            "bad_slots": "of_criteria",
            "first_where": "of_criteria",
            "latency_rows": "of_criteria",
            "lateness_p99": "of_criteria",
            "least_samples": "of_criteria",
            "moving_mean": "of_criteria",
            "number_of": "of_criteria",
            "service_number": "of_criteria",
            "service_series": "of_criteria",
            "share_of": "of_criteria",
            "steps_of": "of_criteria",
            "visit_count": "of_criteria",
        },
    )
