"""A small valid scenario as text, and ways to spoil it."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from gameday.errors import ScenarioError
from gameday.scenario import Scenario, load_scenario

VALID = """\
event: {name: fair-2027, kind: sale, start: 2027-07-13T00:00, duration: 24h}

regions:
  us: {zone: America/Los_Angeles, stack: main}
  in: {zone: Asia/Kolkata, stack: main}

calendar:
  events:
    - {name: fair-2026, kind: sale, start: 2026-07-14T00:00, duration: 24h}
    - {name: cup-2026, kind: match, start: 2026-06-01T20:00, duration: 2h, regions: [us]}
  holidays: {us: US, in: IN}

history:
  until: 2027-05-01T00:00Z
  synthetic:
    days: 400
    sessions_per_day: {us: 1000000, in: 500000}
    journeys: {visitor: 1.0}

launches:
  drop:
    product: console
    at: {us: 2027-07-13T18:00, in: 2027-07-13T20:00}
    crowd: {us: 1000, in: 500}
    stock: {us: 100, in: 50}
    half_life: 4m

products:
  console:
    share: {us: 0.1, in: 0.2}
    calls: {cart: [stock]}
  toys:
    share: {us: 0.9, in: 0.8}

journeys:
  visitor:
    start: {home: 1.0}
    next:
      home: {cart: 0.25, exit: 0.75}
      cart: {exit: 1.0}
    think: {home: 10s, other: 5s}
    patience: 8s
    on_failure: {again: 0.5, after: 4s}
  fan:
    launch: drop
    start: {cart: 1.0}
    next:
      cart: {cart: 0.5, exit: 0.5}
    think: {other: 3s}
    patience: 9s

steps:
  home:
    exchanges:
      - path: /
  cart:
    exchanges:
      - path: /token
        extract: {token: {jsonpath: "$.token"}}
      - method: POST
        path: /cart
        json: {product: "{product}", token: "{token}"}
        calls: [[stock, "price?"]]
        check: {status: [200], sold_out: 409}

services:
  edge:
    stacks: {main: {instances: 8, instance: m8g.large}}
    servers_per_instance: 4
    queue_per_server: 2
    time: {law: exponential, mean: 3ms}
    timeout: 10s
  stock:
    stacks: {main: {instances: 6, instance: m8g.large}}
    servers_per_instance: 2
    queue_per_server: 2
    time: {law: lognormal, mean: 20ms, cv: 0.5}
    step_time: {cart: {law: deterministic, mean: 30ms}}
    timeout: 500ms
    retry: {attempts: 1, backoff: 40ms}
  price:
    stacks: {main: {instances: 3, instance: m8g.large}}
    servers_per_instance: 2
    queue_per_server: 1
    time: {law: deterministic, mean: 10ms}
    timeout: 300ms

observe:
  source: metrics
  series: {in_use: 'x{service="$service"}'}

objectives:
  - p99 of home < 800ms
  - error rate of all steps < 1%

guardrails:
  - when: error rate of all steps > 60% for 20s

capacity:
  instances:
    m8g.large: {hourly_usd: 0.1, vcpu: 2}
"""


@dataclass(frozen=True)
class Bench:
    """A folder to write scenarios in, and the valid text to begin from."""

    folder: Path
    text: str = VALID

    def write(self, text: str, name: str = "fair.yaml") -> Path:
        file = self.folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
        return file

    def edited(self, *edits: tuple[str, str]) -> str:
        """Return the valid text with each (old, new) done; `old` must stand there once."""
        text = self.text
        for old, new in edits:
            assert text.count(old) == 1, f"{old!r} stands {text.count(old)} times"
            text = text.replace(old, new)
        return text

    def load(self, *edits: tuple[str, str]) -> Scenario:
        return load_scenario(str(self.write(self.edited(*edits))))

    def load_data(self, data: Any) -> Scenario:
        """Load `data` written as JSON, which is YAML."""
        return load_scenario(str(self.write(json.dumps(data, indent=1))))

    def faults(self, *edits: tuple[str, str]) -> list[str]:
        """Return the faults of the edited text; fails the test if it loads."""
        return self.faults_of(self.edited(*edits))

    def faults_of(self, text: str) -> list[str]:
        with pytest.raises(ScenarioError) as caught:
            load_scenario(str(self.write(text)))
        assert caught.value.exit_code == 2
        return caught.value.faults


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


@pytest.fixture(scope="module")
def kept_bench(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    """One folder for a whole module: what hypothesis writes again and again."""
    return Bench(tmp_path_factory.mktemp("scenario"))


@pytest.fixture(scope="module")
def plain(kept_bench: Bench) -> Callable[[], dict[str, Any]]:
    """Give a fresh copy of the valid scenario as plain data, ready for JSON."""
    from gameday.scenario.reading.yaml_source import read_document

    file = kept_bench.write(VALID, "plain.yaml")
    data = read_document(file).data
    return lambda: json.loads(json.dumps(data))


@pytest.fixture(scope="session")
def primeday() -> Scenario:
    return load_scenario("primeday")
