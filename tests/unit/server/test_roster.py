"""When a worker counts as gone, by a clock that moves by hand."""

from collections.abc import Collection, Sequence

import pytest
from burstline.core.load.window import SegmentKey
from burstline.server.clock import nanos
from burstline.server.control.roster import Fate, Identity, Roster
from burstline.server.settings import ServerSettings

SETTINGS = ServerSettings()  # lease 10 s, 2.5 s once closed, margin 1 s
WHO = Identity("w1")


class Link:
    """A link that swallows everything."""

    closed = False

    def preflight(self, run: str, plan: bytes, allowed_hosts: Sequence[str]) -> None: ...
    def assign(
        self, key: SegmentKey, segment_count: int, plan: bytes, from_position: int,
        allowed_hosts: Sequence[str], start_nanos: int,
    ) -> None: ...  # fmt: skip
    def start(self, key: SegmentKey, start_nanos: int) -> None: ...
    def stop(self, key: SegmentKey) -> None: ...
    def welcome(self, name: str, kept: Sequence[SegmentKey], waiting: Collection[str]) -> None: ...
    def close(self) -> None:
        self.closed = True


def fate_s(roster: Roster, now_s: float) -> tuple[float, float] | None:
    """Return a fate in seconds."""
    fate = roster.fate("w1", nanos(now_s))
    return None if fate is None else (fate.living_until_nanos / 1e9, fate.due_nanos / 1e9)


def test_a_stream_that_closed_right_after_a_heartbeat_is_given_up_after_the_short_lease() -> None:
    roster, link = Roster(SETTINGS), Link()
    worker = roster.attach(WHO, link, nanos(100))
    roster.detach(worker, link, nanos(100.4))
    assert fate_s(roster, 102.7) is None
    assert fate_s(roster, 102.75) == pytest.approx((102.5, 102.75)), "the worker may have sent until then"


def test_a_stream_that_closed_when_its_heartbeat_was_overdue_leaves_its_worker_half_a_second_to_hear_of_it() -> None:
    roster, link = Roster(SETTINGS), Link()
    worker = roster.attach(WHO, link, nanos(100))
    roster.detach(worker, link, nanos(103))
    assert fate_s(roster, 103.7) is None
    assert fate_s(roster, 103.75) == pytest.approx((103.5, 103.75))


def test_a_stream_that_closed_after_a_silence_proves_nothing_before_the_lease_is_over() -> None:
    roster, link = Roster(SETTINGS), Link()
    worker = roster.attach(WHO, link, nanos(100))
    roster.detach(worker, link, nanos(105))
    assert fate_s(roster, 110.9) is None
    assert fate_s(roster, 111.0) == pytest.approx((110, 111))


def test_silence_on_an_open_stream_ends_with_the_lease_and_its_margin() -> None:
    roster = Roster(SETTINGS)
    worker = roster.attach(WHO, Link(), nanos(100))
    worker.heard_nanos = nanos(103)
    assert fate_s(roster, 113.9) is None
    assert fate_s(roster, 114) == pytest.approx((113, 114))
    assert roster.responsive(nanos(114)) == []
    assert roster.responsive(nanos(105)) == [worker]


def test_a_worker_that_comes_back_lives_and_its_old_stream_is_closed() -> None:
    roster, old, new = Roster(SETTINGS), Link(), Link()
    before = roster.attach(WHO, old, nanos(100))
    roster.attach(WHO, new, nanos(101))
    roster.detach(before, old, nanos(101.1))
    assert old.closed
    assert not new.closed
    assert fate_s(roster, 103) is None
    assert len(roster.attached()) == 1


def test_a_worker_known_from_the_store_may_come_back_for_a_lease_after_our_start() -> None:
    roster = Roster(SETTINGS)
    roster.restore(WHO, nanos(90), nanos(100))
    assert roster.attached() == []
    assert fate_s(roster, 110.9) is None
    assert fate_s(roster, 111) == pytest.approx((100, 111))


def test_a_worker_nobody_knows_is_gone() -> None:
    assert Roster(SETTINGS).fate("w1", 5) == Fate(5, 5)


def test_a_worker_of_a_run_that_was_taken_over_has_a_whole_lease_from_then_on_wherever_it_was_last_seen() -> None:
    roster, link = Roster(SETTINGS), Link()
    worker = roster.attach(WHO, link, nanos(90))
    roster.detach(worker, link, nanos(91))
    roster.restore(WHO, nanos(90), nanos(100))
    assert fate_s(roster, 110.9) is None, "its lease came from another server, and lives on"
    assert fate_s(roster, 111) == pytest.approx((100, 111))


def test_a_worker_that_sends_for_another_server_is_given_nothing_else() -> None:
    roster = Roster(SETTINGS)
    worker = roster.attach(WHO, Link(), nanos(100))
    worker.waiting = frozenset({"r1"})
    assert roster.responsive(nanos(101)) == []
