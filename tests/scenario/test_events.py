"""Conformance: every kind of event, the same promises."""

from __future__ import annotations

import math
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gameday.scenario import events
from gameday.scenario.events import KINDS, EventKind, Launch

FOLDER = Path(events.__file__).parent
MODULES = sorted(file.stem for file in FOLDER.glob("*.py") if file.stem != "__init__")
EVERY_KIND = pytest.mark.parametrize("kind", KINDS.values(), ids=list(KINDS))


def launch_of(half_life: str) -> Launch:
    return Launch.model_validate_json(
        '{"product": "p", "at": {"us": "2027-07-13T18:00"}, "crowd": {"us": 1000},'
        f' "stock": {{"us": 10}}, "half_life": "{half_life}"}}'
    )


def test_every_module_of_the_folder_is_a_kind_and_every_kind_a_module() -> None:
    assert sorted(KINDS) == MODULES


@EVERY_KIND
def test_a_kinds_file_has_its_name(kind: EventKind) -> None:
    assert kind.__module__.rsplit(".", 1)[-1] == kind.name
    assert kind.__name__.lower() == kind.name.replace("_", "")
    assert KINDS[kind.name] is kind


@EVERY_KIND
def test_a_kinds_knots_strictly_increase_and_are_finite(kind: EventKind) -> None:
    for knots in (kind.start_knots_min, kind.end_knots_min):
        assert all(math.isfinite(k) for k in knots)
        assert all(a < b for a, b in pairwise(knots))


@EVERY_KIND
def test_a_kind_says_whether_it_has_a_plateau_and_what_is_not_learned(kind: EventKind) -> None:
    assert isinstance(kind.plateau, bool)
    assert kind.masked_min is None or kind.masked_min > 0


@EVERY_KIND
@given(
    minutes=st.lists(st.integers(-60 * 24 * 400, 60 * 24 * 400), max_size=40),
    length=st.integers(1, 60 * 24 * 30),
)
def test_the_effect_is_finite_and_shaped_like_its_input(
    kind: EventKind, minutes: list[int], length: int
) -> None:
    start = np.array(minutes, float)
    effect = kind.log_effect(start, start - length)
    assert effect.shape == start.shape
    assert effect.dtype == float
    assert np.isfinite(effect).all()


@EVERY_KIND
@pytest.mark.parametrize("shape", [(), (0,), (7,), (3, 5)])
def test_the_effect_keeps_any_shape_and_leaves_its_input_alone(
    kind: EventKind, shape: tuple[int, ...]
) -> None:
    start = np.full(shape, 30.0)
    end = start - 120.0
    assert np.shape(kind.log_effect(start, end)) == shape
    assert (start == 30.0).all()
    assert (end == -90.0).all()


@EVERY_KIND
def test_the_effect_of_whole_minutes_is_that_of_the_same_floats(kind: EventKind) -> None:
    whole = np.arange(-600, 600)
    np.testing.assert_array_equal(
        kind.log_effect(whole, whole - 240), kind.log_effect(whole * 1.0, whole - 240.0)
    )


@EVERY_KIND
def test_long_before_and_long_after_an_event_nothing_is_left_of_it(kind: EventKind) -> None:
    far = np.array([-60 * 24 * 30.0, 60 * 24 * 30.0])
    assert np.abs(kind.log_effect(far, far - 1440.0)).max() < 0.01


@pytest.mark.parametrize("name", ["sale", "match", "season"])
def test_in_the_middle_of_an_event_traffic_is_above_the_ordinary(name: str) -> None:
    middle = np.array([60.0])
    assert KINDS[name].log_effect(middle, middle - 180.0)[0] > 0.2


@pytest.mark.parametrize("half_life", ["30s", "1m", "4m", "15m"])
def test_the_shares_of_a_launchs_crowd_sum_to_1_and_halve_each_half_life(half_life: str) -> None:
    launch = launch_of(half_life)
    minutes = np.arange(-30, 2000)
    assert launch.half_life is not None
    share = launch.crowd_share(minutes, launch.half_life)
    assert share.sum() == pytest.approx(1.0)
    assert (share[minutes < 0] == 0).all()
    assert (share >= 0).all()
    step = max(1, round(launch.half_life / 60))
    at = 30
    expected = 0.5 ** (step * 60 / launch.half_life)
    assert share[at + step] / share[at] == pytest.approx(expected)
