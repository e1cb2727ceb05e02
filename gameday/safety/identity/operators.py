"""The operator's file: who may approve, with which key, and what a rule approves. No flag or variable moves it."""

from __future__ import annotations

import fnmatch
import hashlib
import os
import stat
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal, Protocol

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from gameday.errors import SafetyRefusal, UsageError
from gameday.safety.identity.keys import is_public
from gameday.scenario.reading import from_yaml

__all__ = ["OPERATORS_FILE", "Approver", "AutoApprove", "Issuer", "Operators", "read_operators"]

OPERATORS_FILE = Path("/etc/gameday/targets.yaml")
"""Fixed: who could choose another would be the operator."""
_BUILT_IN = "operators.yaml"
"""What holds without an operator's file: nobody may approve, but the embedded shop gets what it asks for."""
_WRITABLE = stat.S_IWGRP | stat.S_IWOTH


class Named(Protocol):
    """Whoever acts."""

    @property
    def kind(self) -> str:
        """key, ci, user, run or policy."""

    @property
    def name(self) -> str:
        """As its kind has it."""


class _Block(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Approver(_Block):
    """A person, or a CI job, that may approve."""

    key: str | None = None
    """Public half of an Ed25519 key, as `gameday identity show` prints it."""
    ci: str | None = None
    """Issuer and subject of a CI job's token, a blank between."""
    user: str | None = None
    """Login name of the same person: what that user asked for, this approver may not approve."""
    teams: tuple[str, ...] = ()
    """Whose requests and waivers alone; empty: everybody's."""

    @model_validator(mode="after")
    def _is_somebody(self) -> Approver:
        if (self.key is None) == (self.ci is None):
            raise ValueError("give `key` or `ci`, one of them")
        if self.key is not None and not is_public(self.key):
            raise ValueError("`key` must be `ed25519:` and 32 bytes in base 64")
        return self


class Issuer(_Block):
    """Who issues CI jobs their tokens."""

    audience: str
    keys: list[dict[str, Any]]
    """Its public keys, as its JSON Web Key Set lists them."""


class AutoApprove(_Block):
    """A rule by which requests are approved without a person."""

    events: tuple[str, ...] = ("*",)
    """Patterns of events' names."""
    target: Literal["embedded shop", "any"] = "embedded shop"
    most_usd: float = Field(gt=0)
    """Of one request."""
    basis: Literal["compared", "any"] = "compared"
    """`compared`: only where the run bore out the model of the service that is sized."""

    def refuses(self, *, event: str, target: str, usd: float, is_compared: bool) -> str:
        """Return why a request is not approved by this rule; empty: it is. `usd` below 0 saves money."""
        if not any(fnmatch.fnmatchcase(event, pattern) for pattern in self.events):
            return f"it is not for event {event}"
        if self.target != "any" and target != self.target:
            return f"it is for the {self.target} only"
        if usd > self.most_usd:
            return f"USD {usd:,.0f} is above its USD {self.most_usd:,.0f}"
        if self.basis == "compared" and not is_compared:
            return "the model of that service was not compared with a run"
        return ""


class Operators(_Block):
    """The operator's file as read."""

    approvers: dict[str, Approver] = Field(default_factory=dict)
    ci_issuers: dict[str, Issuer] = Field(default_factory=dict)
    auto_approve: dict[str, AutoApprove] = Field(default_factory=dict)
    sha256: str = ""
    source: str = ""
    """Where it was read, in words."""

    def person_of_key(self, public: str) -> str:
        """Return under which name a key is listed; empty: it is not."""
        return next((name for name, who in self.approvers.items() if who.key == public), "")

    def person_of(self, actor: Named) -> str:
        """Return under which name an actor is listed; empty: it is not."""
        if actor.kind == "key":
            return self.person_of_key(actor.name)
        return self.person_of_ci(actor.name) if actor.kind == "ci" else ""

    def person_of_ci(self, subject: str) -> str:
        """Return under which name a CI job is listed; empty: it is not."""
        return next((name for name, who in self.approvers.items() if who.ci == subject), "")


def read_operators(file: Path = OPERATORS_FILE) -> Operators:
    """Return the operator's file, or what holds without one.

    SafetyRefusal where others than root could have written it, UsageError where it is wrong.
    """
    if not os.path.lexists(file):
        text = (files("gameday.safety") / _BUILT_IN).read_text(encoding="utf-8")
        return _operators(text, f"built in: there is no {file}")
    _check_owner(file)
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{file}: cannot be read ({error})") from None
    return _operators(text, str(file))


def _operators(text: str, source: str) -> Operators:
    sha256 = hashlib.sha256(text.encode()).hexdigest()
    try:
        data = from_yaml(text)
        if faults := sorted({"sha256", "source"} & set(data)):
            raise ValueError(f"unknown keys {', '.join(faults)}")
        return Operators.model_validate({**data, "sha256": sha256, "source": source})
    except ValidationError as error:
        lines = (
            f"{'.'.join(map(str, fault['loc']))}: {fault['msg'].removeprefix('Value error, ')}"
            for fault in error.errors()
        )
        raise UsageError("\n".join(f"{source}: {line}" for line in lines)) from None
    except ValueError as error:
        raise UsageError(f"{source}: {error}") from None


def _check_owner(file: Path) -> None:
    """Raise SafetyRefusal unless root alone can write the file and every folder above it."""
    for path in (file, *file.parents):
        try:
            facts = path.stat()
        except OSError as error:
            raise UsageError(f"{path}: cannot be read ({error.strerror})") from None
        if facts.st_uid != 0 or facts.st_mode & _WRITABLE:
            raise SafetyRefusal(
                f"{path}: must belong to root and be writable by nobody else: who can write it could allow "
                "themselves anything"
            )
