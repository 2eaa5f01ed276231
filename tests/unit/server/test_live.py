"""Live totals stay small and say what the last seconds were."""

from burstline.core.load.window import AnswerKey, Latency, LatencyKey, Load, Window
from burstline.server.control.live import KEPT_S, LiveTotals


def window(second: int, sent: int) -> Window:
    """Return a window of one second, all in its first bin."""
    made = Window(second)
    made.loads[0] = Load(sent, sent, sent)
    made.answers[AnswerKey(0, 0, "plain.ok")] = sent
    made.sent_bins[second * 100] = sent
    return made


def test_details_are_kept_for_a_bounded_time_and_sums_for_ever() -> None:
    live = LiveTotals()
    for second in range(1000):
        live.add(window(second, 2))
    assert len(live.seconds) == KEPT_S
    assert len(live._bins) <= 2 * KEPT_S * 100
    assert live.load.sent == live.signatures["plain.ok"] == 2000


def test_peaks_are_over_all_workers_together() -> None:
    live = LiveTotals()
    live.add(window(0, 30))
    live.add(window(0, 12))
    live.add(window(1, 40))
    assert (live.peak_10ms, live.peak_1s) == (42, 42)


def test_recent_latency_is_that_of_ok_answers() -> None:
    live = LiveTotals()
    made = window(0, 10)
    for signature, latency_s, count in (("plain.ok", 0.2, 3), ("plain.429", 0.001, 30)):
        latency = made.latencies.setdefault(LatencyKey(0, signature), Latency())
        for _ in range(count):
            latency.due.add(latency_s)
    live.add(made)
    recent = live.recent_latency(0, 5)
    assert recent.count == 3
    assert live.latency.count == 33
