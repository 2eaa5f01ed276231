"""The demo as a user runs it: a process of its own, in an empty home, and what it leaves behind."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from faults.processes import until
from lineage import children_of, command_of, is_alive

BURSTLINE = [sys.executable, "-m", "burstline.client"]

CHILDREN = "the emulator; the tracker that Python starts; server, workers, and the process they were forked from"


def start_demo(home: Path) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [*BURSTLINE, "demo", "--reports", str(home / "reports")],
        env={**os.environ, "HOME": str(home), "XDG_DATA_HOME": "", "XDG_CONFIG_HOME": ""},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def whole_demo(home: Path) -> "tuple[subprocess.Popen[str], str, str]":
    start_s = time.monotonic()
    demo = start_demo(home)
    out, err = demo.communicate(timeout=70)
    assert demo.returncode == 0, err
    assert time.monotonic() - start_s < 60
    return demo, out, err


def test_the_demo_crosses_a_quota_and_says_so_in_less_than_a_minute(tmp_path: Path) -> None:
    _, out, err = whole_demo(tmp_path)
    if "GENERATOR LIMITED" in out:  # a machine that is busy with other things withholds its verdict, and says so
        _, out, err = whole_demo(tmp_path)
    assert "QUOTA BOUND" in out
    assert "aws apigateway update-stage" in out
    assert str(tmp_path / "reports" / "demo.json") in out
    assert "running" in err
    report = json.loads((tmp_path / "reports" / "demo.json").read_text())
    ledger = report["ledger"]
    assert report["verdict"] == "quota_bound"
    assert report["bindings"][0]["layer"] == "stage"
    assert ledger["scheduled"] == ledger["due"] == 2300
    assert ledger["outcomes"]["throttled"] > 100
    counted = f"counted {ledger['sent_on_wire']:,} and {ledger['outcomes']['throttled']:,}."
    assert counted in out.replace("\n", " ")


def test_ctrl_c_stops_the_demo_with_a_partial_report_and_no_process_left(tmp_path: Path) -> None:
    demo = start_demo(tmp_path)
    assert demo.stderr is not None
    for line in demo.stderr:
        if "steady" in line:
            break
    children = children_of(demo.pid)
    assert len(children) == 6, CHILDREN
    commands = {pid: command_of(pid) for pid in children}
    demo.send_signal(signal.SIGINT)
    out, _ = demo.communicate(timeout=15)
    assert demo.returncode == 130
    assert "The ledger" in out
    report = json.loads((tmp_path / "reports" / "demo.json").read_text())
    assert 0 < report["ledger"]["sent"] < 2300
    assert report["ledger"]["not_due"] > 0
    left = [pid for pid in children if is_alive(pid)]
    assert all("resource_tracker" in commands[pid] for pid in left), [commands[pid] for pid in left]
    until(lambda: not any(map(is_alive, left)), 5.0, "Python's tracker ends once it sees that the demo has")


def test_a_demo_that_is_killed_takes_its_processes_along(tmp_path: Path) -> None:
    demo = start_demo(tmp_path)
    assert demo.stderr is not None
    for line in demo.stderr:
        if "steady" in line:
            break
    children = children_of(demo.pid)
    assert len(children) == 6, CHILDREN
    demo.kill()
    demo.communicate(timeout=15)
    until(lambda: not any(map(is_alive, children)), 5.0, "they end")


def test_a_folder_that_cannot_be_made_is_a_usage_error(tmp_path: Path) -> None:
    (tmp_path / "reports").write_text("a file")
    demo = start_demo(tmp_path)
    _, err = demo.communicate(timeout=20)
    assert demo.returncode == 2
    assert "is a file" in err
