"""How long a server took for customers' steps, where its log says so."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa

from gameday.record import BINS, bin_of, percentile
from gameday.vocabulary import Array

__all__ = ["LogTimes", "StepTimes"]


@dataclass(frozen=True, slots=True)
class StepTimes:
    """Seconds from a request's arrival to the last byte of its reply, of one step."""

    step: str
    kind: str
    """`request`: at the server that logs; `upstream`: at the servers behind it."""
    count: int
    mean_s: float
    p50_s: float
    p90_s: float
    p99_s: float


@dataclass(slots=True)
class LogTimes:
    """Histograms of durations by step; memory does not grow with the log."""

    counts: dict[tuple[str, str], Array] = field(default_factory=dict)
    """(Step, kind) -> counts, shape (BINS,)."""
    sums_s: dict[tuple[str, str], float] = field(default_factory=dict)
    finer: dict[str, bool] = field(default_factory=dict)
    """Kind -> whether any duration is no whole number of seconds."""

    def add(self, steps: pa.RecordBatch) -> None:
        """Count the steps of a part: columns event_type, request_s, upstream_s; NaN: not told."""
        names = np.asarray(steps["event_type"].to_pylist(), object)
        for kind in ("request", "upstream"):
            seconds = steps[f"{kind}_s"].to_numpy(zero_copy_only=False)
            known = np.isfinite(seconds)
            if not known.any():
                continue
            is_finer = bool((seconds[known] % 1 != 0).any())
            self.finer[kind] = self.finer.get(kind, False) or is_finer
            for step in sorted(set(names[known])):
                of_step = seconds[known & (names == step)]
                key = str(step), kind
                added = np.bincount(bin_of(of_step), minlength=BINS)
                self.counts[key] = self.counts.get(key, np.zeros(BINS, np.int64)) + added
                self.sums_s[key] = self.sums_s.get(key, 0.0) + float(of_step.sum())

    def rows(self) -> tuple[StepTimes, ...]:
        """Return what is known of each step."""
        out = []
        for (step, kind), counts in sorted(self.counts.items()):
            count = int(counts.sum())
            levels = (percentile(counts, level) for level in (0.5, 0.9, 0.99))
            out.append(StepTimes(step, kind, count, self.sums_s[step, kind] / count, *levels))
        return tuple(out)
