"""Laws of the tie: children sum to their parents, days keep their shape, what is sure moves little."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from gameday.forecast.data.training_data import daily
from gameday.forecast.model.blend import FACTORS, INGREDIENTS, RECONCILIATION
from gameday.forecast.model.reconciliation import reconcile_tree, reconciled_models
from tests.support.made_up import counts_of, past_of

COUNTS = st.floats(0.1, 1e6)
CHILDREN = arrays(float, (3, 4), elements=COUNTS)
SPREADS = arrays(float, (3, 4), elements=st.floats(0.01, 1e5))
PARENTS = arrays(float, (3,), elements=st.floats(1, 1e7))


@given(
    children=CHILDREN,
    parent=PARENTS,
    spread=SPREADS,
    own=arrays(float, (3,), elements=st.floats(0.01, 1e5)),
)
def test_children_move_toward_their_parent_and_never_beyond_it(
    children: np.ndarray, parent: np.ndarray, spread: np.ndarray, own: np.ndarray
) -> None:
    moved = reconcile_tree(children, parent, spread, own)
    before, after = parent - children.sum(axis=1), parent - moved.sum(axis=1)
    assert (moved >= 0).all()
    assert (np.abs(after) <= np.abs(before) + 1e-6 * parent).all()


@given(children=CHILDREN, spread=SPREADS)
def test_where_they_agree_nothing_moves(children: np.ndarray, spread: np.ndarray) -> None:
    moved = reconcile_tree(children, children.sum(axis=1), spread, np.ones(3))
    np.testing.assert_allclose(moved, children, rtol=1e-9, atol=1e-6)


def test_it_is_weighted_least_squares() -> None:
    rng = np.random.default_rng(1)
    children, spread = rng.uniform(50, 90, (1, 3)), rng.uniform(1, 9, (1, 3))
    parent, own = np.array([300.0]), np.array([4.0])
    summing = np.vstack([np.ones(3), np.eye(3)])
    weight = np.diag(1 / np.concatenate([own, spread[0]]) ** 2)
    told = np.concatenate([parent, children[0]])
    best = np.linalg.solve(summing.T @ weight @ summing, summing.T @ weight @ told)
    np.testing.assert_allclose(reconcile_tree(children, parent, spread, own)[0], best, rtol=1e-9)


def test_a_day_is_scaled_as_a_whole_and_the_ingredients_still_sum() -> None:
    past = past_of(counts_of(21, (300.0, 40.0), seed=1))
    model = reconciled_models([past], past.end_min, past.end_min + 3 * 1440, "sale")[0]
    minute = past.end_min + np.arange(0, 3 * 1440)
    factor = model.blend.parts(minute)[RECONCILIATION]
    for day in range(3):
        np.testing.assert_allclose(
            np.ptp(factor[1440 * day : 1440 * (day + 1)], axis=0), 0, atol=1e-12
        )
    parts = model.blend.parts(minute)
    terms = sum(part for name, part in parts.items() if name not in FACTORS)
    told = np.expm1(terms) * np.exp(sum(parts[name] for name in FACTORS))
    members = model.blend.members(minute)
    np.testing.assert_allclose(told, members[INGREDIENTS][1], rtol=1e-3)
    added = sum(share * counts for share, counts in members.values())
    np.testing.assert_allclose(added, model.blend.counts(minute), rtol=1e-9)
    assert model.blend.weights.shape[1] == 2


@pytest.mark.parametrize("gap", [0, 100, 400])
def test_a_day_is_known_when_nine_tenths_of_it_are(gap: int) -> None:
    counts = np.full((1, 5 * 1440), 10.0)
    counts[0, 1500 : 1500 + gap] = np.nan
    totals = daily(past_of(counts)).counts[0]
    np.testing.assert_array_equal(np.isnan(totals), [False, gap > 144, False, False, False])
    np.testing.assert_allclose(totals[~np.isnan(totals)], 14400, rtol=1e-6)
