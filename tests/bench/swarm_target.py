"""The target of the swarm's benchmarks: nginx on loopback, pinned to the other core."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

__all__ = ["PLAIN", "LOGGED", "SECURE", "Target", "running_target"]

PLAIN, LOGGED, SECURE = 18480, 18481, 18443
"""Ports: no log; arrivals logged in milliseconds; TLS."""

_CONF = """\
daemon off; pid {dir}/nginx.pid; error_log {dir}/error.log warn;
worker_processes 1; worker_rlimit_nofile 20000;
events {{ worker_connections 18000; multi_accept on; }}
http {{
  log_format arrivals '$msec $request_time';
  keepalive_requests 100000000; keepalive_timeout 300s; server_tokens off; tcp_nodelay on;
  client_body_temp_path {dir}; proxy_temp_path {dir}; fastcgi_temp_path {dir};
  uwsgi_temp_path {dir}; scgi_temp_path {dir}; default_type text/plain;
  server {{
    listen 127.0.0.1:{plain} backlog=65535; access_log off;
    location / {{ return 200 "ok"; }}
    location /home {{ add_header Set-Cookie "sid=$request_id; Path=/"; return 200 "<h1>welcome</h1>"; }}
    location /item {{ return 200 '<input name="token" value="$request_id"><p>welcome</p>'; }}
    location /page {{ return 200 "<p>welcome back</p>"; }}
  }}
  server {{
    listen 127.0.0.1:{logged} backlog=65535;
    access_log {dir}/arrivals.log arrivals buffer=64k flush=200ms;
    location / {{ return 200 "ok"; }}
  }}
  server {{
    listen 127.0.0.1:{secure} ssl backlog=65535; access_log off;
    ssl_certificate {dir}/cert.pem; ssl_certificate_key {dir}/key.pem;
    location / {{ return 200 "ok"; }}
  }}
}}
"""


@dataclass(frozen=True)
class Target:
    """A running nginx."""

    folder: Path
    process: subprocess.Popen[bytes]

    @property
    def worker(self) -> int:
        """Pid of nginx's only worker."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text()
        return int(children.split()[0])

    @contextmanager
    def stalled(self) -> Iterator[None]:
        """Stop nginx's worker while inside."""
        os.kill(self.worker, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(self.worker, signal.SIGCONT)

    def forget_arrivals(self) -> None:
        """Empty the log of arrivals."""
        (self.folder / "arrivals.log").write_bytes(b"")

    def arrivals(self) -> list[float]:
        """Return when requests came, seconds since the epoch; of a stalled one, its answer."""
        time.sleep(0.5)
        lines = (self.folder / "arrivals.log").read_text().splitlines()
        pairs = (line.split() for line in lines)
        return sorted(float(at) - float(took) for at, took in pairs)


@contextmanager
def running_target(folder: Path, core: int) -> Iterator[Target]:
    """Yield nginx on `core`; installs it from Debian where it is missing."""
    if shutil.which("nginx") is None:
        subprocess.run(
            ["apt-get", "install", "-y", "-qq", "nginx-light"],
            check=True,
            stdout=subprocess.DEVNULL,
        )
    subprocess.run(
        [
            "openssl",
            "req",
            "-x509",
            "-newkey",
            "rsa:2048",
            "-nodes",
            "-days",
            "2",
            "-subj",
            "/CN=localhost",
            "-addext",
            "subjectAltName=DNS:localhost,IP:127.0.0.1",
            "-keyout",
            str(folder / "key.pem"),
            "-out",
            str(folder / "cert.pem"),
        ],
        check=True,
        capture_output=True,
    )
    conf = folder / "nginx.conf"
    conf.write_text(_CONF.format(dir=folder, plain=PLAIN, logged=LOGGED, secure=SECURE))
    folder.chmod(0o777)  # its worker runs as another user
    process = subprocess.Popen(
        [
            "taskset",
            "-c",
            str(core),
            "nginx",
            "-p",
            str(folder),
            "-c",
            str(conf),
            "-g",
            "user root;",
        ],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        time.sleep(1.0)
        if process.poll() is not None:
            raise RuntimeError(f"nginx ended: {(folder / 'error.log').read_text()[-500:]}")
        yield Target(folder, process)
    finally:
        process.terminate()
        process.wait(10)
