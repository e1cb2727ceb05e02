"""What the program needs to know of a tool's export of events: its columns, and what its events mean."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

__all__ = ["Export"]


@dataclass(frozen=True, slots=True)
class Export:
    """One tool's export. A column is given by names it may have; the first that a file has counts."""

    name: str
    time: tuple[str, ...]
    event: tuple[str, ...]
    """Empty: every row is of one event, which `steps` names `*`."""
    user: tuple[str, ...] = ()
    session: tuple[str, ...] = ()
    is_session_of_user: bool = False
    """Whether two users may have sessions of one name."""
    order: tuple[str, ...] = ()
    """Names an order: rows of one are its articles."""
    category: tuple[str, ...] = ()
    product: tuple[str, ...] = ()
    price: tuple[str, ...] = ()
    steps: Mapping[str, str | None] = field(default_factory=dict)
    """Event -> step; None: it is no step of a customer, or another event tells the same."""
    signs: tuple[str, ...] = ()
    """Columns by which a file is known to be such an export."""

    def is_of(self, columns: Sequence[str]) -> bool:
        """Return whether a file with these columns is such an export."""
        return bool(self.signs) and all(sign in columns for sign in self.signs)

    def found(self, columns: Sequence[str]) -> dict[str, str | None]:
        """Return field of `Clickstream` -> the column that a file with these columns has for it, None for none."""
        names = ("time", "event", "user", "session", "order", "category", "product", "price")
        out: dict[str, str | None] = {}
        for name in names:
            there = [column for column in getattr(self, name) if column in columns]
            first = getattr(self, name)[:1]
            needed = name in ("time", "event") and bool(first)
            out[name] = there[0] if there else (first[0] if needed else None)
        return out
