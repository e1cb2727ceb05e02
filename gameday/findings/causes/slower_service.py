"""All visits take longer than declared."""

from __future__ import annotations

from gameday.findings.cause_rule import cause_rule, slower_words

__all__ = ["RULE"]

RULE = cause_rule(
    "slower_service",
    slower_words,
    remedy="profile {service}, or declare the time it takes",
)
