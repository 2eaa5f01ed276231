"""Whatever the folding, windows sum to what happened, and each holds what became known in its second."""

import math

import numpy as np
import pytest
from burstline.core.load.histogram import Histogram
from burstline.core.load.totals import Totals
from burstline.core.load.window import AnswerKey, Drop, LatencyKey, Window, add_bins
from burstline.workers.recording.columns import Columns
from burstline.workers.recording.recording import CEILING, HANDED, LATE, SLOTS, UNMADE, WRITTEN, Gauges, Recorder, what
from hypothesis import given, settings
from hypothesis import strategies as st

NAMES = ("ok", "429", "5xx", "timed_out")
OK, THROTTLED, FAILED, TIMED_OUT = range(4)


def recorder(windows: list[Window], position: int = 0, gauges: Gauges | None = None) -> Recorder:
    return Recorder(
        NAMES,
        [False, True, False, False],
        [True, False, True, False],
        [True, True, False],
        position,
        lambda: gauges or Gauges(),
        windows.append,
    )


def test_each_event_lands_in_the_window_of_the_second_in_which_it_became_known() -> None:
    windows: list[Window] = []
    record = recorder(windows)
    record.due(WRITTEN, 0, 0.500, 0.501)
    record.due(WRITTEN, 0, 0.999, 1.001)  # due in one second, sent in the next
    record.done(what(0, 1, OK), 0.500, 0.501, 2.25)
    record.fold(2.5)
    record.done(what(0, 1, THROTTLED), 0.999, 1.001, 2.75)
    record.finish(2.8)
    assert [window.second for window in windows] == [0, 1, 2]
    assert [window.loads[0].sent if window.loads else 0 for window in windows] == [1, 1, 0]
    assert [window.watermark for window in windows] == [1, 2, 2]
    assert windows[0].sent_bins == windows[0].due_bins == {50: 1}
    assert windows[1].due_bins == {99: 1}
    assert windows[1].sent_bins == {100: 1}
    last = windows[2]
    assert last.answer_bins == {"ok": {50: 1}, "429": {100: 1}}, "answers are added to the bin of the send time"
    assert last.completion_bins == {"ok": {225: 1}, "429": {275: 1}}
    assert last.answers == {AnswerKey(0, 1, "ok"): 1, AnswerKey(0, 1, "429"): 1}
    latency = last.latencies[LatencyKey(1, "ok")]
    assert latency.due.max_s == pytest.approx(1.75)
    assert latency.sent.max_s == pytest.approx(1.749)


def test_drops_are_due_and_counted_by_reason_and_have_no_lateness() -> None:
    windows: list[Window] = []
    record = recorder(windows, position=10)
    for kind in (LATE, CEILING, SLOTS, SLOTS, UNMADE, WRITTEN):
        record.due(kind, 1, 0.1, 0.13)
    record.finish(0.2)
    load = windows[0].loads[1]
    assert (load.due, load.sent) == (6, 1)
    assert load.dropped == {Drop.LATE: 1, Drop.CEILING: 1, Drop.SLOTS: 2, Drop.TEMPLATE: 1}
    assert windows[0].lateness.count == 1
    assert windows[0].watermark == 16


def test_a_request_that_waits_for_a_connection_is_sent_now_and_on_the_wire_later() -> None:
    windows: list[Window] = []
    record = recorder(windows)
    record.due(HANDED, 0, 0.9, 0.9)
    record.due(HANDED, 0, 0.95, 0.95)
    record.wired(0, 1.2)
    record.finish(1.5)
    assert [(w.loads[0].sent, w.loads[0].sent_on_wire) for w in windows] == [(2, 0), (0, 1)]


def test_closed_model_requests_count_neither_in_the_watermark_nor_in_lateness() -> None:
    windows: list[Window] = []
    record = recorder(windows)
    record.due(WRITTEN, 2, 0.5, 0.5)
    record.finish(0.9)
    assert (windows[0].watermark, windows[0].lateness.count, windows[0].loads[2].sent) == (0, 0, 1)


def test_a_mark_says_where_in_its_bin_the_first_and_last_rejections_lie() -> None:
    windows: list[Window] = []
    record = recorder(windows)
    plan = [(0.100, OK), (0.101, OK), (0.102, THROTTLED), (0.103, OK), (0.104, THROTTLED), (0.105, OK)]
    for sent_s, _ in plan:
        record.due(WRITTEN, 0, sent_s, sent_s)
    for sent_s, name in reversed(plan):  # answers come in any order
        record.done(what(0, 0, name), sent_s, sent_s, 0.5 - sent_s)
    record.finish(0.9)
    mark = windows[0].marks[10]
    assert (mark.first_s, mark.accepted_before_first) == (0.102, 2)
    assert (mark.last_s, mark.accepted_before_last) == (0.104, 3)


def test_a_mark_waits_until_every_answer_of_its_bin_is_known_and_is_made_once() -> None:
    windows: list[Window] = []
    record = recorder(windows)
    for sent_s in (0.200, 0.201):
        record.due(WRITTEN, 0, sent_s, sent_s)
    record.done(what(0, 0, THROTTLED), 0.201, 0.201, 0.3)
    record.fold(2.0)
    record.done(what(0, 0, TIMED_OUT), 0.200, 0.200, 2.2)
    record.fold(5.0)
    record.finish(5.5)
    assert [sorted(window.marks) for window in windows] == [[], [], [20], [], [], []]
    assert windows[2].marks[20].accepted_before_first == 0, "a timeout does not say that the target took it"


def test_gauges_are_taken_once_per_window() -> None:
    windows: list[Window] = []
    gauges = Gauges(0.5, 3, 4, 5, 6, 7, (0.01, 0.02), (0.005,), 0.001)
    record = recorder(windows, gauges=gauges)
    record.lag(0.002)
    record.fold(0.5)
    record.finish(1.5)
    assert [(w.cpu_ratio, w.in_flight, w.open_sockets) for w in windows] == [(0.5, 3, 4)] * 2
    assert [(w.opened, w.reused, w.failed_connections) for w in windows] == [(5, 6, 7)] * 2
    assert windows[0].connect.count == 2
    assert windows[0].tls.max_s == 0.005
    assert [w.loop_lag.count for w in windows] == [1, 0]


EVENTS = st.lists(
    st.tuples(
        st.sampled_from([WRITTEN, WRITTEN, WRITTEN, HANDED, LATE, CEILING, SLOTS, UNMADE]),
        st.integers(0, 1),  # phase
        st.integers(0, 2),  # request
        st.integers(0, 3),  # signature
        st.floats(0, 3),  # due
        st.floats(0, 0.02),  # lateness
        st.floats(1e-5, 2),  # latency
    ),
    max_size=60,
)


def totals_of(events: list[tuple[int, int, int, int, float, float, float]], folds: list[float]) -> Totals:
    """Play events in time order, folding at the given times too."""
    windows: list[Window] = []
    record = recorder(windows)
    steps: list[tuple[float, int, int, tuple[int, int, int, int, float, float, float]]] = []
    for place, (kind, phase, request, name, due_s, late_s, latency_s) in enumerate(events):
        event = (kind, phase, request, name, due_s, late_s, latency_s)
        steps.append((due_s + late_s, 0, place, event))
        if kind <= HANDED:
            steps.append((due_s + late_s + latency_s, 1, place, event))
    marks = [(at_s, 2, -1, (0, 0, 0, 0, 0.0, 0.0, 0.0)) for at_s in folds]
    for at_s, step, _, (kind, phase, request, name, due_s, late_s, _) in sorted([*steps, *marks]):
        if step == 0:
            record.due(kind, phase, due_s, at_s)
            if kind == HANDED:
                record.wired(phase, at_s)
        elif step == 1:
            record.done(what(phase, request, name), due_s, due_s + late_s, at_s)
        else:
            record.fold(at_s)
    record.finish(6.0)
    assert [window.second for window in windows] == list(range(windows[0].second, 7))
    totals = Totals()
    for window in reversed(windows):  # they sum in any order
        totals.add(0, window)
    return totals


@settings(max_examples=60, deadline=None)
@given(EVENTS, st.lists(st.floats(0, 6), max_size=12), st.lists(st.floats(0, 6), max_size=3))
def test_however_events_are_split_into_folds_windows_sum_to_the_same(
    events: list[tuple[int, int, int, int, float, float, float]], folds: list[float], others: list[float]
) -> None:
    one, two = totals_of(events, folds), totals_of(events, others)
    assert one.loads == two.loads
    assert one.answers == two.answers
    assert one.latencies == two.latencies
    assert (one.due_bins, one.sent_bins) == (two.due_bins, two.sent_bins)
    assert (one.answer_bins, one.completion_bins) == (two.answer_bins, two.completion_bins)
    assert one.marks == two.marks
    assert one.lateness == two.lateness


@settings(max_examples=60, deadline=None)
@given(EVENTS, st.lists(st.floats(0, 6), max_size=12))
def test_the_ledger_closes_and_bins_agree_with_it(
    events: list[tuple[int, int, int, int, float, float, float]], folds: list[float]
) -> None:
    totals = totals_of(events, folds)
    load = totals.load()
    assert load.due == len(events) == load.sent + sum(load.dropped.values())
    assert load.sent_on_wire == load.sent == sum(totals.answers.values())
    assert sum(totals.due_bins.values()) == load.due
    assert sum(totals.sent_bins.values()) == load.sent
    answered: dict[int, int] = {}
    for bins in totals.answer_bins.values():
        add_bins(answered, bins)
    assert answered == totals.sent_bins
    assert sum(sum(bins.values()) for bins in totals.completion_bins.values()) == load.sent
    assert totals.lateness.count == load.sent
    assert sum(latency.due.count for latency in totals.latencies.values()) == load.sent
    for index, mark in totals.marks.get(0, {}).items():
        assert math.floor(mark.first_s * 100) == index
        assert mark.accepted_before_first <= mark.accepted_before_last <= totals.sent_bins[index]
    assert set(totals.answer_bins.get("429", {})) == set(totals.marks.get(0, {}))


def test_what_comes_in_between_two_steps_of_a_fold_is_not_lost_and_lands_in_its_own_second() -> None:
    windows: list[Window] = []
    record = recorder(windows)
    record.due(WRITTEN, 0, 0.5, 0.5)
    record.done(what(0, 0, OK), 0.5, 0.5, 1.4)
    record.begin_fold(1.5)
    number = 0
    while record.step():
        number += 1
        at_s = 1.5 + number * 1e-3
        record.due(WRITTEN, 0, at_s, at_s)
        record.begin_fold(at_s)  # one is under way: it goes on
    assert number > 3, "a fold is done in small steps"
    assert [window.second for window in windows] == [0], "only one second was over when it began"
    assert windows[0].loads[0].sent == 1
    record.finish(1.9)
    assert windows[1].loads[0].sent == number
    assert windows[1].answers == {AnswerKey(0, 0, "ok"): 1}


def test_columns_are_taken_out_up_to_a_time_and_the_rest_stays() -> None:
    columns = Columns("qd")
    assert columns.take(1.0) is None
    assert columns.first_s == math.inf
    for number in range(4):
        codes, times_s = columns.columns
        codes.append(number)
        times_s.append(number / 2)
    assert columns.take(0.0) is None, "before the end, not at it"
    taken = columns.take(1.0)
    assert taken is not None
    assert [block.tolist() for block in taken] == [[0, 1], [0.0, 0.5]]
    assert (len(columns), columns.first_s) == (2, 1.0)
    rest = columns.take(math.inf)
    assert rest is not None
    assert rest[0].tolist() == [2, 3]
    assert len(columns) == 0


def test_latencies_are_those_of_the_histogram_whatever_the_batches() -> None:
    draw = np.random.default_rng(1)
    latencies_s = draw.exponential(0.05, 500)
    events = [(WRITTEN, 0, 0, OK, 0.001 * k, 0.0, float(latencies_s[k])) for k in range(500)]
    expected = Histogram()
    for *_, latency_s in events:
        expected.add(latency_s)
    found = totals_of(events, [0.1 * k for k in range(30)]).latencies[LatencyKey(0, "ok")].due
    assert found.count == 500
    assert found.sum_s == pytest.approx(expected.sum_s)
    assert found.quantile(0.99) == pytest.approx(expected.quantile(0.99), rel=0.02)


def test_a_plan_with_thousands_of_phases_keeps_them_apart() -> None:
    windows: list[Window] = []
    record = Recorder(NAMES, [False] * 4, [True] * 4, [True] * 5000, 0, Gauges, windows.append)
    for phase in (0, 255, 256, 4999):
        record.due(WRITTEN, phase, 0.1, 0.1)
        record.done(what(phase, 7, FAILED), 0.1, 0.1, 0.2)
    record.finish(0.5)
    assert windows[0].answers == {AnswerKey(phase, 7, "5xx"): 1 for phase in (0, 255, 256, 4999)}
    assert sorted(windows[0].loads) == [0, 255, 256, 4999]
    assert windows[0].latencies[LatencyKey(7, "5xx")].due.count == 4


@settings(max_examples=60, deadline=None)
@given(EVENTS, st.lists(st.floats(0, 6), max_size=6))
def test_marks_are_those_of_each_bins_requests_in_their_order_of_sending(
    events: list[tuple[int, int, int, int, float, float, float]], folds: list[float]
) -> None:
    bins: dict[int, list[tuple[float, int]]] = {}
    for kind, _, _, name, due_s, late_s, _ in events:
        if kind <= HANDED:
            bins.setdefault(math.floor((due_s + late_s) * 100), []).append((due_s + late_s, name))
    found = totals_of(events, folds).marks.get(0, {})
    assert found.keys() == {index for index, sent in bins.items() if any(name == THROTTLED for _, name in sent)}
    for index, mark in found.items():
        refused_s = [at_s for at_s, name in bins[index] if name == THROTTLED]
        assert (mark.first_s, mark.last_s) == (min(refused_s), max(refused_s))
        taken_s = [at_s for at_s, name in bins[index] if name in (OK, FAILED)]
        tied = [at_s for at_s in taken_s if at_s in refused_s]
        before = sum(at_s < mark.first_s for at_s in taken_s)
        assert before <= mark.accepted_before_first <= before + len(tied)
        before = sum(at_s < mark.last_s for at_s in taken_s)
        assert before <= mark.accepted_before_last <= before + len(tied)
