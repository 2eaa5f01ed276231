"""Which unfinished runs a starting server takes up: its own, and those of ended processes of its host."""

import os
import socket
import subprocess
import sys

import pytest
from burstline.server.control.resuming import is_ours, make_server_id

HOST = socket.gethostname()


def ended_pid() -> int:
    """Return the id of a process that has ended."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


@pytest.mark.parametrize(
    ("owner", "ours"),
    [
        (f"{HOST}|{os.getpid()}|127.0.0.1:0", True),
        (f"{HOST}|1|127.0.0.1:7460", False),
        (f"other-{HOST}|{os.getpid()}|127.0.0.1:7460", False),
        ("blue", False),
    ],
)
def test_a_run_of_a_living_or_distant_server_is_left_alone(owner: str, ours: bool) -> None:
    assert is_ours(owner, make_server_id("", "127.0.0.1:7460")) is ours


def test_a_run_of_an_ended_process_is_taken_up() -> None:
    assert is_ours(f"{HOST}|{ended_pid()}|127.0.0.1:0", make_server_id("", "127.0.0.1:7460"))


@pytest.mark.skipif(sys.platform != "linux", reason="looks at /proc")
def test_so_is_that_of_one_that_nobody_has_waited_for() -> None:
    """In a container without a process that does, one that was killed stands in the table for good."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    try:
        assert is_ours(f"{HOST}|{process.pid}|127.0.0.1:0", make_server_id("", "127.0.0.1:7460"))
    finally:
        process.wait()


def test_a_configured_identity_finds_its_runs_on_any_host() -> None:
    assert is_ours("blue", make_server_id("blue", "0.0.0.0:7460"))
