"""Generator honesty: the seconds in which we were the limit."""

from collections.abc import Callable

import pytest
from burstline.core.load.plan import Bursts, Constant, Phase
from burstline.core.load.totals import Second, Totals
from burstline.core.load.window import Drop, Load
from burstline.core.quota.answers.honesty import LimitedSpan, limited_s, limited_spans, overlaps
from burstline.core.quota.answers.series import series_of
from burstline.server.judging.judging import RunRecord


def spans(totals: Totals) -> tuple[LimitedSpan, ...]:
    return limited_spans(totals, series_of(totals))


@pytest.mark.parametrize(("dropped", "limited"), [(0, False), (1, False), (2, True)])
def test_more_than_a_thousandth_dropped_limits_a_second(dropped: int, limited: bool) -> None:
    load = Load(due=1000, sent=1000 - dropped, dropped={Drop.LATE: dropped})
    found = spans(Totals(seconds={3: Second(load=load)}))
    assert bool(found) is limited
    if limited:
        assert (found[0].from_s, found[0].to_s) == (3.0, 4.0)
        assert "late" in found[0].reason


@pytest.mark.parametrize(("late_s", "limited"), [(0.009, False), (0.012, True)])
def test_lateness_over_ten_milliseconds_limits_a_second(late_s: float, limited: bool) -> None:
    second = Second(load=Load(due=100, sent=100))
    for _ in range(100):
        second.lateness.add(late_s)
    assert bool(spans(Totals(seconds={0: second}))) is limited


def test_one_late_or_dropped_request_of_sixty_limits_nothing() -> None:
    second = Second(load=Load(due=60, sent=59, dropped={Drop.LATE: 1}))
    for late_s in [0.0] * 58 + [0.015]:
        second.lateness.add(late_s)
    assert spans(Totals(seconds={0: second})) == ()


@pytest.mark.parametrize(("sent", "limited"), [(27, False), (28, True)])
def test_a_bin_over_a_quarter_more_than_due_and_two_is_a_clump(sent: int, limited: bool) -> None:
    """20 due in each bin: 1.25 x 20 + 2 = 27 may leave in one."""
    due = dict.fromkeys(range(100), 20)
    assert bool(spans(Totals(due_bins=due, sent_bins=due | {50: sent}))) is limited


def test_the_end_of_a_clean_burst_is_no_clump() -> None:
    assert spans(Totals(due_bins={0: 160, 1: 160}, sent_bins={0: 130, 1: 160, 2: 30})) == ()


def test_a_clean_run_has_no_limited_second(make_run: Callable[..., RunRecord]) -> None:
    load = (Phase("steady", 3.0, Constant(300.0)), Phase("train", 4.0, Bursts(200, 1.0, 0.05, 100.0)))
    assert spans(make_run(load, late_s=0.003).totals) == ()


def test_neighbouring_seconds_of_one_reason_are_one_span() -> None:
    limited = {second: Second(load=Load(due=10, dropped={Drop.SLOTS: 5})) for second in (1, 2, 5)}
    found = spans(Totals(seconds=limited))
    assert [(span.from_s, span.to_s) for span in found] == [(1, 3), (5, 6)]
    assert limited_s(found) == 3
    assert overlaps(found, 2.5, 4.0)
    assert not overlaps(found, 3.0, 5.0)
