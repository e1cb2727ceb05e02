"""Kinds of causes that diagnosis tells apart; one kind, one file: what is said of it, and what mends it."""

from gameday.findings.causes import (
    autoscaling_late,
    cache_cold,
    contention,
    failing_dependency,
    fewer_servers,
    heavier_tail,
    lock,
    more_retries,
    more_visits,
    pool_too_small,
    slow_endpoint,
    slow_instances,
    slower_service,
    thread_limit,
    unbounded_queue,
)
from gameday.findings.rule import Rule

__all__ = ["CAUSES"]

CAUSES: tuple[Rule, ...] = tuple(
    module.RULE
    for module in (
        fewer_servers,
        lock,
        thread_limit,
        pool_too_small,
        contention,
        slower_service,
        slow_endpoint,
        slow_instances,
        heavier_tail,
        failing_dependency,
        unbounded_queue,
        more_retries,
        more_visits,
        cache_cold,
        autoscaling_late,
    )
)
