"""The same work by Locust's own FastHttpUser: locust -f tests/bench/locust_rival.py, KIND=bare|shopping."""

from __future__ import annotations

import json
import os
import re
import sys
import time
from typing import Any

import gevent
from locust import FastHttpUser, constant, events, task

_KIND = os.environ.get("KIND", "bare")
_TOKEN = re.compile(r'name="token" value="([0-9a-f]+)"')
_began = [0.0, 0.0]
_environment: list[Any] = []


class Rival(FastHttpUser):
    """One closed-loop customer."""

    wait_time = constant(0)
    insecure = True

    @task
    def play(self) -> None:
        """Do one request, or one session of four."""
        if _KIND == "bare":
            self.client.get("/")
            return
        self.client.cookiejar.clear()
        token = ""
        for name, path in (
            ("home", "/home"),
            ("s1", "/item?n=1"),
            ("s2", "/page"),
            ("s3", "/page"),
        ):
            with self.client.get(
                path + (f"?token={token}" if name == "s2" else ""), name=name, catch_response=True
            ) as reply:
                if "welcome" not in (reply.text or ""):
                    reply.failure("body")
                elif name == "s1":
                    found = _TOKEN.search(reply.text)
                    token = found[1] if found else ""


@events.spawning_complete.add_listener
def on_spawned(**_: Any) -> None:
    gevent.spawn(_measure, _environment[0].runner)


def _measure(runner: Any) -> None:
    """Count from when every user plays: to make 50 users, each with a TLS context, costs seconds of load."""
    while runner.stats.total.num_requests < 4 * runner.user_count:
        gevent.sleep(0.05)
    _began[:] = [time.process_time(), runner.stats.total.num_requests]
    gevent.sleep(float(os.environ.get("SECONDS", "5")))
    runner.quit()


@events.init.add_listener
def on_init(environment: Any, **_: Any) -> None:
    _environment.append(environment)


@events.quitting.add_listener
def on_quit(environment: Any, **_: Any) -> None:
    cpu, total = time.process_time() - _began[0], environment.stats.total
    requests = total.num_requests - int(_began[1])
    sys.stdout.write(
        "RIVAL "
        + json.dumps(
            {
                "requests": requests,
                "failures": total.num_failures,
                "cpu_s": cpu,
                "per_cpu_s": requests / cpu,
            }
        )
        + "\n"
    )
