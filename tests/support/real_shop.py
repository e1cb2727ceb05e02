"""A real multi-process shop: Flask under gunicorn behind nginx, with PostgreSQL; CPU work, row
locks, one connection a worker.

Debian's packages; all of it pinned to one core, so that the generator has another.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.request import urlopen

import numpy as np
import pandas as pd

from gameday.vocabulary import Array
from tests.support.program import free_address, until

__all__ = ["WORKERS", "CpuMeter", "demand_csv", "missing", "real_shop", "scenario_text", "watched"]

WORKERS = 3
CORE = "0"
_PROGRAMS = ("gunicorn", "nginx", "psql", "taskset", "runuser", "/usr/bin/python3")
RECIPES = Path(__file__).parents[2] / "docs" / "observe"
_APP = '''
import math, os, random, time
import psycopg2
from flask import Flask, request
from gunicorn_metrics import count

app = Flask(__name__)
count(app)
_connection = None


def connection():
    global _connection
    if _connection is None or _connection.closed:
        _connection = psycopg2.connect(os.environ["DSN"])
    return _connection


def burn(mean_ms, cv=0.4):
    """Keep the processor busy for a log-normal time."""
    sigma = math.sqrt(math.log1p(cv * cv))
    seconds = mean_ms / 1000 * math.exp(sigma * random.gauss(0, 1) - sigma * sigma / 2)
    end = time.process_time() + seconds
    x = 0
    while time.process_time() < end:
        for n in range(200):
            x += n * n


@app.route("/")
def home():
    burn(2.0)
    return "home"


@app.route("/product/<int:number>")
def product(number):
    burn(3.0)
    with connection() as db, db.cursor() as cursor:
        cursor.execute("select name, left_over from items where id = %s", (number,))
        row = cursor.fetchone()
    return "product %s" % (row,)


@app.route("/checkout", methods=["POST"])
def checkout():
    burn(6.0)
    number = random.randrange(1, 20)
    with connection() as db, db.cursor() as cursor:
        cursor.execute("select left_over from items where id = %s for update", (number,))
        cursor.execute("update items set left_over = left_over - 1 where id = %s", (number,))
        key, run = request.headers.get("Idempotency-Key", ""), request.headers.get("X-Gameday-Run", "")
        cursor.execute("insert into orders (key, run) values (%s, %s) returning id", (key, run))
        order = cursor.fetchone()[0]
    return "order %s" % order, 201
'''
_NGINX = """
daemon off; error_log {folder}/nginx.log; pid {folder}/nginx.pid; worker_processes 1;
events {{ worker_connections 512; }}
http {{
  access_log off;
  client_body_temp_path {folder}/b; proxy_temp_path {folder}/p; fastcgi_temp_path {folder}/f;
  uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
  upstream app {{ server {app}; }}
  server {{
    listen {port};
    location / {{ proxy_pass http://app; proxy_set_header Host $host; }}
    location = /stub_status {{ stub_status; }}
  }}
}}
"""


def missing() -> str:
    """Return why the shop cannot run here; empty: it can."""
    absent = [name for name in _PROGRAMS if shutil.which(name) is None]
    if absent or not list(Path("/usr/lib/postgresql").glob("*/bin/initdb")):
        return f"Debian's packages are missing: {', '.join(absent) or 'postgresql'}"
    if (os.cpu_count() or 1) < 2 or os.geteuid() != 0:
        return "needs two cores, and the right to start PostgreSQL as its own user"
    done = subprocess.run(
        ["/usr/bin/python3", "-c", "import flask, psycopg2"], capture_output=True, check=False
    )
    return "" if done.returncode == 0 else "Debian's python3-flask and python3-psycopg2 are missing"


def _pinned(*command: str) -> list[str]:
    return ["taskset", "-c", CORE, *command]


@contextmanager
def _running(command: list[str], **more: object) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **more
    )  # type: ignore[call-overload]
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(10)


@contextmanager
def _database() -> Iterator[str]:
    """Run PostgreSQL as the user postgres, in a folder that is theirs; yield how to connect."""
    with TemporaryDirectory(prefix="real-shop-") as name:
        yield from _database_in(Path(name))


def _database_in(folder: Path) -> Iterator[str]:
    binaries = sorted(Path("/usr/lib/postgresql").glob("*/bin"))[-1]
    data = folder / "db"
    data.mkdir()
    for each in (folder, data):
        shutil.chown(each, "postgres")
    as_user = ["runuser", "-u", "postgres", "--"]
    setup = subprocess.run(
        [*as_user, str(binaries / "initdb"), "-D", str(data), "-A", "trust", "-N"],
        capture_output=True,
        check=False,
    )
    assert setup.returncode == 0, setup.stderr
    options = f"-c listen_addresses='' -c unix_socket_directories={folder} -c fsync=off"
    server = [
        *as_user,
        str(binaries / "postgres"),
        "-D",
        str(data),
        *options.replace("'", "").split(),
    ]
    with _running(_pinned(*server)):
        dsn = f"host={folder} user=postgres dbname=postgres"
        psql = [*as_user, "psql", "-h", str(folder), "-c"]
        until(
            lambda: (
                subprocess.run([*psql, "select 1"], capture_output=True, check=False).returncode
                == 0
            ),
            20,
            "PostgreSQL answers",
        )
        tables = (
            "create table items (id int primary key, name text, left_over int); "
            "insert into items select n, 'item ' || n, 1000000 from generate_series(1, 200) n; "
            "create table orders (id serial primary key, key text, run text)"
        )
        subprocess.run([*psql, tables], capture_output=True, check=True)
        yield dsn


@dataclass(frozen=True)
class RealShop:
    """A shop that runs: its URL, where its workers listen, and how its database is reached."""

    url: str
    app: str
    dsn: str


@contextmanager
def real_shop(folder: Path, *, workers: int = WORKERS) -> Iterator[RealShop]:
    """Run the shop; yield where it is."""
    folder.chmod(0o755)
    (folder / "app.py").write_text(_APP)
    shutil.copy(RECIPES / "gunicorn_metrics.py", folder)
    port, app = free_address(), free_address()
    (folder / "nginx.conf").write_text(_NGINX.format(folder=folder, port=port, app=app))
    with ExitStack() as stack:
        dsn = stack.enter_context(_database())
        environment = {**os.environ, "DSN": dsn, "WORKERS": str(workers)}
        environment.pop("PYTHONPATH", None)
        server = ["/usr/bin/python3", "-m", "gunicorn", "app:app", "--preload", "-w", str(workers)]
        server += ["-b", app, "--backlog", "512", "--log-level", "critical"]
        stack.enter_context(_running(_pinned(*server), cwd=folder, env=environment))
        stack.enter_context(_running(_pinned("nginx", "-c", str(folder / "nginx.conf"))))
        url = f"http://{port}"
        until(lambda: _answers(url), 20, "the shop answers")
        yield RealShop(url, app, dsn)


@contextmanager
def watched(shop: RealShop, folder: Path) -> Iterator[str]:
    """Run the exporters and the Prometheus server of the recipes beside a shop; yield the server's URL."""
    nginx, database, server = free_address(), free_address(), free_address()
    places = {"127.0.0.1:9113": nginx, "127.0.0.1:8000": shop.app, "127.0.0.1:9187": database}
    text = (RECIPES / "prometheus.yml").read_text()
    for recipe, here in places.items():
        assert recipe in text
        text = text.replace(recipe, here)
    (folder / "prometheus.yml").write_text(text)
    shutil.copy(RECIPES / "rules.yml", folder)
    observer = ["taskset", "-c", "1"]
    scrape = f"-nginx.scrape-uri={shop.url}/stub_status"
    of_nginx = ["prometheus-nginx-exporter", scrape, f"-web.listen-address={nginx}"]
    of_database = ["prometheus-postgres-exporter", f"--web.listen-address={database}"]
    dsn = {**os.environ, "DATA_SOURCE_NAME": f"{shop.dsn} sslmode=disable"}
    prometheus = [
        "prometheus",
        "--config.file=prometheus.yml",
        f"--storage.tsdb.path={folder}/tsdb",
    ]
    with ExitStack() as stack:
        stack.enter_context(_running([*observer, *of_nginx]))
        stack.enter_context(_running([*observer, *of_database], env=dsn))
        listen = [f"--web.listen-address={server}"]
        stack.enter_context(_running([*observer, *prometheus, *listen], cwd=folder))
        url = f"http://{server}"
        until(lambda: _knows(url, "service_done"), 30, "Prometheus knows what the services do")
        yield url


def _knows(url: str, series: str) -> bool:
    """Return whether a Prometheus server has a series of each of the three services."""
    try:
        with urlopen(f"{url}/api/v1/query?query={series}", timeout=2) as reply:
            return len(json.load(reply)["data"]["result"]) == 3
    except OSError:
        return False


def _answers(url: str) -> bool:
    try:
        with urlopen(f"{url}/product/3", timeout=2) as reply:
            return bool(reply.status == 200)
    except OSError:
        time.sleep(0.1)
        return False


class CpuMeter:
    """Samples how long the shop's core has been busy, four times a second."""

    def __init__(self) -> None:
        self.samples: list[tuple[float, float]] = []
        """Seconds since the epoch, and busy seconds (proc_stat(5))."""
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> CpuMeter:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def busy(self, edges: Array) -> Array:
        """Return the busy share between each two instants."""
        at, busy = np.array(self.samples).T
        return np.asarray(np.diff(np.interp(edges, at, busy)) / np.diff(edges))

    def _run(self) -> None:
        while not self._over.wait(0.25):
            self.samples.append((time.time(), _core_busy_s()))


def _core_busy_s() -> float:
    for line in Path("/proc/stat").read_text().splitlines():
        name, *fields = line.split()
        if name == f"cpu{CORE}":
            user, nice, system, _idle, _wait, irq, softirq, steal = map(int, fields[:8])
            return (user + nice + system + irq + softirq + steal) / os.sysconf("SC_CLK_TCK")
    raise AssertionError(f"no core {CORE}")


def demand_csv(file: Path, per_min: float) -> None:
    """Write two hours of demand whose peak has so many views of the home page a minute."""
    minutes = pd.date_range("2027-03-05T17:00Z", periods=120, freq="min")
    shape = 0.3 + 0.7 * np.sin(np.pi * np.arange(120) / 120) ** 2
    rows = [
        (at, "de", step, round(share * per_min * each))
        for at, share in zip(minutes, shape, strict=True)
        for step, each in (("home", 1.0), ("product", 1.33), ("checkout", 0.4))
    ]
    pd.DataFrame(rows, columns=["time", "region", "step", "count"]).to_csv(file, index=False)


_BOX = """\
event: {name: real-shop, kind: sale, start: 2027-03-05T18:00, duration: 2h}
regions: {de: {zone: Europe/Berlin, stack: site}}
history: {until: 2027-03-01T00:00Z}
journeys:
  visitor:
    start: {home: 1.0}
    next:
      home: {product: 0.8, exit: 0.2}
      product: {product: 0.4, checkout: 0.3, exit: 0.3}
      checkout: {exit: 1.0}
    think: {other: 20s}
    patience: 8s
steps:
  home: {ENTRYexchanges: [{path: /CALLS}]}
  product: {ENTRYexchanges: [{path: /product/7CALLS}]}
  checkout:
    ENTRYexchanges:
      - method: POST
        path: /checkoutCALLS
        headers: {Idempotency-Key: "{order_key}"}
        check: {status: [201]}
        extract: {order: {regex: "order ([0-9]+)"}}
        action: place_order
objectives: [p95 of home < 2s, error rate of all steps < 5%]
replay: {peak: 40m, speed: 20, steps_per_s: 100}
"""
_SERVICES = """\
services:
  nginx:
    stacks: {site: {instances: 1, zones: 1, instance: box}}
    servers_per_instance: 512
    threads: asynchronous
    queue_per_server: 1
    time: {law: lognormal, mean: 1ms, cv: 0.5}
    timeout: 8s
    tier: 0
  app:
    stacks: {site: {instances: 1, zones: 1, instance: box}}
    servers_per_instance: 3
    queue_per_server: 150
    time: {law: lognormal, mean: MEAN, cv: 0.6}
    timeout: 8s
    tier: 0
OBSERVE
capacity:
  zones_lost: 0
  instances: {box: {hourly_usd: 0.1, vcpu: 2}}
"""
_SCRAPED = """\
observe:
  source: metrics
  path: /metrics
  services: [app]
  series:
    in_use: app_in_use
    capacity: app_capacity
    busy_seconds: app_busy_seconds_total
    done: app_done_total
    failed: app_failed_total
"""
_DATABASE = """\
  db:
    stacks: {site: {instances: 1, zones: 1, instance: box}}
    servers_per_instance: 100
    queue_per_server: 1
    time: {law: lognormal, mean: 1ms, cv: 0.5}
    timeout: 8s
    tier: 0
"""


def scenario_text(*, mean: str | None = None, prometheus: str | None = None) -> str:
    """Return the shop's scenario: a black box, or with its workers as a service whose visits take `mean`.

    `prometheus`: the server that knows it and its neighbours; None: the workers' own counts are scraped.
    """
    if mean is None:
        return _BOX.replace("ENTRY", "").replace("CALLS", "")
    box = _BOX.replace("ENTRYexchanges:\n", "entry: nginx\n    exchanges:\n").replace(
        "ENTRY", "entry: nginx, "
    )
    services, observe = _SERVICES.replace("MEAN", mean), _SCRAPED
    home = calls = "[app]"
    if prometheus is not None:
        recipe = (RECIPES / "scenario.yaml").read_text()
        observe = recipe.replace("http://127.0.0.1:9090", prometheus)
        services, calls = services.replace("OBSERVE", _DATABASE + "OBSERVE"), "[{app: [db]}]"
    box = box.replace("path: /CALLS}", f"path: /, calls: {home}}}")
    box = box.replace("CALLS}", f", calls: {calls}}}").replace("CALLS", f"\n        calls: {calls}")
    return box + services.replace("OBSERVE\n", observe)
