"""The shapes of calls that visits at one place make, and the one call graph that tells them best."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

__all__ = ["CallShapes", "Groups", "LikelyCall"]

Groups = tuple[tuple[str, ...], ...]
"""Services that one visit called: groups in sequence, each sorted; the calls of a group overlap."""
_Item = tuple[str, int]
"""A service, and which of its calls within a visit."""
_MOST_SHAPES = 500
"""Shapes that are told apart at one place; visits of more only count. Ours."""
_RARE, _ALWAYS = 0.005, 0.99
"""Shares of visits: below, a call is left out; from there on, every visit makes it. Ours."""


@dataclass(frozen=True, slots=True)
class LikelyCall:
    """A call, and the share of visits that make it."""

    service: str
    chance: float


@dataclass(slots=True)
class CallShapes:
    """How many visits made which calls; counts are weighted by the sampling."""

    visits: float = 0.0
    mixed: float = 0.0
    """Visits in which calls of one group follow each other beside another."""
    counts: Counter[Groups] = field(default_factory=Counter)
    """Shape -> visits, of the shapes that are told apart."""
    more: Counter[_Item] = field(default_factory=Counter)
    """Item -> visits with it, of shapes beyond those."""

    def add(self, shape: Groups, weight: float, *, is_mixed: bool = False) -> None:
        """Count a visit."""
        self.visits += weight
        self.mixed += weight * is_mixed
        if shape in self.counts or len(self.counts) < _MOST_SHAPES:
            self.counts[shape] += weight  # type: ignore[assignment]  # a Counter holds any number
        else:
            for item in _placed(shape):
                self.more[item] += weight  # type: ignore[assignment]

    def per_visit(self, service: str) -> float:
        """Return how often a visit calls a service, on average."""
        calls = sum(visits for (called, _), visits in self._items().items() if called == service)
        return calls / self.visits if self.visits else 0.0

    def calls(self) -> tuple[tuple[LikelyCall, ...], ...]:
        """Return the calls of all visits: groups in sequence, the calls of a group in parallel."""
        shares = self._shares()
        return tuple(
            tuple(LikelyCall(service, shares[service, n]) for service, n in sorted(group))
            for group in self._groups(shares)
        )

    def rare(self) -> dict[str, float]:
        """Return service -> its calls a visit, of those that are left out of `calls`: too few visits make them."""
        written = {service for service, _ in self._shares()}
        return {s: self.per_visit(s) for s, _ in self._items() if s not in written}

    def share_alike(self) -> float:
        """Return the share of visits whose calls are in the groups and the order of `calls`."""
        if not self.counts:
            return 1.0
        groups = self._groups(self._shares())
        alike = sum(count for shape, count in self.counts.items() if _is_part(shape, groups))
        return alike / self.counts.total()

    def _items(self) -> Counter[_Item]:
        """Return item -> visits with it."""
        out = self.more.copy()
        for shape, count in self.counts.items():
            for item in _placed(shape):
                out[item] += count
        return out

    def _shares(self) -> dict[_Item, float]:
        """Return item -> share of visits with it, without the rare ones."""
        shares = {item: n / self.visits for item, n in self._items().items()}
        return {
            item: 1.0 if share >= _ALWAYS else share
            for item, share in shares.items()
            if share >= _RARE
        }

    def _groups(self, shares: dict[_Item, float]) -> list[list[_Item]]:
        """Return items in groups: together where most visits with both have them so, else by their mean order."""
        places, together = self._places(), self._together()
        groups: list[list[_Item]] = []
        last = float(len(self.counts))
        for item in sorted(shares, key=lambda item: (places.get(item, last), item)):
            if groups and any(together[item, other] > 0 for other in groups[-1]):
                groups[-1].append(item)
            else:
                groups.append([item])
        return groups

    def _places(self) -> dict[_Item, float]:
        """Return item -> mean index of its group."""
        sums: Counter[_Item] = Counter()
        weights: Counter[_Item] = Counter()
        for shape, count in self.counts.items():
            for item, index in _placed(shape).items():
                sums[item] += count * index
                weights[item] += count
        return {item: sums[item] / weights[item] for item in weights}

    def _together(self) -> Counter[tuple[_Item, _Item]]:
        """Return pair of items -> visits that have both in one group, less those that have them apart."""
        out: Counter[tuple[_Item, _Item]] = Counter()
        for shape, count in self.counts.items():
            placed = _placed(shape)
            for item, index in placed.items():
                for other, its in placed.items():
                    out[item, other] += count if index == its else -count
        return out


def _placed(shape: Groups) -> dict[_Item, int]:
    """Return item -> index of its group."""
    out: dict[_Item, int] = {}
    seen: Counter[str] = Counter()
    for index, group in enumerate(shape):
        for service in group:
            out[service, seen[service]] = index
            seen[service] += 1
    return out


def _is_part(shape: Groups, groups: list[list[_Item]]) -> bool:
    """Return whether a visit's calls, but for rare ones, are these groups without those that it did not make."""
    written = {item for group in groups for item in group}
    made = {item: index for item, index in _placed(shape).items() if item in written}
    told = tuple(
        tuple(sorted(s for (s, _), at in made.items() if at == n)) for n in range(len(shape))
    )
    kept: Iterator[list[str]] = ([s for s, n in group if (s, n) in made] for group in groups)
    return tuple(tuple(sorted(g)) for g in kept if g) == tuple(filter(None, told))
