"""What a Flask application under gunicorn counts for `observe`: share it before the workers fork (--preload)."""

from __future__ import annotations

import os
import time
from multiprocessing import Value

from flask import Flask, Response, g, request

BUSY, DONE, FAILED, IN_USE = Value("d", 0.0), Value("q", 0), Value("q", 0), Value("i", 0)
"""Seconds that workers held requests, requests answered well, those of a status above 499, those at work."""


def count(app: Flask) -> None:
    """Count the requests of an application, and expose the counts at /metrics."""

    @app.before_request
    def begin() -> None:
        g.began = time.monotonic()
        _add(IN_USE, 1)

    @app.after_request
    def end(response: Response) -> Response:
        if request.path != "/metrics":
            _add(BUSY, time.monotonic() - g.began)
            _add(DONE if response.status_code < 500 else FAILED, 1)
        _add(IN_USE, -1)
        return response

    @app.route("/metrics")
    def metrics() -> Response:
        lines = [
            f"app_busy_seconds_total {BUSY.value:.6f}",
            f"app_done_total {DONE.value}",
            f"app_failed_total {FAILED.value}",
            f"app_in_use {max(0, IN_USE.value - 1)}",
            f"app_capacity {os.environ['WORKERS']}",
        ]
        return Response("\n".join(lines) + "\n", mimetype="text/plain")


def _add(counter, amount) -> None:  # type: ignore[no-untyped-def]
    with counter.get_lock():
        counter.value += amount
