"""What a `run` begins before it has read its plan does not stay when there is nothing to run."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from faults.processes import until


def start(folder: Path, plan: str) -> "subprocess.Popen[str]":
    (folder / "plan.yaml").write_text(plan)
    environment = {**os.environ, "HOME": str(folder), "XDG_DATA_HOME": "", "XDG_CONFIG_HOME": ""}
    environment.pop("BURSTLINE_SERVER", None)
    command = [sys.executable, "-m", "burstline.client", "run", str(folder / "plan.yaml"), "--yes"]
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def processes_of(folder: Path) -> list[int]:
    """Return the processes that run a plan of this folder: a forked one has its parent's command line."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            try:
                line = (entry / "cmdline").read_bytes()
            except OSError:  # it has ended
                continue
            if str(folder).encode() in line:
                found.append(int(entry.name))
    return found


@pytest.mark.skipif(sys.platform != "linux", reason="looks at /proc")
def test_a_plan_with_a_mistake_leaves_no_process_behind(tmp_path: Path) -> None:
    run = start(tmp_path, "name: wrong\nload: 3\n")
    _, err = run.communicate(timeout=30)
    assert run.returncode == 2, err
    assert "nothing was sent" in err
    assert not processes_of(tmp_path)


@pytest.mark.skipif(sys.platform != "linux", reason="looks at /proc")
def test_a_run_that_is_killed_while_it_gets_ready_takes_its_processes_along(tmp_path: Path) -> None:
    plan = 'name: x\ntarget: {url: "http://127.0.0.1:9/"}\nrequests: [{get: /}]\nload: [{for: 60s, rate: 1}]\n'
    run = start(tmp_path, plan)
    until(lambda: len(processes_of(tmp_path)) >= 3, 20.0, "the command, its engine, and the workers' parent")
    run.kill()
    run.communicate(timeout=15)
    until(lambda: not processes_of(tmp_path), 10.0, "they end")
