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
    counts: Counter[Groups] = field(default_factory=Counter)

    def add(self, shape: Groups, weight: float) -> None:
        """Count a visit."""
        self.visits += weight
        if shape in self.counts or len(self.counts) < _MOST_SHAPES:
            self.counts[shape] += weight  # type: ignore[assignment]  # a Counter holds any number

    def per_visit(self, service: str) -> float:
        """Return how often a visit calls a service, on average."""
        calls = sum(
            count * sum(group.count(service) for group in shape)
            for shape, count in self.counts.items()
        )
        return calls / self.counts.total() if self.counts else 0.0

    def calls(self) -> tuple[tuple[LikelyCall, ...], ...]:
        """Return the calls of all visits: groups in sequence, the calls of a group in parallel."""
        shares = self._shares()
        return tuple(
            tuple(LikelyCall(service, shares[service, n]) for service, n in sorted(group))
            for group in self._groups(shares)
        )

    def share_alike(self) -> float:
        """Return the share of visits whose calls are in the groups and the order of `calls`."""
        if not self.counts:
            return 0.0
        groups = self._groups(self._shares())
        alike = sum(count for shape, count in self.counts.items() if _is_part(shape, groups))
        return alike / self.counts.total()

    def _shares(self) -> dict[_Item, float]:
        """Return item -> share of visits with it, without the rare ones."""
        out: Counter[_Item] = Counter()
        for shape, count in self.counts.items():
            for item in _placed(shape):
                out[item] += count
        seen = self.counts.total()
        shares = {item: count / seen for item, count in out.items() if count >= _RARE * seen}
        return {item: 1.0 if share >= _ALWAYS else share for item, share in shares.items()}

    def _groups(self, shares: dict[_Item, float]) -> list[list[_Item]]:
        """Return items in groups: together where most visits with both have them so, else by their mean order."""
        places, together = self._places(), self._together()
        groups: list[list[_Item]] = []
        for item in sorted(shares, key=lambda item: (places[item], item)):
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
    """Return whether a visit's calls are these groups without those that it did not make."""
    made = _placed(shape)
    kept: Iterator[list[str]] = ([s for s, n in group if (s, n) in made] for group in groups)
    return tuple(tuple(sorted(group)) for group in kept if group) == shape
