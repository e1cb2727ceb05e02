"""Robots by their user agent: crawlers, monitors and programs; libraries that a shop's apps use are customers'."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from crawlerdetect import CrawlerDetect

__all__ = ["RobotRules", "app_library", "is_robot"]

_APP_LIBRARIES = re.compile(
    r"okhttp|cfnetwork|dalvik|alamofire|\bdart/|dart:io|apache-httpclient/unavailable|\bexpo\b|reactnative|cronet",
    re.IGNORECASE,
)
"""Libraries by which apps on phones speak to their shop. Ours: the list of crawlers counts some of them."""
_MONITORS = re.compile(
    r"datadog|prometheus|blackbox[ -]exporter|amazon-route53|health[-_ ]?check|kube-probe"
    r"|\bk6/|locust|jmeter|gatling",
    re.IGNORECASE,
)
"""Monitors and load generators that the list of crawlers does not know. Ours."""
_VERSION = re.compile(r"(?<=[/ _.])\d+(?:[._]\d+)*(?![A-Za-z\d])")
_MOST_REMEMBERED = 200_000
_crawlers = CrawlerDetect()


@lru_cache(maxsize=_MOST_REMEMBERED)
def _crawler_word(agent: str) -> str | None:
    """Return the word by which an agent without its version numbers names itself a robot; None: it does not."""
    if app := _APP_LIBRARIES.search(agent):
        agent = agent.replace(app[0], "")
    if monitor := _MONITORS.search(agent):
        return monitor[0].lower()
    if not _crawlers.is_crawler(agent):
        return None
    return (_crawlers.get_matches() or "robot").lower()


@lru_cache(maxsize=_MOST_REMEMBERED)
def app_library(agent: str) -> str | None:
    """Return the library of apps that an agent is, in small letters; None: it is none."""
    found = _APP_LIBRARIES.search(agent)
    return found[0].lower() if found else None


@dataclass(frozen=True, slots=True)
class RobotRules:
    """Who is a robot: what a person says of parts of user agents, else the list of crawlers."""

    said: tuple[tuple[str, bool], ...] = ()
    """Part of a user agent, whether who has it is a robot; the first that fits counts."""

    def word(self, agent: str) -> str | None:
        """Return the word by which an agent is a robot's; None: it is a customer's."""
        return _word(agent, self.said)


@lru_cache(maxsize=_MOST_REMEMBERED)
def _word(agent: str, said: tuple[tuple[str, bool], ...]) -> str | None:
    lower = agent.lower()
    for part, is_robots in said:
        if part.lower() in lower:
            return part.lower() if is_robots else None
    return _crawler_word(_VERSION.sub("0", agent))


def is_robot(agent: str) -> bool:
    """Return whether a user agent names itself a robot or a program."""
    return RobotRules().word(agent) is not None
