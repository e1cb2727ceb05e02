"""A recorded request as a scenario writes it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

__all__ = ["Block", "Check", "Plain", "WrittenExchange"]

Plain = str | int | float | bool | None | list["Plain"] | dict[str, "Plain"]
"""What YAML can say."""
Block = dict[str, Plain]
"""A part of a scenario's document."""


@dataclass(frozen=True, slots=True)
class Check:
    """What a good reply is."""

    status: int | None = None
    """None: 200."""
    true_at: str | None = None
    """JSONPath of a flag that says that all is well."""

    def block(self) -> Block:
        """Return the check as a scenario writes it; empty where there is nothing to write."""
        status: Block = {} if self.status is None else {"status": [self.status]}
        flag: Block = {} if self.true_at is None else {"jsonpath": {self.true_at: True}}
        return status | flag


@dataclass(slots=True)
class WrittenExchange:
    """An exchange of a step, None = not written; later requests add what they need of its reply."""

    path: str
    method: str | None = None
    query: dict[str, str] | None = None
    form: dict[str, str] | None = None
    json: Any = None
    """A body that is JSON also before its words are filled in."""
    body: str | None = None
    headers: dict[str, str] = field(default_factory=dict)
    check: Check = Check()
    extract: dict[str, dict[str, str]] = field(default_factory=dict)
    """Word -> where its value stands in the reply."""
    action: str | None = None
    """What it does for the shop's books."""
    acts_first: bool = False
    """Whether the action was known before any extraction, and is written before them."""

    def set_action(self, action: str) -> None:
        """Write what the exchange does."""
        self.action, self.acts_first = action, not self.extract

    def block(self) -> Block:
        """Return the exchange as a scenario writes it."""
        extract: dict[str, Any] = {"extract": self.extract or None}
        action: dict[str, Any] = {"action": self.action}
        keys = {
            "method": self.method,
            "path": self.path,
            "query": self.query,
            "form": self.form,
            "json": self.json,
            "body": self.body,
            "headers": self.headers or None,
            "check": self.check.block() or None,
            **(action | extract if self.acts_first else extract | action),
        }
        return {key: value for key, value in keys.items() if value is not None}
