"""docker-compose.yml, unmodified, as a user brings it up: a plan over four workers, one of which is killed.

`make compose` runs this; it needs a Docker engine. Images are not fetched: python:3.12-slim and prom/prometheus
must be there, and PostgreSQL's is made from Debian's packages where it is missing. BURSTLINE_PULL=1 fetches all of
them. Grafana, a profile of its own in the file, is not started.
"""

import json
import os
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from burstline.client.exits import exit_code

ROOT = Path(__file__).resolve().parents[2]
IMAGE = ROOT / "tests/scenarios/compose"
SERVICES: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
WORKERS = 4
PULLS = os.environ.get("BURSTLINE_PULL") == "1"
FATE_S = 4.0
"""So many seconds of a dead worker's share may be unknown, on a stream that closed."""


class Compose:
    """`docker compose` on a project of this test's own."""

    def __init__(self) -> None:
        self.command = ["docker", "compose", "--project-directory", str(ROOT), "-p", "burstline-test"]

    def __call__(self, *arguments: str, timeout_s: float = 120.0, check: bool = True) -> str:
        done = subprocess.run(
            [*self.command, *arguments], check=False, capture_output=True, text=True, timeout=timeout_s
        )
        assert not check or done.returncode == 0, f"{arguments}: {done.stdout}\n{done.stderr}"
        return done.stdout

    def containers(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self("ps", "--format", "json").splitlines()]

    def ids(self, service: str) -> list[str]:
        return self("ps", "-q", service).split()

    def client(self, *arguments: str) -> str:
        return self("run", "--rm", "-T", "client", *arguments)

    def query(self, expression: str) -> list[float]:
        """Return the values that Prometheus has for an expression."""
        asked = ("promtool", "query", "instant", "-o", "json", "http://127.0.0.1:9090", expression)
        return [float(row["value"][1]) for row in json.loads(self("exec", "-T", "prometheus", *asked))]

    def target(self) -> dict[str, Any]:
        """Return what the practice AWS counted."""
        code = "import urllib.request as u; print(u.urlopen('http://127.0.0.1:7462/_burstline/stats').read().decode())"
        found: dict[str, Any] = json.loads(self("exec", "-T", "emulator", "python3", "-c", code))["requests"]
        return found


def _make_missing_image() -> None:
    name = SERVICES["postgres"]["image"]
    if PULLS or not subprocess.run(["docker", "image", "inspect", name], check=False, capture_output=True).returncode:
        return
    script = [IMAGE / "postgres_image.sh", name, IMAGE / "postgres_entrypoint.sh"]
    subprocess.run(["sh", *map(str, script)], check=True, timeout=600)


@pytest.fixture
def compose() -> Iterator[Compose]:
    if subprocess.run(["docker", "info"], check=False, capture_output=True).returncode:
        pytest.skip("there is no Docker engine")
    _make_missing_image()
    made = Compose()
    made("build", "server", timeout_s=900.0)
    is_up = False
    try:
        pull = () if PULLS else ("--pull", "never")
        made("up", "-d", "--wait", "--no-build", *pull, "--scale", f"worker={WORKERS}", timeout_s=240.0)
        is_up = True
        yield made
    finally:
        if not is_up:
            print(made("logs", "--tail", "30", check=False))  # noqa: T201  # pytest shows it with the failure
        made("down", "-v", "--timeout", "5", check=False)


def _comes_true(condition: Callable[[], bool], within_s: float) -> bool:
    deadline = time.monotonic() + within_s
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.5)
    return True


@pytest.mark.compose
@pytest.mark.timeout(1800)
def test_a_plan_over_four_workers_of_which_one_is_killed_is_accounted_for(compose: Compose) -> None:
    running = {container["Name"]: (container["Service"], container["Health"]) for container in compose.containers()}
    assert sorted(service for service, _ in running.values()) == sorted(
        ["emulator", "postgres", "prometheus", "server", *["worker"] * WORKERS]
    )
    assert {health for _, health in running.values()} == {"healthy"}, running
    assert _comes_true(lambda: compose.query("sum(up)") == [1.0 + WORKERS], 60), compose.query("up")

    run = subprocess.Popen(
        [*compose.command, "run", "--rm", "-T", "client", "run", "/plans/demo.yaml"],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    while compose.target()["received"] < 300:
        assert run.poll() is None, run.communicate()[0]
        time.sleep(0.5)
    subprocess.run(["docker", "kill", compose.ids("worker")[0]], check=True, capture_output=True)
    said, _ = run.communicate(timeout=120)

    report: dict[str, Any] = json.loads(compose.client("report", "last", "--json", "-"))
    ledger, seen = report["ledger"], compose.target()
    assert run.returncode == exit_code(report["verdict"]), said
    print(json.dumps({"verdict": report["verdict"], "ledger": ledger, "target": seen}))  # noqa: T201  # for whoever asks with -s
    assert len(report["workers"]) == WORKERS, said
    assert sum(worker["lost"] for worker in report["workers"]) == 1
    assert ledger["scheduled"] == ledger["due"] + ledger["not_due"]
    assert ledger["due"] == ledger["sent"] + ledger["dropped"] + ledger["unsent"] + ledger["lost"]
    assert ledger["sent"] == sum(ledger["outcomes"].values()) + ledger["in_flight"] + ledger["orphaned"]
    unknown = ledger["lost"]
    assert ledger["sent_on_wire"] <= seen["received"] <= ledger["sent_on_wire"] + unknown
    assert ledger["preflight"] == seen["preflight"] == 1
    assert unknown <= FATE_S * 100 / WORKERS
    throttled = ledger["outcomes"]["throttled"]
    assert throttled <= seen["throttled"] <= throttled + unknown + ledger["orphaned"], said

    stored = ("psql", "-U", "burstline", "-d", "burstline", "-tAc", "select count(*) from runs")
    assert compose("exec", "-T", "postgres", *stored).strip() == "1"
    assert _comes_true(lambda: compose.query('burstline_run_info{name="demo"}') == [1.0], 20)
    assert compose.query("sum(burstline_requests_total)") == [float(sum(ledger["outcomes"].values()))]
