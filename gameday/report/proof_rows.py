"""The objectives of each stack's proof, as a report tables them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from gameday.capacity import CapacityRequest

__all__ = ["ProvenRow", "proven_rows"]


@dataclass(frozen=True, slots=True)
class ProvenRow:
    """An objective in the case that requests are sized for, with all of a stack's placed."""

    stack: str
    text: str
    of: str
    """The case."""
    before: str
    after: str
    change: str
    said: str
    holds_after: bool


def proven_rows(requests: tuple[CapacityRequest, ...]) -> Iterator[ProvenRow]:
    """Yield the objectives of each stack's proof once: its requests share it."""
    seen = set()
    for request in requests:
        for text, row in request.proof.objectives.items():
            if (request.stack, text) not in seen:
                seen.add((request.stack, text))
                numbers = (row.before, row.after, row.change, row.said, row.holds_after)
                yield ProvenRow(request.stack, text, request.proof.case, *numbers)
