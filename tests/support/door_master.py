"""A Locust master with the swarm's door, for a test to knock at: python door_master.py PORT EVENT SPEC.

It prints what its runner hears, a JSON object a line; its spec is the text it is given.
"""

from __future__ import annotations

import json
import sys

import gevent
from locust import User, events
from locust.env import Environment

from gameday.swarm.locust_user import customers_of


def say(line: list[object]) -> None:
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()


def main() -> None:
    port, event, spec = int(sys.argv[1]), sys.argv[2], sys.argv[3]
    sys.argv = sys.argv[:1]
    user, clock = customers_of(event)
    assert issubclass(user, User)
    environment = Environment(user_classes=[user], shape_class=clock(), events=events)
    runner = environment.create_master_runner("127.0.0.1", port)
    heard = runner.handle_message

    def handle(who: str, message: object) -> None:
        say([who, str(message.type)])  # type: ignore[attr-defined]
        heard(who, message)
        if message.type == "gameday_ping":  # type: ignore[attr-defined]
            if who == "starter":
                gevent.spawn(runner.start, 1, 1.0)
                return
            runner.send_message("gameday_brief", {"brief": spec, "late": False})

    runner.handle_message = handle
    events.init.fire(environment=environment, runner=runner, web_ui=None)
    say(["up", port])
    while True:
        gevent.sleep(0.2)
        runner.send_message("gameday_pulse", {"at": 0.0})  # as the director does, to all there are


if __name__ == "__main__":
    main()
