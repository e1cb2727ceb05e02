"""What somebody says and signs: of what, to which state, with which content."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from gameday.safety.identity.actor import Actor
from gameday.safety.identity.keys import Key, is_signed_by

__all__ = ["Statement", "sign", "statement_fault"]


@dataclass(frozen=True, slots=True)
class Statement:
    """One act of somebody, as the ledger keeps it."""

    subject: str
    """Of which request, finding or plan, by its id."""
    act: str
    """The state it is moved to, or what is said of it."""
    content: str
    """SHA-256 of what it is said of."""
    at: str
    """UTC, to the second."""
    reason: str
    actor: Actor
    signature: str = ""
    """Of all fields above, in base 64; empty: whoever acted has no key."""

    def signed_bytes(self) -> bytes:
        """Return what a signature is of."""
        fields = {**asdict(self), "actor": asdict(self.actor)}
        del fields["signature"]
        return json.dumps(fields, sort_keys=True, separators=(",", ":")).encode()

    @staticmethod
    def of_mapping(data: Mapping[str, Any]) -> Statement:
        """Return the statement that a mapping holds; KeyError or TypeError: it holds none."""
        return Statement(**{**data, "actor": Actor(**data["actor"])})


def sign(statement: Statement, key: Key | None) -> Statement:
    """Return the statement signed with a key; None: as it is."""
    if key is None:
        return statement
    return replace(statement, signature=key.sign(statement.signed_bytes()))


def statement_fault(statement: Statement) -> str:
    """Return why a statement cannot be its actor's; empty: it can."""
    if statement.actor.kind != "key":
        return "" if not statement.signature else "it has a signature of nobody"
    if not is_signed_by(statement.actor.name, statement.signature, statement.signed_bytes()):
        return "its signature is not that of its actor's key"
    return ""
