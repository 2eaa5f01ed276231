"""Until when a worker may send, by a clock that moves by hand."""

from typing import Any

import pytest
from burstline.v1 import worker_service_pb2 as v1
from burstline.workers.joining import leasing
from burstline.workers.joining.leasing import Leases
from burstline.workers.joining.streams import Streams

HERE, THERE = "here:7460", "there:7460"


class Hand:
    """What the clock says, and who listens."""

    def __init__(self) -> None:
        self.now_s = 100.0
        self.listening = {HERE, THERE}


@pytest.fixture
def hand(monkeypatch: pytest.MonkeyPatch) -> Hand:
    made = Hand()

    async def nobody_listens(address: str) -> bool:
        return address not in made.listening

    monkeypatch.setattr(leasing, "nobody_listens", nobody_listens)
    monkeypatch.setattr(leasing, "time", made)
    made.monotonic = lambda: made.now_s  # type: ignore[attr-defined]  # stands for the module
    return made


def welcome(*waiting: str) -> v1.Welcome:
    made = v1.Welcome(waiting_runs=waiting)
    made.lease_duration.FromSeconds(10)
    made.closed_lease_duration.FromNanoseconds(2_500_000_000)
    return made


def kept_here() -> Leases:
    """Leases that the server here gave at 100 s."""
    leases = Leases()
    leases.welcomed(welcome(), HERE)
    leases.renew(100.0, ())
    return leases


def test_an_answer_renews_every_lease_but_those_of_runs_that_wait(hand: Hand) -> None:
    leases = kept_here()
    hand.now_s = 104.0
    leases.renew(104.0, ("runs/b",))
    assert (leases.left_s("runs/a"), leases.left_s("runs/b")) == (10.0, 6.0)
    hand.now_s = 105.0
    leases.renew(105.0, ("runs/b",))
    assert leases.left_s("runs/b") == 5.0
    leases.renew(105.0, ())
    assert leases.left_s("runs/b") == 10.0, "driven again, by the server that answers"


async def test_a_lost_stream_of_a_living_server_leaves_the_short_lease_until_it_keeps_us(hand: Hand) -> None:
    leases = kept_here()
    leases.parted(HERE)
    await leases.look_for_home(Streams())
    assert leases.left_s("runs/a") == 2.5
    leases.welcomed(welcome("runs/a"), THERE)
    assert leases.left_s("runs/a") == 2.5, "another server that does not drive the run changes nothing"
    leases.welcomed(welcome(), HERE)
    assert leases.left_s("runs/a") == 10.0


async def test_a_server_that_has_ended_leaves_the_whole_lease_also_when_it_is_started_again(hand: Hand) -> None:
    leases = kept_here()
    hand.listening.clear()
    leases.parted(HERE)
    await leases.look_for_home(Streams())
    hand.listening.add(HERE)
    await leases.look_for_home(Streams())
    assert leases.left_s("runs/a") == 10.0


async def test_a_living_server_that_ends_later_gives_the_whole_lease_back(hand: Hand) -> None:
    leases = kept_here()
    leases.parted(HERE)
    await leases.look_for_home(Streams())
    hand.listening.clear()
    await leases.look_for_home(Streams())
    assert leases.left_s("runs/a") == 10.0


async def test_a_lost_stream_of_a_server_that_drives_nothing_of_ours_means_nothing(hand: Hand) -> None:
    leases: Any = kept_here()
    leases.welcomed(welcome("runs/a"), THERE)
    leases.parted(THERE)
    await leases.look_for_home(Streams())
    assert leases.left_s("runs/a") == 10.0
