"""A fair so small that a whole replay of it takes seconds: one stack, three services."""

from __future__ import annotations

__all__ = ["FAIR", "LONG", "NO_WORD_OF_CHECKOUT", "SMALL_PAY", "TRIPS_AT_ONCE", "Edit", "edited"]

Edit = tuple[str, str]

FAIR = """\
event: {name: small-fair-2027, kind: sale, start: 2027-07-13T10:00, duration: 2h}

regions:
  us: {zone: America/New_York, stack: main}

calendar:
  events:
    - {name: small-fair-june, kind: sale, start: 2027-06-15T10:00, duration: 2h}

history:
  until: 2027-07-01T00:00Z
  synthetic:
    days: 56
    sessions_per_day: {us: 800000}
    journeys: {visitor: 1.0}

products:
  toys: {items: 20, share: {us: 1.0}}

journeys:
  visitor:
    start: {home: 1.0}
    next:
      home: {cart: 0.9, exit: 0.1}
      cart: {checkout: 0.9, exit: 0.1}
      checkout: {exit: 1.0}
    think: {home: 20s, other: 20s}
    patience: 3s

steps:
  home:
    exchanges:
      - path: /
        calls: [stock]
  cart:
    exchanges:
      - method: POST
        path: /cart
        json: {product: "{product}", quantity: 1}
        calls: [stock]
        check: {status: [200], sold_out: 409, jsonpath: {"$.added": true}}
        action: add_to_cart
  checkout:
    exchanges:
      - path: /checkout
        extract: {csrf: {css: "input[name=csrf]@value"}}
      - method: POST
        path: /checkout
        headers: {Idempotency-Key: "{order_key}"}
        form: {csrf: "{csrf}"}
        calls: [stock, pay]
        check: {status: [200, 201], sold_out: 409}
        extract: {order: {regex: "order ([0-9]+)"}}
        action: place_order

services:
  edge:
    stacks: {main: {instances: 12, instance: m8g.large}}
    servers_per_instance: 16
    queue_per_server: 4
    time: {law: lognormal, mean: 2ms, cv: 0.5}
    timeout: 10s
  stock:
    stacks: {main: {instances: 12, instance: m8g.large}}
    servers_per_instance: 8
    queue_per_server: 8
    time: {law: lognormal, mean: 4ms, cv: 0.5}
    timeout: 800ms
  pay:
    stacks: {main: {instances: 12, instance: m8g.large}}
    servers_per_instance: 8
    queue_per_server: 4
    time: {law: lognormal, mean: 25ms, cv: 0.4}
    timeout: 1s

observe:
  source: metrics
  path: /metrics
  series:
    in_use: shop_in_use{service="$service"}
    capacity: shop_capacity{service="$service"}
    queue: shop_queue{service="$service"}
    busy_seconds: shop_busy_seconds_total{service="$service"}
    queue_seconds: shop_queue_seconds_total{service="$service"}
    arrived: shop_attempts_total{service="$service",outcome="arrived"}
    done: shop_attempts_total{service="$service",outcome="done"}
    failed: shop_attempts_total{service="$service",outcome="failed"}
    shed: shop_attempts_total{service="$service",outcome="shed"}
    timed_out: shop_attempts_total{service="$service",outcome="timed_out"}
    cancelled: shop_attempts_total{service="$service",outcome="cancelled"}
    orphaned: shop_attempts_total{service="$service",outcome="orphaned"}
    in_flight: shop_in_flight{service="$service"}
  latency: shop_visit_seconds
  orders: /orders

objectives:
  - p99 of home < 1s
  - p95 of checkout < 2s
  - error rate of all steps < 5%

guardrails:
  - when: p50 of all steps > 60s for 5s

replay: {peak: 5m, speed: 60, steps_per_s: 60}

capacity:
  instances:
    m8g.large: {hourly_usd: 0.1, vcpu: 2}
"""

_PAY = """\
    stacks: {main: {instances: 12, instance: m8g.large}}
    servers_per_instance: 8
    queue_per_server: 4
    time: {law: lognormal, mean: 25ms, cv: 0.4}
"""
_ONE_CASHIER = """\
    stacks: {main: {instances: 1, instance: m8g.large}}
    servers_per_instance: 1
    queue_per_server: 4
    time: {law: lognormal, mean: 70ms, cv: 0.1}
"""
SMALL_PAY = ((_PAY, _ONE_CASHIER), ("p95 of checkout < 2s", "error rate of checkout < 1%"))
"""One server where more than one is asked for all the time."""
TRIPS_AT_ONCE: Edit = (
    "p50 of all steps > 60s for 5s",
    "p50 of all steps >= 0.001ms for 5s",
)
NO_WORD_OF_CHECKOUT: Edit = ("  - p95 of checkout < 2s\n", "")
LONG: Edit = ("replay: {peak: 5m", "replay: {peak: 30m")
"""Half a minute of load: time enough to disturb it."""


def edited(*edits: Edit) -> str:
    """Return the fair's text with each (old, new) done; `old` must stand there once."""
    text = FAIR
    for old, new in edits:
        assert text.count(old) == 1, f"{old!r} stands {text.count(old)} times"
        text = text.replace(old, new)
    return text
