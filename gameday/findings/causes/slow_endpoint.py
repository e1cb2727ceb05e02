"""The visits of one step take longer than declared."""

from __future__ import annotations

from gameday.findings.cause_rule import cause_rule, slower_words

__all__ = ["RULE"]

RULE = cause_rule(
    "slow_endpoint",
    slower_words,
    remedy="profile what {service} does for {step}, or declare the time it takes",
)
