"""A finding rule says about itself all that others need to know of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from gameday.findings.evidence import Evidence
from gameday.findings.finding import Candidate, Severity

__all__ = ["Rule"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """What looks for one kind of trouble, and what its findings mean."""

    name: str
    """As findings, reports and `findings.json` have it: it stays, whatever its file is called."""
    look: Callable[[Evidence], Iterator[Candidate]]
    """Yields every test it made, passed or not: all of them count for the correction of chance."""
    hurts_customers: bool = False
    """Whether customers feel it: only then may it be S1, and S2 for a service that is not critical."""
    worst: Severity = "S1"
    """The most severe that its findings may be."""
    fails_run: bool = False
    """Whether a finding fails the run, where it was measured or the run bears out its model."""
    servers_help: bool = True
    """Whether more servers of the service may be what mends it: a capacity request then answers it."""
    is_cause: bool = False
    """Whether a finding says why the target is not as declared: it is then never passed over in a verdict."""
    refutes_model: bool = False
    """Whether a finding says that the model of its services is wrong; nothing else is then wrong, so it is S4."""

    def severity(self, tier: int, quantile: float) -> Severity:
        """Return the severity of a breach at a quantile of the event's strength, of a subject of a tier.

        S1: orders are lost at or below the median forecast. S2: customers are hurt at or below p90.
        S3: the same beyond p90, or a service in trouble that customers do not feel yet. S4: the rest.
        """
        return max(self.worst, self._by_harm(tier, quantile))

    def _by_harm(self, tier: int, quantile: float) -> Severity:
        if self.refutes_model:
            return "S4"
        if self.hurts_customers and tier == 0 and quantile <= 0.5:
            return "S1"
        if quantile <= 0.9 and (self.hurts_customers or tier == 0):
            return "S2"
        return "S3" if tier <= 1 else "S4"
