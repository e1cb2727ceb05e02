"""Policy: what every policy of a service says about itself, so that engines and shop need not know it by name."""

from __future__ import annotations

from typing import ClassVar

from gameday.scenario.units import Block

__all__ = ["Policy"]


class Policy(Block):
    """A policy of a service or of its callers; a service without it leaves the field out.

    The compiled engine keeps a policy's numbers in columns of its table of services. A policy that is absent has 0
    in all of them.
    """

    real_columns: ClassVar[tuple[str, ...]] = ()
    """Names of its columns of float64: of what it is told, and of what it remembers."""
    whole_columns: ClassVar[tuple[str, ...]] = ()
    """Names of its columns of int64."""
    has_closed_form: ClassVar[bool] = False
    """Whether the closed forms of queueing theory hold for the queue of a service that has it."""

    changes_work: ClassVar[bool] = False
    """Whether it changes how long the work of a visit takes."""

    @property
    def acts_after_s(self) -> float | None:
        """Return after how many seconds of waiting or work it acts; None = it does not wait."""
        return None

    @property
    def least_scale(self) -> float:
        """Return the smallest scale at which a scaled-down system can be judged by it."""
        return 0.0

    def columns(self, scale: float) -> dict[str, float]:
        """Return the numbers in its columns as a run at scale k begins; a column that is not named holds 0."""
        return {}
