"""Windows: `v1.Window` <-> `core.load.window.Window`."""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from burstline.core.load.histogram import LARGEST_INDEX, Histogram
from burstline.core.load.outline import Column, Outline, Times
from burstline.core.load.window import AnswerKey, Bins, Drop, Latency, LatencyKey, Load, Mark, SegmentKey, Window
from burstline.core.quota.answers.signatures import MEANINGS
from burstline.v1 import windows_pb2 as v1
from burstline.v1 import worker_service_pb2 as worker_v1
from burstline.wire.checks import Checks
from burstline.wire.troubles import troubles_from_proto, troubles_to_proto

_WIDTHS: dict[int, np.dtype[Any]] = {1: np.dtype("u1"), 2: np.dtype("<u2"), 4: np.dtype("<u4")}
_NOTHING = Column(np.empty(0, np.int64), np.empty(0, np.int64))


def key_from_proto(message: worker_v1.SegmentKey) -> SegmentKey:
    """Return a segment's key; `run` keeps its resource name."""
    return SegmentKey(message.run, message.segment, message.epoch)


def key_to_proto(key: SegmentKey) -> worker_v1.SegmentKey:
    """Return a segment's key as a message."""
    return worker_v1.SegmentKey(run=key.run, segment=key.segment, epoch=key.epoch)


def histogram_to_proto(histogram: Histogram) -> v1.Histogram:
    """Return a histogram as a message."""
    return v1.Histogram(**_column_to_proto(histogram.counts), sum_seconds=histogram.sum_s, max_seconds=histogram.max_s)


def histogram_from_proto(message: v1.Histogram, field: str, checks: Checks) -> Histogram:
    """Return a histogram; bucket numbers outside 0..LARGEST_INDEX and counts below 1 are refused."""
    times = _times_from_proto(message, field, checks)
    return Histogram(_bins(times.column), times.sum_s, times.max_s)


def window_to_proto(window: Window) -> v1.Window:
    """Return a window as a message."""
    return v1.Window(
        second=window.second,
        watermark_count=window.watermark,
        loads=[_load_to_proto(phase, load) for phase, load in window.loads.items()],
        answers=[
            v1.Window.Answer(phase=key.phase, request=key.request, signature=key.signature, count=count)
            for key, count in window.answers.items()
        ],
        latencies=[
            v1.Window.Latency(
                request=key.request,
                signature=key.signature,
                due=histogram_to_proto(latency.due),
                sent=histogram_to_proto(latency.sent),
            )
            for key, latency in window.latencies.items()
        ],
        due_bins=_bins_to_proto(window.due_bins),
        sent_bins=_bins_to_proto(window.sent_bins),
        answer_bins=_signature_bins_to_proto(window.answer_bins),
        completion_bins=_signature_bins_to_proto(window.completion_bins),
        marks=[_mark_to_proto(index, mark) for index, mark in window.marks.items()],
        lateness=histogram_to_proto(window.lateness),
        loop_lag=histogram_to_proto(window.loop_lag),
        connect=histogram_to_proto(window.connect),
        tls=histogram_to_proto(window.tls),
        cpu_ratio=window.cpu_ratio,
        in_flight_count=window.in_flight,
        open_socket_count=window.open_sockets,
        opened_count=window.opened,
        reused_count=window.reused,
        failed_connection_count=window.failed_connections,
        clock_error_nanos=round(window.clock_error_s * 1e9),
        troubles=troubles_to_proto(window.troubles),
    )


def window_from_proto(message: v1.Window) -> Window:
    """Return a window.

    Raises:
        InvalidMessage: a count is negative, or a histogram or column of bins that is read is malformed.
    """
    checks = Checks()
    window = Window(
        second=message.second,
        watermark=message.watermark_count,
        loads={load.phase: _load_from_proto(load, i, checks) for i, load in enumerate(message.loads)},
        answers={AnswerKey(a.phase, a.request, a.signature): a.count for a in message.answers},
        latencies={
            LatencyKey(entry.request, entry.signature): Latency(
                histogram_from_proto(entry.due, f"latencies[{i}].due", checks),
                histogram_from_proto(entry.sent, f"latencies[{i}].sent", checks),
            )
            for i, entry in enumerate(message.latencies)
        },
        due_bins=_bins_from_proto(message.due_bins, "due_bins", checks),
        sent_bins=_bins_from_proto(message.sent_bins, "sent_bins", checks),
        answer_bins=_signature_bins_from_proto(message.answer_bins, "answer_bins", checks),
        completion_bins=_signature_bins_from_proto(message.completion_bins, "completion_bins", checks),
        marks={mark.index: _mark_from_proto(mark) for mark in message.marks},
        lateness=histogram_from_proto(message.lateness, "lateness", checks),
        loop_lag=histogram_from_proto(message.loop_lag, "loop_lag", checks),
        connect=histogram_from_proto(message.connect, "connect", checks),
        tls=histogram_from_proto(message.tls, "tls", checks),
        cpu_ratio=message.cpu_ratio,
        in_flight=message.in_flight_count,
        open_sockets=message.open_socket_count,
        opened=message.opened_count,
        reused=message.reused_count,
        failed_connections=message.failed_connection_count,
        clock_error_s=message.clock_error_nanos * 1e-9,
        troubles=troubles_from_proto(message, checks),
    )
    _check_counts(window.watermark, window.answers, checks)
    _check_signatures({key.signature for key in window.latencies}, "latencies", checks)
    _check_signatures(window.answer_bins, "answer_bins", checks)
    _check_signatures(window.completion_bins, "completion_bins", checks)
    checks.finish()
    return window


def outline_from_proto(message: v1.Window) -> Outline:
    """Return what live totals need of a window; what only judging needs is not looked at.

    Raises:
        InvalidMessage: as `window_from_proto`, for what is read.
    """
    checks = Checks()
    outline = Outline(
        message.second,
        message.watermark_count,
        {load.phase: _load_from_proto(load, i, checks) for i, load in enumerate(message.loads)},
        {AnswerKey(a.phase, a.request, a.signature): a.count for a in message.answers},
        [(one.signature, _times_from_proto(one.due, "latencies.due", checks)) for one in message.latencies],
        _column_from_proto(message.sent_bins, "sent_bins", checks),
        _times_from_proto(message.lateness, "lateness", checks),
        message.in_flight_count,
        message.clock_error_nanos * 1e-9,
        troubles_from_proto(message, checks),
    )
    _check_counts(outline.watermark, outline.answers, checks)
    _check_signatures([signature for signature, _ in outline.latencies], "latencies", checks)
    checks.finish()
    return outline


def _check_signatures(names: Iterable[str], field: str, checks: Checks) -> None:
    for name in names:
        if name not in MEANINGS:
            checks.refuse(field, f"no signature is called {name!r}")


def _check_counts(watermark: int, answers: Mapping[AnswerKey, int], checks: Checks) -> None:
    if watermark < 0:
        checks.refuse("watermark_count", f"{watermark} is negative")
    _check_signatures([key.signature for key in answers], "answers", checks)
    if answers and min(answers.values()) <= 0:
        for i, (answer, count) in enumerate(answers.items()):
            checks.require(count > 0, f"answers[{i}].count", f"{count} of {answer.signature} is not over 0")


_DROPS = {
    Drop.LATE: "late_count",
    Drop.CEILING: "ceiling_count",
    Drop.SLOTS: "slots_count",
    Drop.TEMPLATE: "template_count",
}


def _load_to_proto(phase: int, load: Load) -> v1.Window.Load:
    message = v1.Window.Load(
        phase=phase, due_count=load.due, sent_count=load.sent, sent_on_wire_count=load.sent_on_wire
    )
    for reason, count in load.dropped.items():
        setattr(message, _DROPS[reason], count)
    return message


def _load_from_proto(message: v1.Window.Load, position: int, checks: Checks) -> Load:
    dropped: dict[Drop, int] = {reason: getattr(message, name) for reason, name in _DROPS.items()}
    load = Load(
        message.due_count, message.sent_count, message.sent_on_wire_count, {r: n for r, n in dropped.items() if n}
    )
    if min(load.due, load.sent, load.sent_on_wire, *dropped.values()) < 0:
        checks.refuse(f"loads[{position}]", "a count is negative")
    if load.due != load.sent + sum(dropped.values()):
        checks.refuse(f"loads[{position}]", f"{load.due} due is not {load.sent} sent plus dropped")
    return load


def _bins_to_proto(bins: Bins) -> v1.Window.Bins:
    return v1.Window.Bins(**_column_to_proto(bins))


def _column_to_proto(bins: Bins) -> dict[str, Any]:
    """Return the fields that bins and histograms share; nothing for an empty column."""
    if not bins:
        return {}
    indices = np.array(sorted(bins), dtype=np.int64)
    counts = np.array([bins[index] for index in indices.tolist()], dtype=np.int64)
    first = int(indices[0])
    offset_width, count_width = _width(int(indices[-1]) - first), _width(int(counts.max()))
    return {
        "first_index": first,
        "offsets": (indices - first).astype(_WIDTHS[offset_width]).tobytes(),
        "counts": counts.astype(_WIDTHS[count_width]).tobytes(),
        "offset_width": offset_width,
        "count_width": count_width,
    }


def _width(largest: int) -> int:
    return next(width for width in _WIDTHS if largest < 1 << 8 * width)


def _bins_from_proto(message: v1.Window.Bins, field: str, checks: Checks) -> Bins:
    return _bins(_column_from_proto(message, field, checks))


def _bins(column: Column) -> Bins:
    return dict(zip(column.indices.tolist(), column.counts.tolist(), strict=True))


def _column_from_proto(message: v1.Window.Bins | v1.Histogram, field: str, checks: Checks) -> Column:
    """Return counts by index; indices that do not ascend and counts below 1 are refused."""
    if not message.offsets and not message.counts:
        return _NOTHING
    try:
        offsets = np.frombuffer(message.offsets, _WIDTHS[message.offset_width])
        counts = np.frombuffer(message.counts, _WIDTHS[message.count_width])
    except (KeyError, ValueError):
        checks.refuse(field, "offsets and counts must be whole numbers of 1, 2 or 4 bytes")
        return _NOTHING
    # count_nonzero: the methods `all` and `min` take five times as long for so few
    count = len(offsets)
    if count != len(counts) or offsets[0] or np.count_nonzero(offsets[1:] > offsets[:-1]) != count - 1:
        checks.refuse(field, "offsets must ascend from 0, and have as many counts")
        return _NOTHING
    if np.count_nonzero(counts) != count:
        checks.refuse(field, "a count is 0: they must be over 0")
        return _NOTHING
    return Column(offsets.astype(np.int64) + message.first_index, counts)


def _times_from_proto(message: v1.Histogram, field: str, checks: Checks) -> Times:
    column = _column_from_proto(message, field, checks)
    indices = column.indices
    if len(indices) and not (indices[0] >= 0 and indices[-1] <= LARGEST_INDEX):
        checks.refuse(field, f"buckets {indices[0]} to {indices[-1]}: allowed is 0 to {LARGEST_INDEX}")
        column = _NOTHING
    return Times(column, message.sum_seconds, message.max_seconds)


def _signature_bins_to_proto(columns: dict[str, Bins]) -> list[v1.Window.SignatureBins]:
    return [v1.Window.SignatureBins(signature=name, bins=_bins_to_proto(bins)) for name, bins in columns.items()]


def _signature_bins_from_proto(
    columns: Iterable[v1.Window.SignatureBins], field: str, checks: Checks
) -> dict[str, Bins]:
    return {one.signature: _bins_from_proto(one.bins, f"{field}[{i}]", checks) for i, one in enumerate(columns)}


def _mark_to_proto(index: int, mark: Mark) -> v1.Window.Mark:
    return v1.Window.Mark(
        index=index,
        first_nanos=round(mark.first_s * 1e9),
        accepted_before_first_count=mark.accepted_before_first,
        last_nanos=round(mark.last_s * 1e9),
        accepted_before_last_count=mark.accepted_before_last,
    )


def _mark_from_proto(message: v1.Window.Mark) -> Mark:
    return Mark(
        message.first_nanos * 1e-9,
        message.accepted_before_first_count,
        message.last_nanos * 1e-9,
        message.accepted_before_last_count,
    )
