"""`gameday shop`: the embedded shop alone, as a target; `gameday worker`: more cores for a run."""

from __future__ import annotations

import json
import os
import socket
import sys
from typing import Annotated

import typer

from gameday.cli.options import KeyOption, address_of
from gameday.errors import UsageError

__all__ = ["add_to"]


def add_to(app: typer.Typer) -> None:
    """Add this file's verbs."""
    app.command()(shop)
    app.command()(worker)


def shop(
    event: Annotated[str, typer.Option(help="a bundled scenario's name, or a YAML file")],
    stack: Annotated[str | None, typer.Option(help="which stack; default the first")] = None,
    scale: Annotated[
        float, typer.Option(min=1e-6, max=100, help="servers as a share of full scale")
    ] = 0.01,
    stock_scale: Annotated[
        float | None, typer.Option(min=0, help="stock as a share; default --scale")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="of its service times")] = 1,
    port: Annotated[int, typer.Option(min=0, max=65535, help="on 127.0.0.1; 0: a free one")] = 8080,
    as_json: Annotated[bool, typer.Option("--json", help="say the address as JSON")] = False,
    scenario_on_stdin: Annotated[bool, typer.Option("--scenario-on-stdin", hidden=True)] = False,
    with_parent: Annotated[bool, typer.Option("--with-parent", hidden=True)] = False,
) -> None:
    """Start the embedded shop of one stack on loopback, until Ctrl-C.

    Example: gameday shop --event primeday --port 8080
    """
    from gameday.scenario import load_scenario
    from gameday.scenario.reading import scenario_of
    from gameday.shop import serve

    parent = os.getppid()
    scenario = scenario_of(sys.stdin.read()) if scenario_on_stdin else load_scenario(event)
    chosen = stack or scenario.stack_names[0]
    if chosen not in scenario.stack_names:
        raise UsageError(
            f"--stack: must be one of {', '.join(scenario.stack_names)} (got '{chosen}')"
        )

    def ready(url: str) -> None:
        if as_json:
            typer.echo(
                json.dumps({"schema_version": 1, "url": url, "stack": chosen, "scale": scale})
            )
        else:
            typer.echo(f"{scenario.event.name}: stack {chosen} at {scale:g} of full scale: {url}")
            typer.echo("metrics at /metrics, orders at /orders?run=RUN; Ctrl-C ends it")

    serve(
        scenario,
        chosen,
        scale=scale,
        stock_scale=scale if stock_scale is None else stock_scale,
        seed=seed,
        port=port,
        ready=ready,
        over=lambda: with_parent and os.getppid() != parent,
    )


def worker(
    master: Annotated[
        str, typer.Option(help="HOST:PORT of a run, as its --listen, or of Locust's --master")
    ],
    key_file: KeyOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="say whom it joins as JSON")] = False,
) -> None:
    """Play for a master elsewhere: it sends scenario, plan and seed; ends with the run.

    Example: gameday worker --master 127.0.0.1:5557
    """
    from gameday.swarm.control import KEY_FILE_VARIABLE, KEY_VARIABLE, given_key, worker_command

    host, port = address_of("--master", master)
    try:
        socket.getaddrinfo(host, port)
    except OSError as error:
        raise UsageError(f"--master: {host}: {error.strerror or error}") from None
    given_key(key_file)  # said now if it is wrong; none at all: the run may yet make one here
    said = json.dumps({"schema_version": 1, "master": master}) if as_json else f"joining {master}"
    typer.echo(said)
    sys.stdout.flush()
    command, environment = worker_command(host, port), dict(os.environ)
    if key_file is not None:
        environment |= {KEY_FILE_VARIABLE: str(key_file)}
        environment.pop(KEY_VARIABLE, None)
    os.execve(command[0], command, environment)
