"""Which of the idle connections carries the next request."""

from typing import Any, cast

import pytest
from burstline.workers.sending.flights import Flight
from burstline.workers.sending.sending import Sender


class Link:
    """A connection that only counts."""

    connected = usable = True
    idle_since_s = 0.0

    def __init__(self) -> None:
        self.begun = 0
        self.dropped = False

    def begin(self, *_: Any) -> None:
        self.begun += 1

    def drop(self) -> None:
        self.dropped = True


def _ignore(*_: object) -> None:
    """What comes of a request does not matter here."""


class Bench:
    """A sender whose time is told, and its links."""

    def __init__(self, count: int) -> None:
        self.now_s = 100.0
        self.sender = Sender(cast(Any, None), 60.0, 1000, _ignore, _ignore, _ignore, lambda: self.now_s)
        self.links = [Link() for _ in range(count)]
        for link in self.links:
            self.sender.freed(cast(Any, link))

    def exchange(self) -> Link:
        """Send a request and let its answer come; return the link that carried it."""
        flight = Flight(0, 0, 0, 0.0, 0.0, 5.0)
        assert self.sender.send(flight, b"")
        link = cast(Any, flight.link)
        self.sender.answered(flight, 200, {}, b"")
        self.sender.freed(link)
        return cast(Link, link)


def test_the_connection_used_last_carries_the_next_request() -> None:
    bench = Bench(3)
    assert [bench.exchange() for _ in range(5)] == [bench.links[2]] * 5
    bench.links[2].connected = False
    assert bench.exchange() is bench.links[1], "one that closed while idle is not used"
    assert bench.links[2].dropped


@pytest.mark.parametrize("count", [1, 3, 64, 500])
def test_within_64_sweeps_every_idle_connection_has_its_turn(count: int) -> None:
    bench = Bench(count)
    for _ in range(64):
        bench.sender.sweep(0.0)
        for _ in range(20):
            bench.exchange()
    assert all(link.begun for link in bench.links)


def test_connections_idle_for_too_long_are_closed_those_in_use_are_not() -> None:
    bench = Bench(3)
    bench.now_s = 130.0
    assert bench.exchange() is bench.links[2]
    bench.now_s = 170.0
    bench.sender.sweep(0.0)
    assert [link.dropped for link in bench.links] == [True, True, False]
