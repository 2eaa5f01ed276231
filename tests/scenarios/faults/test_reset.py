"""Streams that are reset while both ends live: whoever cannot be welcomed again stops before another takes over."""

from collections.abc import Iterator

import pytest
from faults.gate import Gate
from faults.laws import account
from faults.world import World


@pytest.fixture
def gate(world: World) -> Iterator[Gate]:
    """Yield a gate before the world's server."""
    made = Gate(world.port)
    yield made
    made.close()


@pytest.mark.parametrize("away_s", [pytest.param(2.0, marks=pytest.mark.slow), 6.0])
def test_a_reset_stream_whose_worker_is_kept_out_for_a_while_doubles_no_request(
    world: World, gate: Gate, away_s: float
) -> None:
    world.start_target()
    world.serve()
    world.work(1, server=gate.address)
    world.work(1)
    run = world.submit(world.plan(12.0, 200.0), 2)
    first_s = world.until_sending(3.0)
    gate.reset()
    world.until(first_s + 3.0 + away_s)
    gate.open()
    found = account(world, world.report(run, 40.0), scheduled=2400)
    assert found["lost"] == 0  # it came back and told
    assert found["unsent"] <= 4.0 * 100


@pytest.mark.slow
def test_a_worker_that_is_kept_out_for_good_costs_at_most_4_s_of_its_share(world: World, gate: Gate) -> None:
    world.start_target()
    world.serve()
    world.work(1, server=gate.address)
    world.work(1)
    run = world.submit(world.plan(10.0, 200.0), 2)
    world.until_sending(3.0)
    gate.reset()
    found = account(world, world.report(run, 40.0), scheduled=2000)
    assert found["lost"] <= 4.0 * 100
    assert found.count > found["sent_on_wire"]  # it went on for a moment, unheard: that is what `lost` bounds
