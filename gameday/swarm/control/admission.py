"""Who may join a run: a challenge, and the proof that the key is known, on both sides.

The key itself is never sent. Every challenge has a number used once, so that an answer that was
overheard proves nothing later; proofs are HMAC-SHA256 (RFC 2104). What is sent after it is neither
signed nor encrypted.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import secrets
import time
from typing import Any

__all__ = ["Admission", "Applicant"]

_MOST_WAITING = 1024
"""Challenges that are not answered yet; with more, the oldest is forgotten."""
_ANSWERED_WITHIN_S = 4.0
"""Less than the time after which Locust's worker asks again."""
_SHOWN = 40


def _proof(key: str, of: str, version: str, challenge: str, answer: str, who: str) -> str:
    """Return the proof of the key by one side, `of`: no side can send the other's proof back to it."""
    text = json.dumps([of, version, challenge, answer, who]).encode()
    return hmac.new(key.encode(), text, hashlib.sha256).hexdigest()


class Admission:
    """The run's side: challenges applicants and judges their answers."""

    def __init__(self, key: str, version: str) -> None:
        self._key, self.version = key, version
        self._challenges: dict[str, tuple[str, float]] = {}
        self.admitted: set[str] = set()
        """Who has proven the key."""

    def challenge(self, who: str) -> dict[str, str]:
        """Return the challenge of `who` that is open, else a new one.

        A worker that waits for the run to begin asks again and again, and all of it arrives at once.
        """
        if who not in self._challenges:
            while len(self._challenges) >= _MOST_WAITING:
                del self._challenges[next(iter(self._challenges))]
            self._challenges[who] = (secrets.token_hex(32), time.monotonic())
        return {"challenge": self._challenges[who][0], "version": self.version}

    def is_unanswered(self, who: str) -> bool:
        """Return whether `who` has had time enough to answer its challenge, and has not."""
        _, since = self._challenges.get(who, ("", float("inf")))
        return time.monotonic() - since > _ANSWERED_WITHIN_S

    def judge(self, who: str, answer: Any) -> str | None:
        """Admit `who`, or return why not; a challenge serves for one answer, right or wrong."""
        challenge, _ = self._challenges.pop(who, ("", 0.0))
        if not challenge:
            return "its answer is to no challenge that is open"
        fields = answer if isinstance(answer, dict) else {}
        version, own, proof = (str(fields.get(name, "")) for name in ("version", "answer", "proof"))
        expected = _proof(self._key, "worker", version, challenge, own, who)
        if not hmac.compare_digest(expected.encode(), proof.encode("utf-8", "replace")):
            return f"it does not know the run's key (it calls itself gameday {version[:_SHOWN]!r})"
        if version != self.version:
            return f"it is gameday {version[:_SHOWN]}, the run is {self.version}: install the same"
        self.admitted.add(who)
        return None

    def welcome(self, who: str, answer: dict[str, str]) -> dict[str, str]:
        """Return what proves to an admitted worker that the run knows the key too."""
        return {"proof": _proof(self._key, "run", self.version, "", answer["answer"], who)}


class Applicant:
    """The worker's side: answers challenges, and asks the run for a proof too."""

    def __init__(self, key: str, version: str, who: str) -> None:
        self._key, self.version, self._who = key, version, who
        self._own = secrets.token_hex(32)
        """What the run's proof must be made with."""

    def answer(self, challenge: str) -> dict[str, str]:
        """Return the answer to a challenge."""
        proof = _proof(self._key, "worker", self.version, challenge, self._own, self._who)
        return {"version": self.version, "answer": self._own, "proof": proof}

    def believes(self, welcome: Any) -> bool:
        """Return whether a welcome shows that the run knows the key."""
        proof = str(welcome.get("proof", "")) if isinstance(welcome, dict) else ""
        expected = _proof(self._key, "run", self.version, "", self._own, self._who)
        return hmac.compare_digest(expected.encode(), proof.encode("utf-8", "replace"))
