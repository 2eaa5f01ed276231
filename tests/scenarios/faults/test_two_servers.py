"""Two servers on one PostgreSQL: one takes over the runs of the other, and neither touches what the other drives."""

import signal
import time

import pytest
from faults.laws import account
from faults.postgresql import PostgreSQL
from faults.processes import until
from faults.world import World

pytestmark = pytest.mark.slow


def begin(world: World, postgresql: PostgreSQL) -> None:
    world.start_target()
    world.store = postgresql.url
    world.serve()


def test_the_runs_of_a_killed_server_go_to_the_other_and_no_request_is_lost(
    world: World, postgresql: PostgreSQL
) -> None:
    begin(world, postgresql)
    second = world.serve_second()
    world.work(2, server=world.both)
    run = world.submit(world.plan(16.0, 200.0), 2)
    world.until_sending(3.0)
    assert world.server is not None
    world.server.kill()
    world.ask_second()
    report = world.report(run, 60.0)
    found = account(world, report, scheduled=3200)
    assert "taking over" in second.said()
    assert found["lost"] == found["unsent"] == found["orphaned"] == found["not_due"] == 0
    assert found["sent_on_wire"] == found.count == 3200 - found["dropped"]
    assert all(not worker["lost"] for worker in report["workers"])


def test_a_server_that_is_told_to_end_hands_its_runs_on_at_once(world: World, postgresql: PostgreSQL) -> None:
    begin(world, postgresql)
    second = world.serve_second()
    world.work(2, server=world.both)
    run = world.submit(world.plan(9.0, 200.0), 2)
    world.until_sending(2.5)
    assert world.server is not None
    world.server.signal(signal.SIGTERM)
    told_s = time.monotonic()
    until(lambda: "taking over" in second.said(), 3.0, "the second server takes the run over")
    assert time.monotonic() - told_s < 3.0
    assert world.server.wait(10.0) == 0
    world.ask_second()
    found = account(world, world.report(run, 40.0), scheduled=1800)
    assert found["lost"] == found["unsent"] == found["orphaned"] == found["not_due"] == 0
    assert found["sent_on_wire"] == found.count == 1800 - found["dropped"]


def test_a_server_that_wakes_up_after_its_runs_were_taken_over_does_nothing_more_to_them(
    world: World, postgresql: PostgreSQL
) -> None:
    begin(world, postgresql)
    second = world.serve_second()
    world.work(2, server=world.both)
    run = world.submit(world.plan(24.0, 200.0), 2)
    world.until_sending(3.0)
    assert world.server is not None
    world.server.signal(signal.SIGSTOP)
    until(lambda: "taking over" in second.said(), 10.0, "the second server takes the run over")
    time.sleep(5.0)
    world.server.signal(signal.SIGCONT)
    until(lambda: "lost run" in world.server.said(), 5.0, "the first server lets go")  # type: ignore[union-attr]
    assert world.get(run).name == run, "the first server still shows it"
    world.ask_second()
    found = account(world, world.report(run, 60.0), scheduled=4800)
    assert found["lost"] == found["unsent"] == found["orphaned"] == found["not_due"] == 0
    assert found["sent_on_wire"] == found.count == 4800 - found["dropped"]
    said = world.server.said()
    assert "settl" not in said[said.index("lost run") :].lower()


def test_two_living_servers_drive_their_own_runs(world: World, postgresql: PostgreSQL) -> None:
    begin(world, postgresql)
    second = world.serve_second()
    world.work(2, server=world.both)
    run = world.submit(world.plan(12.0, 200.0), 2)
    found = account(world, world.report(run, 40.0), scheduled=2400)
    assert found["sent_on_wire"] == found.count == 2400 - found["dropped"]
    assert "run=" not in second.said(), "it never touched what the other drives"
