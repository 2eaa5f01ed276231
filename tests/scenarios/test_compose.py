"""docker-compose.yml as a user brings it up: a plan over four workers, one of which is killed."""

import json
import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
SERVICES = ("server", "worker", "emulator", "prometheus")


class Compose:
    """`docker compose` on a project of this test's own."""

    def __init__(self, *files: Path) -> None:
        named = [argument for file in files for argument in ("-f", str(file))]
        self._command = ["docker", "compose", "--project-directory", str(ROOT), "-p", "burstline-test", *named]

    def __call__(self, *arguments: str, timeout_s: float = 120.0, check: bool = True) -> str:
        done = subprocess.run(
            [*self._command, *arguments], check=False, capture_output=True, text=True, timeout=timeout_s
        )
        assert not check or done.returncode == 0, f"{arguments}: {done.stdout}\n{done.stderr}"
        return done.stdout

    def ids(self, service: str) -> list[str]:
        return self("ps", "-q", service).split()


def _has_image(name: str) -> bool:
    done = subprocess.run(["docker", "image", "inspect", name], check=False, capture_output=True)
    return done.returncode == 0


@pytest.fixture
def compose() -> Iterator[Compose]:
    if subprocess.run(["docker", "info"], check=False, capture_output=True).returncode:
        pytest.skip("there is no Docker engine")
    files = [ROOT / "docker-compose.yml"]
    with_postgres = _has_image("postgres:17-alpine") or os.environ.get("BURSTLINE_PULL") == "1"
    if not with_postgres:
        files.append(ROOT / "tests/scenarios/compose.sqlite.yaml")
    made = Compose(*files)
    made("build", "server", timeout_s=900.0)
    services = (*SERVICES, "postgres") if with_postgres else SERVICES
    pull = () if os.environ.get("BURSTLINE_PULL") == "1" else ("--pull", "never")
    yield_ok = False
    try:
        made("up", "-d", "--wait", "--no-build", *pull, "--scale", "worker=4", *services, timeout_s=180.0)
        yield_ok = True
        yield made
    finally:
        if not yield_ok:
            print(made("logs", "--tail", "30", check=False))  # noqa: T201  # pytest shows it with the failure
        made("down", "-v", "--timeout", "5", check=False)


def _counts(compose: Compose) -> dict[str, Any]:
    """Return what the practice AWS counted."""
    code = "import urllib.request as u; print(u.urlopen('http://127.0.0.1:7462/_burstline/stats').read().decode())"
    found: dict[str, Any] = json.loads(compose("exec", "-T", "emulator", "python3", "-c", code))
    return found


def _report(compose: Compose) -> dict[str, Any]:
    """Return the last run's report."""
    found: dict[str, Any] = json.loads(
        compose("run", "--rm", "-T", "client", "report", "last", "--json", "-", "--server", "server:7460")
    )
    return found


@pytest.mark.compose
@pytest.mark.timeout(1500)
def test_a_plan_over_four_workers_of_which_one_is_killed_is_accounted_for(compose: Compose) -> None:
    assert len(compose.ids("worker")) == 4
    running = subprocess.Popen(
        [*compose._command, "run", "--rm", "-T", "client", "run", "/plans/compose.yaml", "--server", "server:7460"],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    while _counts(compose)["requests"]["received"] < 100:
        assert running.poll() is None, running.communicate()[0]
        time.sleep(0.5)
    subprocess.run(["docker", "kill", compose.ids("worker")[0]], check=True, capture_output=True)
    said, _ = running.communicate(timeout=120)
    report, seen = _report(compose), _counts(compose)["requests"]
    ledger = report["ledger"]
    assert len(report["workers"]) == 4, said
    assert sum(worker["lost"] for worker in report["workers"]) == 1
    assert ledger["due"] == ledger["sent"] + ledger["dropped"] + ledger["unsent"] + ledger["lost"]
    assert ledger["sent_on_wire"] <= seen["received"] <= ledger["sent_on_wire"] + ledger["lost"]
    assert ledger["lost"] <= 4.0 * 100 / 4
    throttled = ledger["outcomes"]["throttled"]
    assert throttled <= seen["throttled"] <= throttled + ledger["lost"] + ledger["orphaned"], said
    print(json.dumps({"ledger": ledger, "target": seen}))  # noqa: T201  # for whoever asks with -s
