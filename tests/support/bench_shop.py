"""A shop for the benches of diagnosis: six services with what a fault needs, half busy at its peak."""

from __future__ import annotations

__all__ = ["BENCH_SHOP"]

BENCH_SHOP = """\
event: {name: bench-shop-2027, kind: sale, start: 2027-07-13T10:00, duration: 2h}

regions:
  us: {zone: America/New_York, stack: main}

calendar:
  events:
    - {name: bench-shop-june, kind: sale, start: 2027-06-15T10:00, duration: 2h}

history:
  until: 2027-07-01T00:00Z
  synthetic:
    days: 56
    sessions_per_day: {us: 800000}
    journeys: {visitor: 1.0}

products:
  toys: {items: 200, share: {us: 1.0}}

journeys:
  visitor:
    start: {home: 1.0}
    next:
      home: {product: 0.8, exit: 0.2}
      product: {product: 0.3, cart: 0.4, exit: 0.3}
      cart: {checkout: 0.8, exit: 0.2}
      checkout: {exit: 1.0}
    think: {other: 20s}
    patience: 6s

steps:
  home:
    exchanges:
      - path: /
        calls: [[catalogue, "recommend?"]]
  product:
    exchanges:
      - path: /product/{product}
        calls: [catalogue, stock]
        action: product
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
        calls: [{order: [stock, pay]}]
        check: {status: [200, 201], sold_out: 409}
        extract: {order: {regex: "order ([0-9]+)"}}
        action: place_order

services:
  edge:
    stacks: {main: {instances: 6, instance: box}}
    servers_per_instance: 8
    queue_per_server: 4
    time: {law: lognormal, mean: 3ms, cv: 0.5}
    timeout: 10s
    tier: 0
  catalogue:
    stacks: {main: {instances: 3, instance: box}}
    servers_per_instance: 1
    queue_per_server: 8
    time: {law: lognormal, mean: 70ms, cv: 0.5}
    timeout: 1500ms
    cache: {keys: 20000, entries: 2000, skew: 0.7}
  recommend:
    stacks: {main: {instances: 2, instance: box}}
    servers_per_instance: 1
    queue_per_server: 4
    time: {law: exponential, mean: 60ms}
    timeout: 600ms
    autoscale: {target: 0.5, interval: 3s, delay: 4s, max_factor: 5}
    tier: 3
  stock:
    stacks: {main: {instances: 3, instance: box}}
    servers_per_instance: 1
    queue_per_server: 8
    time: {law: lognormal, mean: 45ms, cv: 0.4}
    timeout: 1s
    retry: {attempts: 1, backoff: 50ms}
    tier: 0
  order:
    stacks: {main: {instances: 3, instance: box}}
    servers_per_instance: 2
    queue_per_server: 6
    time: {law: lognormal, mean: 40ms, cv: 0.4}
    timeout: 4s
    tier: 0
  pay:
    stacks: {main: {instances: 3, instance: box}}
    servers_per_instance: 1
    queue_per_server: 6
    time: {law: lognormal, mean: 150ms, cv: 0.4}
    timeout: 2s
    retry: {attempts: 1, backoff: 100ms}
    pool: {connections: 6}
    tier: 0

observe:
  source: metrics
  path: /metrics
  series:
    in_use: shop_in_use{service="$service"}
    capacity: shop_capacity{service="$service"}
    queue: shop_queue{service="$service"}
    busy_seconds: shop_busy_seconds_total{service="$service"}
    queue_seconds: shop_queue_seconds_total{service="$service"}
    cache_lookups: shop_cache_lookups_total{service="$service"}
    cache_hits: shop_cache_hits_total{service="$service"}
    repeats: shop_repeats_total{service="$service"}
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
  - p99 of home < 1500ms
  - p99 of checkout < 2s
  - error rate of all steps < 5%

guardrails:
  - when: p50 of all steps > 60s for 5s

replay: {peak: 24m, speed: 14, steps_per_s: 70}

capacity:
  zones_lost: 0
  quantile: p50
  instances:
    box: {hourly_usd: 0.1, vcpu: 2}
"""
