"""nginx and HAProxy as foreground children on loopback, with a configuration written for one test.

What their documentation says and the tests rely on (read 2026-11-23):
- nginx `limit_req rate=Rr/s` with `burst=B nodelay` (nginx.org/en/docs/http/ngx_http_limit_req_module.html): a leaky
  bucket, kept in thousandths of a request and whole milliseconds: the first request passes and B more at once.
- nginx `limit_conn` (…/ngx_http_limit_conn_module.html): requests being processed at once, per key.
- HAProxy `http_req_rate(T)` in a stick table (docs.haproxy.org, configuration manual 7.3.3 and 11.1): requests over
  the last T, refused ones too, kept as this period's count and the last one's.
"""

import contextlib
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from ports import free_port

SEARCHED = "/usr/local/sbin:/usr/sbin:/sbin:/usr/local/bin:/usr/bin:/bin"
UP_WITHIN_S = 10.0


def program(name: str) -> str:
    """Return a program's path; skips the test where it is not installed."""
    found = shutil.which(name) or shutil.which(name, path=SEARCHED)
    if found is None:
        pytest.skip(f"{name} is not installed (Debian: apt-get install {'nginx-light' if name == 'nginx' else name})")
    return found


@contextlib.contextmanager
def child(command: list[str], port: int, log: Path) -> Iterator[str]:
    """Run a foreground child until the block ends; yields its URL once it accepts connections."""
    with log.open("wb") as out:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=out)
        try:
            _wait_for(process, port, log)
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()
            try:
                process.wait(5)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(5)


def _wait_for(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    end_s = time.monotonic() + UP_WITHIN_S
    while time.monotonic() < end_s:
        if process.poll() is not None:
            break
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 0.2):
            return
        time.sleep(0.02)
    pytest.fail(f"{log.stem} does not accept connections on {port}:\n{log.read_text()[-2000:]}")


def nginx(folder: Path, zones: str, location: str) -> contextlib.AbstractContextManager[str]:
    """Run nginx with one location.

    Args:
        folder: for its files.
        zones: directives of the `http` block.
        location: directives of `location /`.
    """
    port = free_port()
    paths = "\n".join(
        f"  {kind}_temp_path {folder}/{kind};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    configuration = folder / "nginx.conf"
    configuration.write_text(
        f"""daemon off;
master_process off;
worker_processes 1;
pid {folder}/nginx.pid;
error_log {folder}/error.log crit;
events {{ worker_connections 4096; }}
http {{
  access_log off;
  keepalive_requests 1000000;
{paths}
{zones}
  server {{
    listen 127.0.0.1:{port} backlog=4096;
    location / {{
{location}
    }}
  }}
}}
"""
    )
    command = [program("nginx"), "-p", str(folder), "-c", str(configuration), "-e", str(folder / "error.log")]
    return child(command, port, folder / "nginx.out")


def haproxy(folder: Path, count: int, period_s: int, status: int) -> contextlib.AbstractContextManager[str]:
    """Run HAProxy that refuses a source with more than `count` requests per `period_s`, answering others itself."""
    port = free_port()
    configuration = folder / "haproxy.cfg"
    configuration.write_text(
        f"""global
  maxconn 4096
defaults
  mode http
  timeout connect 5s
  timeout client 60s
  timeout server 60s
  timeout http-keep-alive 60s
frontend one
  bind 127.0.0.1:{port} backlog 4096
  stick-table type ip size 100k expire 60s store http_req_rate({period_s}s)
  http-request track-sc0 src
  http-request deny deny_status {status} if {{ sc_http_req_rate(0) gt {count} }}
  http-request return status 200 content-type text/plain string ok
"""
    )
    return child([program("haproxy"), "-db", "-f", str(configuration)], port, folder / "haproxy.out")
