"""Heartbeats leave often enough to live by, and some of them at instants that no other worker chose."""

import itertools
import random
from collections.abc import Callable

from burstline.workers.segments.beats import ALONE_S, BEAT_S, QUICK_BEAT_S, QUICK_BEATS, Beats

TICK_S = 0.001


def played(beats: Beats, seconds: int, windows: Callable[[int], bool]) -> list[tuple[float, bool]]:
    """Return each heartbeat's instant and whether it had a window; windows end with whole seconds."""
    beats.begin()
    left: list[tuple[float, bool]] = []
    for tick in range(seconds * 1_000):
        window = tick % 1_000 == 0 and windows(tick // 1_000)
        if window or tick * TICK_S >= beats.due_s():
            beats.sent(tick * TICK_S, window)
            left.append((tick * TICK_S, window))
    return left


def test_while_windows_are_sent_heartbeats_of_their_own_leave_at_instants_left_to_chance() -> None:
    """Eight workers' windows end together: in that crowd the clock was read 5 to 10 ms late."""
    beats = Beats(lambda: BEAT_S, random.Random(3).uniform)
    alone_s = [at_s for at_s, window in played(beats, 900, lambda second: True) if not window and at_s > 5.0]
    gaps_s = [later - sooner for sooner, later in itertools.pairwise(alone_s)]
    assert ALONE_S[0] <= min(gaps_s)
    assert max(gaps_s) <= ALONE_S[1] + 2 * TICK_S
    phases = [sum(int(at_s * 10) % 10 == tenth for at_s in alone_s) for tenth in range(10)]
    assert min(phases) > 5, "no tenth of the second is preferred"
    assert max(phases) < 60


def test_without_windows_a_heartbeat_leaves_as_often_as_asked_and_no_oftener() -> None:
    left = played(Beats(lambda: BEAT_S), 60, lambda second: False)[QUICK_BEATS:]
    gaps_s = [later[0] - sooner[0] for sooner, later in itertools.pairwise(left)]
    assert all(abs(gap_s - BEAT_S) <= 2 * TICK_S for gap_s in gaps_s)


def test_a_stream_begins_with_heartbeats_in_quick_succession_and_so_does_what_hurries() -> None:
    beats = Beats(lambda: BEAT_S)
    left = [at_s for at_s, _ in played(beats, 5, lambda second: False)]
    assert left[0] == 0.0
    assert left[QUICK_BEATS - 1] <= QUICK_BEATS * QUICK_BEAT_S < left[QUICK_BEATS]
    beats.hurry()
    assert beats.due_s() == left[-1] + QUICK_BEAT_S


def test_windows_that_stop_leave_no_gap_longer_than_was_asked() -> None:
    left = [at_s for at_s, _ in played(Beats(lambda: 0.4), 30, lambda second: second < 10)]
    assert max(later - sooner for sooner, later in itertools.pairwise(left)) <= 0.4 + 2 * TICK_S
