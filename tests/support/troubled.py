"""Random shops in trouble: too few servers, short queues and time-outs, retries, outages, stock that
sells out.
"""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

__all__ = ["injections", "troubled_shops"]


def _laws(mean_ms: int) -> list[dict[str, Any]]:
    """Return every law of service time, about as long in the mean."""
    return [
        {"law": "deterministic", "mean": f"{mean_ms}ms"},
        {"law": "exponential", "mean": f"{mean_ms}ms"},
        {"law": "lognormal", "mean": f"{mean_ms}ms", "cv": 0.8},
        {"law": "gamma", "mean": f"{mean_ms}ms", "cv": 1.4},
        {"law": "erlang", "mean": f"{mean_ms}ms", "stages": 4},
        {"law": "pareto", "min": f"{mean_ms / 3}ms", "max": f"{9 * mean_ms}ms", "alpha": 1.3},
        {
            "law": "empirical",
            "quantiles": {
                "p0": "1ms",
                "p50": f"{mean_ms}ms",
                "p90": f"{2 * mean_ms}ms",
                "p100": f"{5 * mean_ms}ms",
            },
        },
    ]


@st.composite
def troubled_shops(draw: st.DrawFn) -> dict[str, Any]:
    """Return changes to the small shop: fewer servers, short queues and timeouts, retries."""
    services = {}
    for name in ("edge", "stock", "pay"):
        retries, timeout_ms = draw(st.integers(0, 2)), draw(st.sampled_from([40, 300, 2500]))
        services[name] = {
            "stacks": {
                "main": {"instances": draw(st.integers(1, 12)), "zones": draw(st.integers(2, 3))}
            },
            "servers_per_instance": draw(st.integers(1, 3)),
            "queue_per_server": draw(st.sampled_from([0, 1, 4, 50])),
            "time": draw(st.sampled_from(_laws(draw(st.sampled_from([5, 60, 400]))))),
            "threads": draw(st.sampled_from(["held", "asynchronous"])),
            "timeout": f"{timeout_ms}ms",
            "retry": {"attempts": retries, "backoff": "80ms"},
        }
        if draw(st.booleans()):
            services[name]["retry"]["budget"] = {
                "ratio": draw(st.sampled_from([0.1, 1.0])),
                "most": draw(st.sampled_from([1, 5, 200])),
            }
        services[name]["queue_order"] = draw(st.sampled_from(["fifo", "lifo", "adaptive"]))
        if draw(st.booleans()):
            target, interval = draw(st.sampled_from([0.05, 0.4])), draw(st.sampled_from([0.4, 1.5]))
            services[name]["codel"] = {
                "target": f"{target * timeout_ms}ms",
                "interval": f"{interval * timeout_ms}ms",
            }
        for what, policy in (
            ("load", {"contention": 0.05, "coherency": 0.01}),
            ("pauses", {"every": "3s", "last": "700ms"}),
            ("warm_up", {"last": "40s", "factor": 3}),
            ("queue_share", {"home": 0.5}),
            ("pool", {"connections": 6}),
            ("degraded", {"share": 0.4, "slowed": 3, "refuses": draw(st.booleans())}),
            ("rate_limit", {"per_s": 3, "burst": 5}),
        ):
            if draw(st.integers(0, 3)) == 0:
                services[name][what] = policy
        if draw(st.booleans()):
            services[name]["limit"] = {
                "target": f"{draw(st.sampled_from([0.2, 0.8])) * timeout_ms}ms"
            }
        if draw(st.booleans()):
            by = draw(
                st.sampled_from(["round_robin", "random", "least_connections", "two_choices"])
            )
            services[name]["balance"] = {"by": by, "zone_affinity": draw(st.booleans())}
        services[name]["deadline"] = draw(st.sampled_from(["own", "propagated"]))
        if draw(st.integers(0, 2)) == 0:
            services[name]["hedge"] = {
                "after": f"{draw(st.sampled_from([0.1, 0.6])) * timeout_ms}ms"
            }
        if draw(st.integers(0, 2)) == 0:
            services[name]["breaker"] = {
                "failures": 0.4,
                "calls": draw(st.sampled_from([4, 30])),
                "open": "1500ms",
            }
        if draw(st.integers(0, 2)) == 0:
            services[name]["cache"] = {
                "keys": 400,
                "entries": draw(st.sampled_from([1, 30, 400])),
                "skew": draw(st.sampled_from([0.0, 0.7, 1.0])),
                "begins": draw(st.sampled_from(["full", "empty"])),
            }
        if draw(st.booleans()):
            services[name]["autoscale"] = draw(_autoscaling())
    calls = draw(
        st.sampled_from(
            [
                ["stock", "pay"],
                [["stock", "pay?"]],
                [{"stock": ["pay"]}],
                [["stock?", "pay?"]],
                [{"stock": [["pay", "pay?"]]}, "pay"],
                [{"40% stock?": [["pay", "12.5% pay"]]}, ["70% pay", "pay?"]],
            ]
        )
    )
    again = {"again": draw(st.floats(0, 1)), "after": "4s", "most": draw(st.integers(1, 3))}
    refresh = {"again": draw(st.sampled_from([0.5, 0.98])), "after": "2500ms", "most": 60}
    cart = {
        "method": "POST",
        "path": "/cart",
        "action": "add_to_cart",
        "check": {"sold_out": 409, "wait": {"status": [425]}},
    }
    look = {"path": "/product/{product}", "action": "product", "calls": calls}
    waits = {**look, "check": {"wait": {"body_contains": "not yet"}}}
    own = {"product": [[waits, {"path": "/more", "required": False}], cart, cart]}
    return {
        "regions": {"uk": {"zone": "Europe/London", "stack": "main"}},
        "history": {"synthetic": {"sessions_per_day": {"uk": 1000}}},
        "services": services,
        "steps": {
            "product": {"exchanges": [look, cart]},
            "home": {
                "exchanges": [
                    [{"path": "/"}, {"path": "/api", "required": False, "calls": ["stock"]}]
                ]
            },
        },
        "journeys": {
            "shopper": {
                "on_failure": again,
                "on_sold_out": again,
                **({"on_waiting": refresh} if draw(st.booleans()) else {}),
                "patience": f"{draw(st.sampled_from([1, 3, 8]))}s",
                "think": {
                    "home": {"product": draw(st.sampled_from(_laws(4000))), "other": "0s"},
                    "other": draw(st.sampled_from(["2s", "15s", *_laws(6000)])),
                },
            },
            **_wanderers(draw(st.sampled_from(_LENGTHS))),
            "fan": {
                "launch": "drop",
                "start": {"product": 0.6, "checkout": 0.4},
                "on_sold_out": again,
                "on_waiting": refresh,
                "on_failure": again,
                "next": {"product": {"checkout": 0.9, "exit": 0.1}, "checkout": {"exit": 1.0}},
                "think": {"other": "3s", "product": "0s"},
                "patience": "2s",
            },
        },
        "products": {
            "toy": {
                "share": {"eu": 0.6, "uk": 0.2},
                **({"exchanges": own} if draw(st.booleans()) else {}),
            },
            "book": {
                "share": {"eu": 0.3, "uk": 0.7},
                "hours": [1.0] * 12 + [3.0] * 12,
                "calls": {"product": ["pay"]},
                "stock": {"eu": 30, "uk": 30},
            },
            "song": {
                "share": {"eu": 0.1, "uk": 0.1},
                "without": draw(st.sampled_from([[], ["stock"], ["pay"]])),
                "popularity": {"exponent": 1.0, "shift": 2.0},
            },
        },
        "launches": {
            "drop": {
                "product": "toy",
                "at": draw(
                    st.sampled_from(
                        [
                            {"eu": "2026-03-10T00:00", "uk": "2026-03-10T00:00"},
                            {"eu": "2026-03-10T01:01", "uk": "2026-03-10T00:02"},
                            {"eu": "2026-03-10T02:00", "uk": "2026-03-10T00:02"},
                        ]
                    )
                ),
                "crowd": {"eu": 10, "uk": 10},
                "half_life": "4m",
                "waiting": {"share": 0.4, "since": "90s"},
                **draw(st.sampled_from([{}, {"countdown": "7s"}])),
                **draw(st.sampled_from([{}, {"admits": {"eu": 30, "uk": 90}}])),
                **draw(st.sampled_from([{}, {"per_customer": 1}, {"per_customer": 2}])),
                "stock": {"eu": draw(st.sampled_from([0, 20, 10**6])), "uk": 10},
            }
        },
    }


_LENGTHS: list[dict[str, Any]] = [
    {},
    {"steps": [0.3, 0.1, 0.4, 0.1, 0.1]},
    {"duration": "9s"},
    {"duration": {"law": "lognormal", "mean": "15s", "cv": 0.8}},
    {"observed": True},
]


_OBSERVED = {
    "walks": "sessions",
    "sessions": {
        "steps": ["product", "home", "checkout"],
        "lengths": [1, 3, 4, 2],
        "step": [1, 1, 0, 0, 1, 0, 2, 0, 0, 1],
        "pauses": [0.0, 1.5, 0.0, 9.0, 20.0, 4.25, 3.0, 0.0, 2.5, 0.0],
    },
    "start": {"home": 0.75, "product": 0.25},
    "next": {
        "home": {"product": 0.5, "exit": 0.5},
        "product": {"product": 0.2, "checkout": 0.2, "home": 0.2, "exit": 0.4},
        "checkout": {"product": 1.0},
    },
    "think": {"other": "2s"},
    "patience": "3s",
}
"""Sessions that are played whole; their chain is only near them."""


def _wanderers(length: dict[str, Any]) -> dict[str, Any]:
    """Return those who come for so many steps or so long, or nobody."""
    if not length:
        return {}
    if "observed" in length:
        return {"wanderer": _OBSERVED}
    return {
        "wanderer": {
            "start": {"home": 1.0},
            "next": {"home": {"home": 0.2, "product": 0.8}, "product": {"home": 1.0}},
            "length": length,
            "think": {"other": "2s"},
            "patience": "3s",
        }
    }


@st.composite
def _autoscaling(draw: st.DrawFn) -> dict[str, Any]:
    """Return target tracking, steps, or a schedule alone, of any metric."""
    metric = draw(st.sampled_from(["utilisation", "concurrency", "requests"]))
    steps = [{"above": 0.5, "change": 0.4}, {"below": 0.2, "change": -0.3}]
    how: dict[str, Any] = draw(
        st.sampled_from([{"target": 0.3}, {"target": 0.7}, {"steps": steps}, {}])
    )
    schedule = [{"at": "40s", "factor": 1.5}]
    return how | {
        "metric": metric,
        "interval": "10s",
        "max_factor": 3,
        "schedule": schedule if not how or draw(st.booleans()) else [],
        "delay": draw(st.sampled_from(["0s", "20s", "33s"])),
        "cooldown": draw(st.sampled_from(["0s", "25s"])),
        "min_factor": draw(st.sampled_from([0.4, 1.0])),
    }


@st.composite
def injections(draw: st.DrawFn) -> list[str]:
    """Return outages and surges of the small shop's services, as a person writes them, none at once."""
    kinds = ["slowed 3x", "slowed 0.5x", "down", "lost", "flushed"]
    if draw(st.integers(0, 3)) == 0:
        return [f"zone main-{draw(st.sampled_from('ab'))} lost at +20s for 1m"]
    out = []
    for name in draw(st.sets(st.sampled_from(["edge", "stock", "pay"]))):
        kind = draw(st.sampled_from(kinds))
        what = f"1 instance of {name} lost" if kind == "lost" else f"{name} {kind}"
        if kind == "flushed":
            what = f"cache of {name} flushed"
        begins, lasts = (
            draw(st.sampled_from([0, 20, 60])),
            draw(st.sampled_from(["", " for 20s", " for 1m"])),
        )
        out.append(f"{what} at +{begins}s{lasts if kind != 'flushed' else ''}")
    if draw(st.booleans()):
        out.append("traffic 2x at +1m for 1m")
    return out
