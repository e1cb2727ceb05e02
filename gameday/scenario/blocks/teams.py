"""Who answers for what: teams with their services and steps, and who of the approvers decides for them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from pydantic import Field

from gameday.scenario.faults import Fault, did_you_mean
from gameday.scenario.units import Block, Name

__all__ = ["Team", "owner_of", "team_faults"]


class Team(Block):
    """A team: findings and capacity requests about what it owns carry its name."""

    contact: str = Field(min_length=1)
    """Where it is reached: a mailbox, a channel, a rota."""
    services: list[Name] = Field(default_factory=list)
    steps: list[Name] = Field(default_factory=list)
    approvers: list[str] = Field(default_factory=list)
    """Who may approve for it, by their names in the operator's file; absent: all whom that file lists for it."""


def owner_of(teams: Mapping[str, Team], name: str) -> str:
    """Return the team that owns a service or a step, a service first; empty: none does."""
    for kind in ("services", "steps"):
        for team, block in teams.items():
            if name in getattr(block, kind):
                return team
    return ""


def team_faults(
    teams: Mapping[str, Team], services: tuple[str, ...], steps: tuple[str, ...]
) -> Iterator[Fault]:
    """Yield names that no service or step has, and those that two teams own."""
    for kind, known in (("services", services), ("steps", steps)):
        owners = dict[str, str]()
        for team, block in teams.items():
            for number, name in enumerate(getattr(block, kind)):
                path = ("teams", team, kind, number)
                if name not in known:
                    yield path, f"there is no {kind[:-1]} '{name}'{did_you_mean(name, known)}"
                elif name in owners:
                    yield (
                        path,
                        f"team {owners[name]} owns '{name}' already; one team answers for it",
                    )
                owners.setdefault(name, team)
