"""The network between worker and server is cut, slow or lossy, while the way to the target stays as it was."""

import time
from collections.abc import Callable

import pytest
from faults.laws import account
from faults.network import Site
from faults.world import World

LEASE_S = 10.0


Sites = Callable[[int], list[Site]]


def _attach(world: World, sites: list[Site]) -> None:
    world.start_target()
    world.serve()
    for site in sites:
        world.work(1, server=site.server, within=site.within)


@pytest.mark.slow
def test_a_network_cut_for_5_s_costs_no_request(world: World, sites: Sites) -> None:
    first, second = sites(2)
    _attach(world, [first, second])
    run = world.submit(world.patient_plan(14.0, 200.0), 2)
    world.until_sending(3.0)
    first.wire.tell("cut")
    time.sleep(5.0)
    first.wire.tell("mend")
    found = account(world, world.report(run, 40.0), scheduled=2800)
    assert found["lost"] == found["unsent"] == found["orphaned"] == 0
    assert found["sent_on_wire"] == found.count == 2800


@pytest.mark.slow
def test_a_network_cut_for_30_s_costs_what_was_due_while_no_lease_lived(world: World, sites: Sites) -> None:
    first, second = sites(2)
    _attach(world, [first, second])
    run = world.submit(world.patient_plan(42.0, 200.0), 2)
    world.until_sending(3.0)
    first.wire.tell("cut")
    time.sleep(30.0)
    first.wire.tell("mend")
    found = account(world, world.report(run, 60.0), scheduled=8400)
    assert found["lost"] == found["orphaned"] == 0  # the worker went on until its lease ended, and told so afterwards
    assert found["unsent"] <= 3.0 * 100
    assert found["sent_on_wire"] == found.count


@pytest.mark.slow
def test_a_network_that_never_comes_back_costs_at_most_the_lease_and_3_s(world: World, sites: Sites) -> None:
    first, second = sites(2)
    _attach(world, [first, second])
    run = world.submit(world.plan(20.0, 200.0), 2)
    world.until_sending(3.0)
    first.wire.tell("cut")
    found = account(world, world.report(run, 60.0), scheduled=4000)
    assert 0 < found["lost"] <= (LEASE_S + 3.0) * 100
    assert found.count > found["sent_on_wire"]  # it went on for its lease, unheard: that is what `lost` bounds


@pytest.mark.slow
def test_a_network_with_200_ms_of_delay_or_5_percent_of_loss_costs_no_request(world: World, sites: Sites) -> None:
    slow, lossy = sites(2)
    slow.wire.tell("delay 0.2")
    lossy.wire.tell("loss 0.05")
    _attach(world, [slow, lossy])
    run = world.submit(world.patient_plan(14.0, 200.0), 2)
    found = account(world, world.report(run, 60.0), scheduled=2800)
    assert found["lost"] == found["unsent"] == found["orphaned"] == 0
    assert found["sent_on_wire"] == found.count == 2800
