"""Targets that close connections or restart: each request is sent at most once, and its fate is told."""

import time

import pytest
from faults.laws import account
from faults.world import World


def test_a_target_that_closes_connections_after_reading_a_request_sees_each_request_once(world: World) -> None:
    """Kept-alive connections that close unanswered tempt a client to send again; the target may have acted."""
    world.start_target("--close-every", "7")
    world.serve()
    world.work(2)
    run = world.submit(world.plan(3.0, 200.0), 2)
    report = world.report(run, 30.0)
    found = account(world, report, scheduled=600)
    assert found["sent_on_wire"] == found.count
    assert report["ledger"]["signatures"]["unreachable.no_response"] == found.count // 7


@pytest.mark.slow
def test_a_target_that_restarts_costs_the_requests_of_its_absence_and_none_is_sent_again(world: World) -> None:
    target = world.start_target("--delay", "0.02")
    world.serve()
    world.work(2)
    run = world.submit(world.plan(8.0, 200.0), 2)
    world.until_sending(2.5)
    target.kill()
    time.sleep(2.0)
    world.start_target("--delay", "0.02")
    report = world.report(run, 40.0)
    signatures = report["ledger"]["signatures"]
    # Written to a connection of the dead process, which may not have read it: that is what no_response says.
    found = account(world, report, scheduled=1600, unread=signatures.get("unreachable.no_response", 0))
    assert found["lost"] == found["unsent"] == 0
    assert 300 <= signatures["unreachable.connect"] <= 500
    assert signatures["plain.ok"] >= 1000
