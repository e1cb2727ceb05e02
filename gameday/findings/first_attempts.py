"""What customers ask of services, before anybody asks again."""

from __future__ import annotations

import numpy as np

from gameday.run_record import STEPS, RunRecord
from gameday.scenario import Scenario
from gameday.simulate.offered import visits_per_s
from gameday.vocabulary import SLOT_S, Array

__all__ = ["first_attempts"]


def first_attempts(scenario: Scenario, run: RunRecord, stack: str) -> Array:
    """Return first attempts of the steps that went out, shape (services, slots of the window).

    Product types are shared out as in the stack's first region; what a cache answers is counted too.
    """
    sent = run.step_counts[run.stacks.index(stack), :, STEPS.index("achieved")][:, run.judged]
    regions = scenario.region_names
    placed = np.zeros((len(regions), *sent.shape))
    placed[regions.index(scenario.stack_regions(stack)[0])] = sent
    return visits_per_s(scenario, stack, placed) * SLOT_S
