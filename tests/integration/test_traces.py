"""Real processes over mutual TLS with tokens and traces on, and a target that gives away what it is sent: every span is
there, no secret is.

One world for all tests of this file: a server, two workers, a run whose target fails, one whose target refuses.
"""

import http.server
import json
import os
import ssl
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote
from urllib.request import Request, urlopen

import pytest
from certificates import certify
from collector import Seen, collecting
from faults.processes import Child, until

BURSTLINE = [sys.executable, "-m", "burstline.client"]
KEY, TOKEN, WRONG = "k3y/of+orders-48151623", "t0ken-of-a-runner-42", "t0ken-of-nobody-7"
PLAN = """\
name: orders
target: {{url: "{url}"}}
auth: {{bearer: "${{env:ORDERS_KEY}}"}}
requests:
  - name: order
    get: /{path}
    query: {{key: "${{env:ORDERS_KEY}}"}}
    headers: {{x-api-key: "${{env:ORDERS_KEY}}"}}
load: [{{for: 1s, rate: 20}}]
"""


class Telltale(http.server.BaseHTTPRequestHandler):
    """Says what it was sent: with 200 to a preflight of /fail and 500 after, with 401 to all of /refuse."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        body = f"{self.path} {self.headers['Authorization']} {dict(self.headers)}".encode()
        preflight = "x-burstline-preflight" in self.headers
        self.send_response(401 if "/refuse" in self.path else 200 if preflight else 500)
        self.send_header("x-cache", f"miss for {self.headers['x-api-key']}")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@dataclass(frozen=True, slots=True)
class World:
    """What was left by it.

    Attributes:
        run: id of the run whose target failed.
        ended: its process.
        refused: the process of the run whose target refused.
        unknown: the process of a call with a token that nobody knows.
        spans: of all.
        left: everything that was written or said, by where.
    """

    run: str
    ended: "subprocess.CompletedProcess[str]"
    refused: "subprocess.CompletedProcess[str]"
    unknown: "subprocess.CompletedProcess[str]"
    spans: list[Seen]
    left: dict[str, bytes]

    def named(self, name: str, service: str = "") -> list[Seen]:
        """Return the failed run's trace's spans of a name."""
        (root,) = [one for one in self.spans if one.name == "run" and one.attributes["burstline.run"] == self.run]
        return [one for one in self.spans if one.trace == root.trace and one.name == name and service in one.service]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("traced")
    certify(folder)
    target = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Telltale)
    threading.Thread(target=target.serve_forever, daemon=True).start()
    for path in ("fail", "refuse"):
        text = PLAN.format(url=f"http://127.0.0.1:{target.server_port}", path=path)
        (folder / f"{path}.yaml").write_text(text)
    with collecting() as collector:
        yield _live(folder, collector.address, lambda: (collector.spans(), collector.bytes()))
    target.shutdown()
    target.server_close()


def _live(folder: Path, collector: str, collected: Callable[[], tuple[list[Seen], bytes]]) -> World:
    home = {"HOME": str(folder), "XDG_DATA_HOME": "", "XDG_CONFIG_HOME": "", "BURSTLINE_LOG": "json"}
    traced = {**home, "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://{collector}"}
    store = f"sqlite:///{folder}/store.db"
    pair = ["--cert", str(folder / "cert.pem"), "--key", str(folder / "key.pem")]
    serve = [*BURSTLINE, "serve", "--listen", "localhost:0", "--http", "localhost:0", "--store", store]
    serve += [*pair, "--client-ca", str(folder / "cert.pem")]
    server = Child(serve, folder / "server.log", {**traced, "BURSTLINE_TOKENS": f"runner={TOKEN}"})
    until(lambda: "serving on" in server.said(), 20.0, "the server serves")
    address = server.said().partition("serving on ")[2].partition(";")[0]
    access = ["--server", address, "--ca", str(folder / "cert.pem"), *pair]
    work = [*BURSTLINE, "work", *access, "--processes", "2"]
    workers = Child(work, folder / "workers.log", {**traced, "BURSTLINE_TOKEN": TOKEN, "ORDERS_KEY": KEY})

    def command(*arguments: str, token: str = TOKEN) -> "subprocess.CompletedProcess[str]":
        environment = {**os.environ, **traced, "BURSTLINE_TOKEN": token}
        given = [*BURSTLINE, *arguments, *access]
        return subprocess.run(given, env=environment, cwd=folder, capture_output=True, text=True, timeout=60)

    try:
        files = ("--json", "fail.json", "--html", "fail.html", "--junit", "fail.xml")
        ended = command("run", "fail.yaml", "--workers", "2", *files)
        refused = command("run", "refuse.yaml", "--json", "refuse.json")
        unknown = command("runs", token=WRONG)
        run = str(json.loads((folder / "fail.json").read_text())["run"]["id"])
        pages = server.said().partition("pages and metrics: ")[2].partition(";")[0]
        shown = {
            f"page {path}": _page(pages, path, folder)
            for path in ("/metrics", f"/runs/{run}", f"/runs/{run}/report.json")
        }
    finally:
        workers.end()
        server.end()
    spans, exported = collected()
    said = {name: (one.stdout + one.stderr).encode() for name, one in (("ended", ended), ("refused", refused))}
    left = {**said, **shown, "unknown": (unknown.stdout + unknown.stderr).encode(), "traces": exported}
    left |= {path.name: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    return World(run, ended, refused, unknown, spans, left)


def _page(pages: str, path: str, folder: Path) -> bytes:
    context = ssl.create_default_context(cafile=str(folder / "cert.pem"))
    context.load_cert_chain(folder / "cert.pem", folder / "key.pem")
    asked = Request(pages + path, headers={"Authorization": f"Bearer {TOKEN}"})
    with urlopen(asked, timeout=10, context=context) as answer:
        found: bytes = answer.read()
    return found


def test_a_run_is_one_trace_from_its_plan_to_its_report_over_three_processes(world: World) -> None:
    assert world.ended.returncode in (0, 4), world.ended.stderr
    (root,) = world.named("burstline run")
    assert (root.service, root.parent) == ("burstline-run", "")
    by_id = {one.id: one for one in world.spans}
    own = [one for one in world.spans if one.trace == root.trace]
    assert all(one.parent in by_id for one in own if one is not root), "no parent was lost on the way"

    def above(span: Seen) -> list[str]:
        return [*above(by_id[span.parent]), span.name] if span.parent else [span.name]

    call = "burstline.v1.RunService/CreateRun"
    (judging,) = world.named("judging")
    assert above(judging) == ["burstline run", call, call, "run", "settling", "judging"]
    for phase in ("parsing", "preparing", "running", "reading windows"):
        assert world.named(phase), phase
    segments = world.named("segment")
    assert {one.service for one in segments} == {"burstline-worker"}
    assert all(above(one)[-4:] == ["run", "preparing", "readying workers", "segment"] for one in segments)
    assert {one.name for one in own if one.parent in {one.id for one in segments}} == {
        "preparing", "connecting", "sending", "reporting",
    }  # fmt: skip


def test_spans_carry_the_ids_of_what_they_are_about(world: World) -> None:
    for name in ("run", "preparing", "running", "settling", "judging", "segment", "sending"):
        assert {one.attributes["burstline.run"] for one in world.named(name)} == {world.run}, name
    segments = {
        (one.attributes["burstline.segment"], one.attributes["burstline.epoch"]) for one in world.named("sending")
    }
    assert segments == {(0, 1), (1, 1)}
    workers = {one.attributes["burstline.worker"] for one in world.named("segment")}
    assert len(workers) == 2
    (readying,) = world.named("readying workers")
    assert readying.events == ("assigned", "assigned")


def test_what_failed_is_marked_with_its_kind(world: World) -> None:
    failed = [one for one in world.spans if one.name == "preparing" and one.failed]
    assert [one.attributes["error.type"] for one in failed] == ["CannotRun"]
    calls = [one for one in world.spans if one.name.endswith("ListRuns") and one.kind == "SERVER" and one.failed]
    assert [one.attributes["error.type"] for one in calls] == ["UNAUTHENTICATED"]


def test_logs_are_json_in_which_runs_and_workers_are_fields(world: World) -> None:
    workers = {one.attributes["burstline.worker"] for one in world.named("segment")}
    for where in ("server.log", "workers.log"):
        lines = [json.loads(line) for line in world.left[where].decode().splitlines() if line.startswith("{")]
        assigned = [one for one in lines if "assigned" in one["message"] and one.get("run") == world.run]
        assert {one["worker"] for one in assigned} == workers, where
        assert {one["segment"] for one in assigned} == {"0", "1"}, where
        assert {"time", "level", "logger", "message"} <= set.intersection(*map(set, lines)), where


def test_no_secret_is_left_anywhere_though_the_target_gave_it_away(world: World) -> None:
    assert world.refused.returncode == 1
    assert "the target refused us with 401" in world.left["refuse.json"].decode()
    assert "(hidden)" in world.left["refuse.json"].decode(), "it had been there to hide"
    assert world.unknown.returncode == 1
    assert "does not know the token" in world.unknown.stderr
    secrets = [KEY, quote(KEY, safe=""), TOKEN, WRONG]
    found = {
        (where, secret) for where, content in world.left.items() for secret in secrets if secret.encode() in content
    }
    assert not found
    assert {"server.log", "workers.log", "store.db", "traces", "fail.json", "fail.html"} <= set(world.left)
