"""Live totals stay small and say what the last seconds were."""

from burstline.core.load.outline import Outline
from burstline.core.load.window import AnswerKey, Latency, LatencyKey, Load, Window
from burstline.server.control.live import KEPT_S, MOST_PENDING, LiveTotals
from burstline.wire.window import outline_from_proto, window_to_proto


def window(second: int, sent: int) -> Window:
    """Return a window of one second, all in its first bin."""
    made = Window(second)
    made.loads[0] = Load(sent, sent, sent)
    made.answers[AnswerKey(0, 0, "plain.ok")] = sent
    made.sent_bins[second * 100] = sent
    return made


def outline(second: int, sent: int) -> Outline:
    return outline_from_proto(window_to_proto(window(second, sent)))


def test_details_are_kept_for_a_bounded_time_and_sums_for_ever() -> None:
    live = LiveTotals()
    for second in range(1000):
        live.add(outline(second, 2))
    assert len(live.seconds) == KEPT_S
    assert len(live._bins) <= 2 * KEPT_S * 100
    assert live.load.sent == live.signatures["plain.ok"] == 2000


def test_peaks_are_over_all_workers_together() -> None:
    live = LiveTotals()
    live.add(outline(0, 30))
    live.add(outline(0, 12))
    live.add(outline(1, 40))
    assert (live.peak_10ms, live.peak_1s) == (42, 42)


def test_recent_latency_is_that_of_ok_answers() -> None:
    live = LiveTotals()
    made = window(0, 10)
    for signature, latency_s, count in (("plain.ok", 0.2, 3), ("plain.429", 0.001, 30)):
        latency = made.latencies.setdefault(LatencyKey(0, signature), Latency())
        for _ in range(count):
            latency.due.add(latency_s)
    live.add(outline_from_proto(window_to_proto(made)))
    recent = live.recent_latency(0, 5)
    assert recent.count == 3
    assert live.latency.count == 33


def test_columns_wait_to_be_summed_but_not_for_ever_and_nobody_sees_it() -> None:
    live = LiveTotals()
    for _ in range(3 * MOST_PENDING + 7):
        live.add(outline(4, 5))
        assert len(live._pending) < MOST_PENDING
    assert live.seconds[4].load.sent == live.peak_10ms == 5 * (3 * MOST_PENDING + 7)


def test_a_window_far_from_all_others_costs_no_memory() -> None:
    live = LiveTotals()
    for second in (0, 20_000_000):
        live.add(outline(second, 5))
    assert live.peak_10ms == 5
