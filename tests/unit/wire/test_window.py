"""Windows survive the wire, and malformed ones are refused."""

import pytest
from burstline.core.load.histogram import Histogram
from burstline.core.load.outline import summed
from burstline.core.load.totals import Totals
from burstline.core.load.troubles import LONGEST, MOST, Trouble, TroubleKey, TroubleKind
from burstline.core.load.window import AnswerKey, Drop, Latency, LatencyKey, Load, Mark, Window, add_bins
from burstline.v1 import windows_pb2 as v1
from burstline.wire.errors import InvalidMessage
from burstline.wire.window import outline_from_proto, window_from_proto, window_to_proto
from hypothesis import given, settings
from hypothesis import strategies as st

counts = st.integers(1, 10**6)
names = st.sampled_from(["rest.ok", "rest.429.too_many", "timed_out"])
histograms = st.lists(st.floats(1e-6, 100), max_size=6).map(lambda values: _histogram(values))
bins = st.dictionaries(st.integers(-3, 99) | st.integers(-(2**31), 2**31 - 1), counts, max_size=4)
signature_bins = st.dictionaries(names, bins, max_size=3)


def times(first: int, offsets: bytes, counts: bytes, width: int = 1) -> v1.Histogram:
    return v1.Histogram(first_index=first, offsets=offsets, counts=counts, offset_width=width, count_width=width)


def trouble(kind: int = 1, example: str = "e", count: int = 1) -> v1.Window.Trouble:
    return v1.Window.Trouble(kind=v1.Window.Trouble.Kind.ValueType(kind), example=example, count=count)


def column(offsets: bytes, counts: bytes) -> v1.Window.Bins:
    return v1.Window.Bins(first_index=5, offsets=offsets, counts=counts, offset_width=1, count_width=1)


def _histogram(values: list[float]) -> Histogram:
    histogram = Histogram()
    for value in values:
        histogram.add(value)
    return histogram


@st.composite
def loads(draw: st.DrawFn) -> Load:
    dropped = draw(st.dictionaries(st.sampled_from(Drop), counts))
    sent = draw(st.integers(0, 1000))
    return Load(sent + sum(dropped.values()), sent, draw(st.integers(0, sent)), dropped)


marks = st.builds(
    lambda a, b, c, d: Mark(a * 1e-9, b, c * 1e-9, d),
    st.integers(0, 999),
    st.integers(0, 9),
    st.integers(0, 999),
    st.integers(0, 9),
)
troubles = st.dictionaries(
    st.builds(TroubleKey, st.sampled_from(TroubleKind), st.integers(-1, 3), names, names),
    st.builds(lambda nanos, text, count: Trouble(nanos * 1e-9, text, count), st.integers(0, 9), names, counts),
    max_size=MOST,
)
windows = st.builds(
    Window,
    second=st.integers(-5, 100),
    watermark=st.integers(0, 10**9),
    loads=st.dictionaries(st.integers(0, 5), loads(), max_size=3),
    answers=st.dictionaries(st.builds(AnswerKey, st.integers(0, 3), st.integers(0, 3), names), counts, max_size=4),
    latencies=st.dictionaries(
        st.builds(LatencyKey, st.integers(0, 3), names), st.builds(Latency, histograms, histograms), max_size=3
    ),
    due_bins=bins,
    sent_bins=bins,
    answer_bins=signature_bins,
    completion_bins=signature_bins,
    marks=st.dictionaries(st.integers(0, 99), marks, max_size=3),
    lateness=histograms,
    cpu_ratio=st.floats(0, 2),
    in_flight=st.integers(0, 99),
    clock_error_s=st.integers(0, 10**6).map(lambda n: n * 1e-9),
    troubles=troubles,
)


@given(windows)
@settings(max_examples=60, deadline=None)
def test_a_window_comes_back_as_it_was(window: Window) -> None:
    message = v1.Window.FromString(window_to_proto(window).SerializeToString())
    assert window_from_proto(message) == window


@given(st.lists(windows, max_size=4))
@settings(max_examples=30, deadline=None)
def test_totals_do_not_depend_on_the_order_of_windows(sample: list[Window]) -> None:
    forward, backward = Totals(), Totals()
    for i, window in enumerate(sample):
        forward.add(i, window)
    for i, window in reversed(list(enumerate(sample))):
        backward.add(i, window)
    assert forward == backward


@pytest.mark.parametrize(
    ("message", "field"),
    [
        pytest.param(v1.Window(watermark_count=-1), "watermark_count", id="negative watermark"),
        pytest.param(v1.Window(loads=[v1.Window.Load(due_count=2, sent_count=1)]), "loads[0]", id="a hole in a load"),
        pytest.param(
            v1.Window(answers=[v1.Window.Answer(signature="rest.ok")]), "answers[0].count", id="nothing counted"
        ),
        pytest.param(v1.Window(answers=[v1.Window.Answer(signature="x", count=1)]), "answers", id="no such signature"),
        pytest.param(v1.Window(latencies=[v1.Window.Latency(signature="x")]), "latencies", id="times of no signature"),
        pytest.param(v1.Window(lateness=times(1, b"\0", b"")), "lateness", id="lengths differ"),
        pytest.param(v1.Window(lateness=times(1, b"\0", b"\1", width=2)), "lateness", id="a piece of a number"),
        pytest.param(v1.Window(lateness=times(1, b"\0", b"\1", width=3)), "lateness", id="an unknown width"),
        pytest.param(v1.Window(lateness=times(-1, b"\0", b"\1")), "lateness", id="below 0"),
        pytest.param(v1.Window(lateness=times(9999, b"\0", b"\1")), "lateness", id="over all buckets"),
        pytest.param(v1.Window(sent_bins=column(b"\0\0", b"\1\1")), "sent_bins", id="a bin twice"),
        pytest.param(v1.Window(sent_bins=column(b"\0\2\1", b"\1\1\1")), "sent_bins", id="not ascending"),
        pytest.param(v1.Window(sent_bins=column(b"\1", b"\1")), "sent_bins", id="not from the first"),
        pytest.param(v1.Window(sent_bins=column(b"\0", b"\0")), "sent_bins", id="an empty bin"),
        pytest.param(v1.Window(troubles=[trouble()] * (MOST + 1)), "troubles", id="too many troubles"),
        pytest.param(v1.Window(troubles=[trouble(kind=0)]), "troubles[0].kind", id="trouble of no kind"),
        pytest.param(v1.Window(troubles=[trouble(count=0)]), "troubles[0].count", id="trouble that never was"),
        pytest.param(v1.Window(troubles=[trouble(example="x" * (LONGEST + 1))]), "troubles[0]", id="a novel"),
    ],
)
def test_a_malformed_window_is_refused_by_field(message: v1.Window, field: str) -> None:
    for read in (window_from_proto, outline_from_proto):
        with pytest.raises(InvalidMessage) as caught:
            read(message)
        assert caught.value.violations[0].field == field


@given(windows)
@settings(max_examples=30, deadline=None)
def test_an_outline_has_all_that_live_totals_add_up(window: Window) -> None:
    outline = outline_from_proto(window_to_proto(window))
    assert (outline.loads, outline.answers, summed([outline.sent_bins]), outline.troubles) == (
        window.loads, window.answers, window.sent_bins, window.troubles,
    )  # fmt: skip
    assert (outline.watermark, outline.second, outline.first_sent_bin) == (
        window.watermark, window.second, window.first_sent_bin,
    )  # fmt: skip
    assert summed([outline.lateness.column]) == window.lateness.counts
    assert [(one, summed([times.column]), times.sum_s, times.max_s) for one, times in outline.latencies] == [
        (key.signature, one.due.counts, one.due.sum_s, one.due.max_s) for key, one in window.latencies.items()
    ]


@given(st.lists(bins, max_size=5))
@settings(max_examples=60, deadline=None)
def test_columns_sum_as_bins_do(sample: list[dict[int, int]]) -> None:
    expected: dict[int, int] = {}
    for one in sample:
        add_bins(expected, one)
    columns = [outline_from_proto(window_to_proto(Window(0, sent_bins=one))).sent_bins for one in sample]
    assert summed(columns) == expected
