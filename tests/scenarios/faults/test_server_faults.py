"""A server that is killed, gone or cannot write: workers go on within their lease, and nothing is counted twice."""

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from faults.health import Health
from faults.laws import account, last_s
from faults.postgresql import PostgreSQL
from faults.processes import until
from faults.world import World

LEASE_S = 10.0


def test_a_server_that_is_killed_and_restarted_costs_no_request_at_all(world: World) -> None:
    world.start_target()
    server = world.serve()
    world.work(2)
    run = world.submit(world.patient_plan(7.0, 200.0), 2)
    world.until_sending(2.3)
    server.kill()
    time.sleep(1.0)
    world.serve()
    found = account(world, world.report(run, 40.0), scheduled=1400)
    assert found["lost"] == found["unsent"] == found["orphaned"] == found["not_due"] == 0
    assert found["sent_on_wire"] == found.count == 1400


@pytest.mark.slow
def test_a_server_that_is_told_to_end_and_started_again_costs_no_request_and_says_first_that_it_ends(
    world: World,
) -> None:
    world.start_target()
    server = world.serve()
    world.work(2)
    run = world.submit(world.patient_plan(8.0, 200.0), 2)
    world.until_sending(2.3)
    health = Health(world.address)
    until(lambda: health.seen == ["SERVING"], 5.0, "the server says that it serves")
    server.signal(signal.SIGTERM)
    assert server.wait(10.0) == 0
    assert health.ended() == ["SERVING", "NOT_SERVING"]
    time.sleep(1.0)
    world.serve()
    found = account(world, world.report(run, 40.0), scheduled=1600)
    assert found["lost"] == found["unsent"] == found["orphaned"] == found["not_due"] == 0
    assert found["sent_on_wire"] == found.count == 1600


@pytest.mark.slow
def test_workers_whose_server_is_gone_stop_at_the_end_of_their_lease(world: World) -> None:
    world.start_target()
    server = world.serve()
    world.work(2)
    run = world.submit(world.patient_plan(26.0, 200.0), 2)
    world.until_sending(3.0)
    server.kill()
    gone_s = time.monotonic()
    time.sleep(LEASE_S + 4.0)
    assert gone_s + LEASE_S - 1.5 <= last_s(world.seen()) <= gone_s + LEASE_S  # from the last answered heartbeat on
    # What they did stays known: a server that comes back after all hears it from them.
    world.serve()
    found = account(world, world.report(run, 60.0), scheduled=5200)
    assert found["lost"] == found["orphaned"] == 0
    assert found["unsent"] >= 2.0 * 200


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["fast", "immediate"])
def test_a_restart_of_postgresql_costs_no_request(world: World, postgresql: PostgreSQL, mode: str) -> None:
    world.start_target()
    world.store = postgresql.url
    world.serve()
    world.work(2)
    run = world.submit(world.patient_plan(12.0, 200.0), 2)
    world.until_sending(3.0)
    postgresql.stop(mode)
    time.sleep(2.0)
    postgresql.start()
    found = account(world, world.report(run, 40.0), scheduled=2400)
    assert found["lost"] == found["unsent"] == found["orphaned"] == found["not_due"] == 0
    assert found["sent_on_wire"] == found.count == 2400


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 6 MiB."""
    if os.geteuid() != 0:
        pytest.skip("only root can mount a small disk")
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=6m", "tmpfs", folder], capture_output=True)
    if mounted.returncode:
        pytest.skip(f"no small disk can be mounted here: {mounted.stderr.decode().strip()}")
    yield folder
    subprocess.run(["umount", "-l", folder], check=True)


def fill(folder: Path) -> Path:
    """Leave no byte free."""
    ballast = folder / "ballast"
    with ballast.open("wb", buffering=0) as file:
        for size in (65536, 4096, 512):
            try:
                while True:
                    file.write(b"x" * size)
            except OSError:
                continue
    return ballast


@pytest.mark.slow
def test_a_disk_that_is_full_for_a_moment_costs_no_request(world: World, small_disk: Path) -> None:
    world.start_target()
    world.store = f"sqlite:///{small_disk}/store.db"
    world.serve()
    world.work(2)
    run = world.submit(world.patient_plan(9.0, 100.0), 2)
    world.until_sending(2.5)
    ballast = fill(small_disk)
    time.sleep(3.0)
    ballast.unlink()
    found = account(world, world.report(run, 40.0), scheduled=900)
    assert found["lost"] == found["unsent"] == found["orphaned"] == found["not_due"] == 0
    assert found["sent_on_wire"] == found.count == 900
    assert world.server is not None
    assert "disk is full" in world.server.said()


@pytest.mark.slow
def test_a_disk_that_stays_full_ends_the_run_with_a_sentence(world: World, small_disk: Path) -> None:
    world.start_target()
    world.store = f"sqlite:///{small_disk}/store.db"
    world.serve()
    world.work(2)
    run = world.submit(world.plan(60.0, 100.0), 2)
    world.until_sending(2.5)
    ballast = fill(small_disk)
    full_s = time.monotonic()
    until(lambda: "full" in world.get(run).reason, 30.0, "the run says why it ended")
    time.sleep(2.0)
    assert last_s(world.seen()) <= full_s + LEASE_S + 3.0
    ballast.unlink()
    report = world.report(run, 30.0)
    assert report["verdict"] == "could_not_run"
    found = account(world, report, scheduled=6000)
    assert found["lost"] == 0  # the workers kept what they knew until it could be written
    assert found["not_due"] + found["unsent"] > 4000
