"""Who acts: the operating system's user, the holder of a key, a CI job, a run, or a policy; never a typed name."""

from __future__ import annotations

import os
import pwd
from dataclasses import dataclass
from typing import Literal

from gameday.safety.identity.ci import CI_VARIABLE, ci_subject
from gameday.safety.identity.keys import Key, own_key
from gameday.safety.identity.operators import Operators

__all__ = ["Actor", "Kind", "current_actor", "run_actor"]

Kind = Literal["user", "key", "ci", "run", "policy"]


@dataclass(frozen=True, slots=True)
class Actor:
    """Who did something."""

    kind: Kind
    name: str
    """user: the login name; key: its public half; ci: issuer and subject; run: its id; policy: NAME@HASH."""
    user: str = ""
    """The operating system's user whose process it was."""
    person: str = ""
    """Under which name the operator's file lists them; empty: it does not."""

    def __str__(self) -> str:
        """Return `kind:name`, short enough to read."""
        shown = self.person or (self.name[:24] if self.kind == "key" else self.name)
        return f"{self.kind}:{shown}"


def current_actor(operators: Operators) -> tuple[Actor, Key | None]:
    """Return who runs this, and their key where they have one.

    The strongest identity counts: a key, then a CI job's token that the operator's file can check, then the
    operating system's user. SafetyRefusal where a token is there and cannot be trusted.
    """
    user = _login()
    if (key := own_key()) is not None:
        return Actor("key", key.public, user, operators.person_of_key(key.public)), key
    if token := os.environ.get(CI_VARIABLE):
        subject = ci_subject(token, operators)
        return Actor("ci", subject, user, operators.person_of_ci(subject)), None
    return Actor("user", user, user), None


def run_actor(run_id: str) -> Actor:
    """Return the actor that a run is: it drafts, amends and verifies."""
    return Actor("run", run_id, _login())


def _login() -> str:
    """Return the login name of this process's user, from the system's own list: the environment can be set."""
    number = os.getuid()
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return f"uid {number}"
