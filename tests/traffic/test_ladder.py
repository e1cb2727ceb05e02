"""A ladder of loads: constant steps at the peak's mix, each long enough to be measured."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from gameday.cli.options import ladder_of
from gameday.errors import UsageError
from gameday.traffic import ReplayOptions
from gameday.traffic.plan import (
    LADDER_SLOTS,
    check_ladder,
    ladder_options,
    ladder_plan,
    ladder_steps,
)
from gameday.vocabulary import SLOT_S
from tests.support.small_runs import busy_shop, played


def test_each_step_is_its_share_of_the_peak_for_all_its_slots(tmp_path: Path) -> None:
    plan = played(busy_shop(tmp_path), 20.0, slots=30)
    ladder = ladder_plan(plan, (0.25, 0.5, 1.0))
    per_slot = ladder.starts.sum(axis=(0, 1))[ladder.lead_in :]
    levels = [per_slot[step] for step in ladder_steps(ladder)]
    assert [len(level) for level in levels] == [LADDER_SLOTS] * 3
    assert all(np.ptp(level) < 1e-9 for level in levels)
    assert levels[0][0] == pytest.approx(levels[2][0] / 4)
    mix = ladder.forecast[0, :, -1] / ladder.forecast[0, :, -1].sum()
    assert mix == pytest.approx(plan.forecast[0, :, -1] / plan.forecast[0, :, -1].sum())
    whole = ladder.clock.played(ladder.starts).sum()
    assert abs(ladder.played.sum() - whole) < 2
    assert ladder.arrivals().at_s.max() < ladder.duration_s


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("25", "2 to 20 steps"),
        ("50,25", "higher than the one before"),
        ("25,25,50", "higher than the one before"),
        ("0,50", "above 0"),
        ("50,900%", "at most 500%"),
        ("25,fifty", "as 25,50,75,100%"),
        ("0.25,0.5,1", "is in per cent"),
    ],
)
def test_what_is_no_ladder_is_refused(typed: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        check_ladder(ladder_of(typed))


def test_a_ladder_is_typed_with_or_without_percent_signs() -> None:
    assert ladder_of("25, 50,100%") == (0.25, 0.5, 1.0)
    assert ladder_of(None) == ()


def test_the_duration_asked_for_is_that_of_all_its_steps() -> None:
    shares = (0.25, 0.5, 1.0)
    asked = ladder_options(ReplayOptions(duration_s=90.0), shares)
    assert len(shares) * LADDER_SLOTS * SLOT_S / asked.speed == pytest.approx(90.0)
    assert asked.duration_s is None
    assert ladder_options(ReplayOptions(speed=20.0), shares) == ReplayOptions(speed=20.0)
    with pytest.raises(UsageError, match="longer than the ladder at real speed"):
        ladder_options(ReplayOptions(duration_s=1e6), shares)
