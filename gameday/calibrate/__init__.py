"""The room where a model learns from what it models: parameters from runs, with intervals.

Job:   say what a target is, from what was measured of it, and what of it cannot be told.
In:    RunRecord, LoadPlan, Scenario.    Out: Calibration, an overlay over what the scenario declares.
Never: judge, order, send a byte.
"""

from typing import TYPE_CHECKING

from gameday.doors import opening

if TYPE_CHECKING:
    from gameday.calibrate.black_box import fit_black_box
    from gameday.calibrate.calibration import (
        FURTHEST,
        IN_USE,
        Calibration,
        Parameter,
        Source,
        Unidentified,
        as_declared,
        with_measured,
    )
    from gameday.calibrate.equivalent import Equivalent
    from gameday.calibrate.fit import calibrate_model
    from gameday.calibrate.knees import Knee, knees_of
    from gameday.calibrate.overlay import calibration_of, overlay_text, read_calibration
    from gameday.calibrate.own_times import calibrate_own_times
    from gameday.calibrate.scoring import PredictionScore, score_prediction

__all__ = [
    "FURTHEST",
    "IN_USE",
    "Calibration",
    "Equivalent",
    "Knee",
    "Parameter",
    "PredictionScore",
    "Source",
    "Unidentified",
    "as_declared",
    "calibrate_model",
    "calibrate_own_times",
    "calibration_of",
    "fit_black_box",
    "knees_of",
    "overlay_text",
    "read_calibration",
    "score_prediction",
    "with_measured",
]

if not TYPE_CHECKING:
    __getattr__ = opening(
        __name__,
        {
            "FURTHEST": "calibration",
            "IN_USE": "calibration",
            "Calibration": "calibration",
            "Equivalent": "equivalent",
            "fit_black_box": "black_box",
            "Knee": "knees",
            "knees_of": "knees",
            "Parameter": "calibration",
            "PredictionScore": "scoring",
            "score_prediction": "scoring",
            "Source": "calibration",
            "Unidentified": "calibration",
            "as_declared": "calibration",
            "calibrate_model": "fit",
            "calibrate_own_times": "own_times",
            "calibration_of": "overlay",
            "read_calibration": "overlay",
            "overlay_text": "overlay",
            "with_measured": "calibration",
        },
    )
