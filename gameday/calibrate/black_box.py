"""A target of which nothing is known but how it answers: the equivalent station that answers like it.

Each reply takes some time that holds a server of one station, which all steps share, and some that
holds none (the network, the rest of the stack). How many servers there are, and which share of a
reply holds one, is what makes the model's waits grow with the load as the target's do. How long a
reply takes when nobody else is there follows for each station that is tried: in the least busy
slots its model answers as the target does.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np

from gameday.calibrate.calibration import FURTHEST
from gameday.calibrate.compared.discrepancy import discrepancy, rows_of
from gameday.calibrate.compared.observed import Answer, Look, StackObserved, mean_of
from gameday.calibrate.compared.stack_model import Target
from gameday.calibrate.equivalent import Equivalent, StepTime, with_station
from gameday.calibrate.robust import Estimate
from gameday.record.intervals import Interval, interval_of
from gameday.scenario import Scenario
from gameday.simulate import replicate_each
from gameday.vocabulary import Array, Band

__all__ = ["fit_black_box"]

_SERVERS = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64)
_SHARES = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
"""Shares of a reply that hold a server, which are tried."""
_REFINED = (0.9, 0.93, 0.96, 0.98, 1.02, 1.04, 1.07, 1.1)
"""Multiples of the best one that are tried then."""
_MOST_OFFERED, _LEAST_OFFERED = 1.6, 0.02
"""Offered load a server at the peak beyond which a station is not tried: it could not answer so
many, or would never queue."""
_ROUNDS, _STEPS_OF_ROUND = 2, 40_000
"""How often a station's times are corrected, and steps that its model plays for that."""
_MOST_CORRECTED = (0.4, 1.25)
"""Bounds of a correction."""
_FARTHER = 60.0
"""Squared standard deviations by which a station must be farther than one next to it before none beyond it is
tried. Ours: the distance has one minimum."""
_NEAR = 10.0
"""Squared standard deviations by which a station is farther than the nearest one and still about as near."""
_BUSIEST = 0.75
"""Share of the slots that carry less load than the busiest ones."""
_SURE, _HARDLY = 2.0, 0.3
"""Standard errors by which replies must take longer under load to wait; and the share of the others' wait below
which a step's replies hardly do. Ours."""
_LEAST_ROWS = 6
"""Numbers that must be compared: fewer fit any station. Ours."""
_STEPS = 90_000
"""Steps that the model plays to be compared. Ours: more of a long run tell little more."""
_LEAST_REPLICATIONS, _MOST_REPLICATIONS = 2, 6


@dataclass(frozen=True, slots=True)
class _Tried:
    """One station that was tried."""

    servers: int
    share: float
    times: tuple[StepTime, ...]
    offered: float
    """Erlangs a server in the busiest slot."""
    distance: float
    rows: int
    noise: float
    """Standard deviation of the distance that the model's own chance makes."""


def fit_black_box(scenario: Scenario, target: Target, stack: str) -> Equivalent | None:
    """Return the equivalent station of a stack from how its steps were answered.

    None where too few were, or where so few were sent that no station of the grid would ever queue.
    """
    look = Look((), target.slots)
    seen = look.at(target.record, stack)
    times = _waiting(scenario, seen, tuple(_times(scenario, seen)))
    contest = _Contest(scenario, stack, target, seen, look, times)
    found = _coarse(contest) if times else []
    if not found or found[0].rows < _LEAST_ROWS:
        return None
    station = _equivalent(stack, found + _refined(contest, found))
    return replace(station, scale=target.scale)


@dataclass(frozen=True, slots=True)
class _Contest:
    """Stations that compete to answer like a target."""

    scenario: Scenario
    stack: str
    target: Target
    seen: StackObserved
    look: Look
    times: tuple[StepTime, ...]
    """In the least busy slots, as measured."""

    def tried(self, servers: int, share: float) -> _Tried:
        """Return a station with how far its model is from what was measured."""
        times = self.times
        for _ in range(_ROUNDS):
            times = self._corrected(times, self._played(servers, share, times))
        runs = self._played(servers, share, times, _STEPS)
        rows = rows_of(self.seen, runs)
        one, other = (discrepancy(rows_of(self.seen, half)) for half in (runs[::2], runs[1::2]))
        offered = share * self.erlangs(times) / servers
        noise = abs(one - other) / 2
        return _Tried(servers, share, times, offered, discrepancy(rows), len(rows), noise)

    def erlangs(self, times: tuple[StepTime, ...]) -> float:
        """Return replies under way in the busiest slot, if nothing queued."""
        return _peak_erlangs(self.scenario, self.seen, times, self.target.record.slot_wall_s)

    def _played(
        self,
        servers: int,
        share: float,
        times: tuple[StepTime, ...],
        steps: int = _STEPS_OF_ROUND,
    ) -> list[StackObserved]:
        """Return what the model of a station shows in replications of so many steps together."""
        wanted = round(steps / max(1.0, float(self.seen.achieved.sum())))
        replications = min(_MOST_REPLICATIONS, max(_LEAST_REPLICATIONS, wanted))
        [runs] = replicate_each(
            with_station(self.scenario, self.stack, servers, share, times),
            [self.target.plan],
            self.look,
            seed=self.target.seed,
            control=self.target.with_replications(replications).control,
            scale=1.0,
            stacks=(self.stack,),
        )
        return [run for [run] in runs]

    def _corrected(
        self, times: tuple[StepTime, ...], runs: list[StackObserved]
    ) -> tuple[StepTime, ...]:
        """Return the times with which the model answers in the least busy slots as the target does."""
        shown = {time.step: time for time in _times(self.scenario, mean_of(runs))}
        return tuple(
            StepTime(
                time.step,
                time.mean_s * _bounded(measured.mean_s / shown[time.step].mean_s),
                time.cv * _bounded(measured.cv / shown[time.step].cv),
                time.waits,
            )
            if time.step in shown
            else time
            for time, measured in zip(times, self.times, strict=True)
        )


def _bounded(factor: float) -> float:
    low, high = _MOST_CORRECTED
    return min(high, max(low, factor))


def _coarse(contest: _Contest) -> list[_Tried]:
    """Return the stations of the grid that may answer like the target, as far as more servers come nearer."""
    erlangs, found = contest.erlangs(contest.times), list[_Tried]()
    for servers in _SERVERS:
        of_servers = _of_servers(contest, servers, erlangs)
        if of_servers and found and _nearest(of_servers) > _nearest(found) + _FARTHER:
            return found + of_servers
        found += of_servers
    return found


def _of_servers(contest: _Contest, servers: int, erlangs: float) -> list[_Tried]:
    """Return stations of so many servers, from the most to the least busy, until they get farther."""
    tried: list[_Tried] = []
    for share in reversed(_SHARES):
        if _LEAST_OFFERED < share * erlangs / servers < _MOST_OFFERED:
            tried.append(contest.tried(servers, share))
            if tried[-1].offered < 1 and tried[-1].distance > _nearest(tried) + _FARTHER:
                break
    return tried


def _nearest(tried: list[_Tried]) -> float:
    return min(one.distance for one in tried)


def _refined(contest: _Contest, found: list[_Tried]) -> list[_Tried]:
    """Return stations around the nearest one of the grid."""
    best = min(found, key=lambda one: one.distance)
    shares = {min(1.0, best.share * factor) for factor in _REFINED} - {best.share}
    return [contest.tried(best.servers, share) for share in sorted(shares)]


def _equivalent(stack: str, found: list[_Tried]) -> Equivalent:
    """Return the nearest station, with the intervals of those that are nearly as near."""
    best = min(found, key=lambda one: one.distance)
    # a model that is off itself tells less, and one whose distance is chance
    scale = max(1.0, best.distance / max(1, best.rows), _noise(found, best))
    weights = np.array([math.exp(-(one.distance - best.distance) / (2 * scale)) for one in found])

    def spread(value: Callable[[_Tried], float]) -> Interval:
        return _interval([value(one) for one in found], weights, value(best))

    return Equivalent(
        stack,
        servers=spread(lambda one: float(one.servers)),
        held_share=spread(lambda one: one.share),
        knee=spread(lambda one: 1 / one.offered),
        utilisation_at_peak=spread(lambda one: min(1.0, one.offered)),
        times=best.times,
        distance=round(best.distance, 2),
        rows=best.rows,
        is_extrapolated=1 / best.offered > FURTHEST,
    )


def _noise(found: list[_Tried], best: _Tried) -> float:
    """Return the standard deviation that chance gives the distances of the stations that are about as near."""
    near = [one.noise for one in found if one.distance <= best.distance + _NEAR]
    return float(np.sqrt(np.mean(np.square(near))))


def _interval(values: list[float], weights: Array, at_best: float) -> Interval:
    """Return the 95 % interval of weighted values, which holds the best one."""
    order = np.argsort(values)
    upto = np.cumsum(weights[order]) / weights.sum()
    low, high = (values[order[int(np.searchsorted(upto, q))]] for q in (0.025, 0.975))
    return interval_of(Band(at_best, min(low, at_best), max(high, at_best)))


def _times(scenario: Scenario, seen: StackObserved) -> Iterator[StepTime]:
    """Yield how long an exchange of each step takes in the least busy slots."""
    for index, step in enumerate(seen.steps):
        if (answer := seen.quiet_answer(index)) is not None:
            exchanges = len(scenario.steps[step].exchanges)
            yield StepTime(step, answer.mean_s / exchanges, answer.cv * math.sqrt(exchanges))


def _waiting(
    scenario: Scenario, seen: StackObserved, times: tuple[StepTime, ...]
) -> tuple[StepTime, ...]:
    """Return the times with which steps wait: those that hardly do under load while others do, hold no server."""
    growths = [_growth(scenario, seen, time.step) for time in times]
    usual_s = _usual_s(
        growths, [float(seen.achieved[seen.steps.index(t.step)].sum()) for t in times]
    )
    return tuple(
        replace(time, waits=growth.mid + _SURE * growth.error >= _HARDLY * usual_s)
        for time, growth in zip(times, growths, strict=True)
    )


def _usual_s(growths: list[Estimate], counts: list[float]) -> float:
    """Return by how much replies take longer under load, of the steps of which it is sure; 0: of none."""
    sure = np.array([growth.mid > _SURE * growth.error for growth in growths])
    weights = np.where(sure, counts, 0.0)
    return float(weights @ [growth.mid for growth in growths] / max(1.0, weights.sum()))


def _growth(scenario: Scenario, seen: StackObserved, step: str) -> Estimate:
    """Return by how many seconds an exchange takes longer in the busiest slots than in the least busy ones."""
    index, load = seen.steps.index(step), seen.achieved.sum(axis=0)
    busiest = load >= np.quantile(load[load > 0], _BUSIEST)
    quiet, busy = (_mean(seen.response[index][slots]) for slots in (seen.quiet_slots, busiest))
    exchanges = len(scenario.steps[step].exchanges)
    error = float(np.hypot(quiet.error, busy.error))
    return Estimate((busy.mid - quiet.mid) / exchanges, error / exchanges)


def _mean(response: Array) -> Estimate:
    """Return the mean seconds of replies, of shape (slots, BINS); nothing is known of fewer than two."""
    histogram = response.sum(axis=0)
    if histogram.sum() < 2:
        return Estimate(0.0, float("inf"))
    answer = Answer.of(histogram)
    return Estimate(answer.mean_s, answer.mean_s * answer.cv / math.sqrt(histogram.sum()))


def _peak_erlangs(
    scenario: Scenario, seen: StackObserved, times: tuple[StepTime, ...], slot_s: float
) -> float:
    """Return replies under way in the busiest slot, if nothing queued."""
    rows = [
        seen.achieved[seen.steps.index(time.step)]
        * time.mean_s
        * sum(len(group) for group in scenario.steps[time.step].exchanges)
        for time in times
        if time.waits
    ]
    return float(np.sum(rows, axis=0).max() / slot_s)
