"""Customers who only speak: what templates say of them, without a run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gameday.safety import allowed_target
from gameday.scenario import Scenario
from gameday.scenario.reading.assets import read_assets
from gameday.swarm.script.prepared_steps import PreparedExchange, prepare_steps
from gameday.swarm.script.template_variables import TemplateVariables
from gameday.vocabulary import session_key
from tests.support.small_runs import busy_shop

__all__ = ["Who", "exchange_of", "said_by", "speakers"]

RUN = "r1"


@dataclass
class Who:
    """A customer at a step."""

    session: int = 7
    position: int = 0
    root: int = 1
    region: str = "eu"
    product_type: str = ""
    memory: dict[str, str] | None = None

    @property
    def key(self) -> int:
        return session_key(self.root, self.session)


def speakers(count: int, **facts: Any) -> list[Who]:
    """Return the customers of so many sessions."""
    return [Who(session, **facts) for session in range(count)]


def _shop(folder: Path, changes: dict[str, Any], files: dict[str, str]) -> Scenario:
    for name, text in files.items():
        (folder / name).write_text(text, encoding="utf-8")
    return busy_shop(folder, changes)


def said_by(
    folder: Path, changes: dict[str, Any], files: dict[str, str] | None = None
) -> Callable[[str, Who], str]:
    """Return what a customer says for a word, in a scenario with these changes."""
    scenario = _shop(folder, changes, files or {})
    words = TemplateVariables(scenario, RUN, read_assets(scenario, folder))
    return lambda word, who: words.getter(word)(who)


def exchange_of(folder: Path, exchange: dict[str, Any], **changes: Any) -> PreparedExchange:
    """Return an exchange as it is sent by a scenario with these changes."""
    known = {"extract": {word: {"header": f"X-{word}"} for word in ("word", "other")}}
    steps = {
        "home": {"exchanges": [{"path": "/", "action": "page"} | exchange]},
        "product": {"exchanges": [{"path": "/p"} | known]},
    }
    scenario = _shop(folder, {"steps": steps, **changes}, {})
    words = TemplateVariables(scenario, RUN, read_assets(scenario, folder))
    target = allowed_target("http://127.0.0.1:8001")
    return prepare_steps(scenario, target, words, RUN)["home", None].groups[0][0]
