"""A trace holds what belongs together: a run with the server that went on with it, a search with its probes."""

import http.server
import subprocess
import sys
import threading
from collections.abc import Iterator
from os import environ
from pathlib import Path

import pytest
from collector import Collector, Seen, collecting
from faults.processes import Child, until
from ports import free_port

BURSTLINE = [sys.executable, "-m", "burstline.client"]
PLAN = """\
name: quotes
target: {{url: "http://127.0.0.1:{port}"}}
requests: [{{name: quote, get: /}}]
load: [{{for: 5s, rate: 20}}]
max_late: 1s
"""


class Plain(http.server.BaseHTTPRequestHandler):
    """Says yes to all."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


class Stage:
    """A target, an OTLP receiver, and processes that are traced."""

    def __init__(self, folder: Path, collector: Collector) -> None:
        self.folder, self.collector, self.port = folder, collector, free_port()
        home = {"HOME": str(folder), "XDG_DATA_HOME": "", "XDG_CONFIG_HOME": ""}
        self.env = {**home, "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://{collector.address}"}
        self.env["OTEL_BSP_SCHEDULE_DELAY"] = "200"  # a process that is killed takes with it what it has not sent
        self._target = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Plain)
        threading.Thread(target=self._target.serve_forever, daemon=True).start()
        (folder / "plan.yaml").write_text(PLAN.format(port=self._target.server_port))
        self._children: list[Child] = []

    def start(self, name: str, *arguments: str) -> Child:
        child = Child([*BURSTLINE, *arguments], self.folder / f"{name}.log", self.env)
        self._children.append(child)
        return child

    def serve(self) -> Child:
        store = f"sqlite:///{self.folder}/store.db"
        server = self.start(
            "server", "serve", "--listen", f"127.0.0.1:{self.port}", "--http", "127.0.0.1:0", "--store", store
        )
        until(lambda: "serving on" in server.said(), 20.0, "the server serves")
        return server

    def end(self) -> list[Seen]:
        """End all, so that the last spans are sent, and return all that came."""
        for child in reversed(self._children):
            child.end()
        self._children.clear()
        return self.collector.spans()

    def close(self) -> None:
        self.end()
        self._target.shutdown()
        self._target.server_close()


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    with collecting() as collector:
        made = Stage(tmp_path, collector)
        yield made
        made.close()


def test_a_server_that_goes_on_with_a_killed_one_s_run_goes_on_with_its_trace(stage: Stage) -> None:
    server = stage.serve()
    address = f"127.0.0.1:{stage.port}"
    stage.start("workers", "work", "--server", address, "--processes", "1")
    client = stage.start("client", "run", str(stage.folder / "plan.yaml"), "--server", address)
    until(lambda: "00:02/" in client.said() or " 0:02" in client.said(), 30.0, "the run is under way")
    server.kill()
    stage.serve()
    assert client.wait(40.0) in (0, 4), client.said()
    spans = stage.end()
    (root,) = [one for one in spans if one.name == "burstline run"]
    (run,) = [one for one in spans if one.name == "run"]
    (creating,) = [one for one in spans if one.name.endswith("CreateRun") and one.kind == "SERVER"]
    assert (run.trace, run.parent) == (root.trace, creating.id)
    for name in ("segment", "sending", "running", "settling", "judging"):
        assert {one.trace for one in spans if one.name == name} == {root.trace}, name


def test_a_search_is_one_trace_with_its_probes(stage: Stage) -> None:
    command = [*BURSTLINE, "find", "plan.yaml", "--max-rate", "20", "--max-requests", "200", "--rest", "0", "--yes"]
    ended = subprocess.run(
        command, env={**environ, **stage.env}, cwd=stage.folder, capture_output=True, text=True, timeout=90
    )
    spans = stage.end()
    (root,) = [one for one in spans if one.name == "burstline find"]
    assert (root.service, root.parent) == ("burstline-find", "")
    probes = [one for one in spans if one.name == "probe"]
    assert probes, ended.stderr
    assert all(one.parent == root.id for one in probes)
    by_id = {one.id: one for one in spans}
    for run in [one for one in spans if one.name == "run"]:
        assert run.trace == root.trace
        above = by_id[by_id[by_id[run.parent].parent].parent]
        assert above in probes
    assert ended.returncode in (0, 1), ended.stderr


def test_a_forecast_has_a_root_of_its_own(stage: Stage) -> None:
    command = [*BURSTLINE, "forecast", "plan.yaml"]
    subprocess.run(command, env={**environ, **stage.env}, cwd=stage.folder, capture_output=True, timeout=60, check=True)
    named = {one.name: one for one in stage.end()}
    assert named["solving"].parent == named["burstline forecast"].id
    assert named["burstline forecast"].parent == ""
