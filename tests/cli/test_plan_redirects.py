"""What `gameday plan` says of redirects: declared ones are counted, others are said to be missing."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np

from gameday.jobs.plan import _redirects

PLAN: Any = SimpleNamespace(regions=("us",), steps=("home", "cart"))
LAST = {"run_id": "r7", "redirects": {"home": {"sent": 200, "followed": 100, "declared": 0}}}


def seen(declared: float) -> Any:
    """Return an outlook of 100 steps home and 10 to the cart."""
    return SimpleNamespace(redirects=declared, steps=np.array([[[60.0, 40.0], [10.0, 0.0]]]))


def test_what_the_last_run_followed_is_said_for_the_steps_of_this_plan() -> None:
    redirects = _redirects(PLAN, seen(0.0), LAST)
    text = redirects.text
    assert text.startswith("redirects are not included in the requests: no exchange declares any")
    assert text.endswith("as run r7 followed them, they come to 50 for this plan")
    assert (redirects.last_run, redirects.as_in_last_run) == ("r7", 50)


def test_declared_redirects_are_said_to_be_in_and_without_a_run_nothing_tells() -> None:
    text = _redirects(PLAN, seen(30.0), {}).text
    assert text.startswith("of the requests 30 are redirects, as declared")
    assert text.endswith("no run of this event is there to tell")
