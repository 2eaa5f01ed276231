"""Windows: `v1.Window` <-> `core.load.window.Window`."""

from collections.abc import Iterable

from burstline.core.load.histogram import LARGEST_INDEX, Histogram
from burstline.core.load.window import AnswerKey, Bins, Drop, Latency, LatencyKey, Load, Mark, SegmentKey, Window
from burstline.v1 import windows_pb2 as v1
from burstline.v1 import worker_service_pb2 as worker_v1
from burstline.wire.checks import Checks


def key_from_proto(message: worker_v1.SegmentKey) -> SegmentKey:
    """Return a segment's key; `run` keeps its resource name."""
    return SegmentKey(message.run, message.segment, message.epoch)


def key_to_proto(key: SegmentKey) -> worker_v1.SegmentKey:
    """Return a segment's key as a message."""
    return worker_v1.SegmentKey(run=key.run, segment=key.segment, epoch=key.epoch)


def histogram_to_proto(histogram: Histogram) -> v1.Histogram:
    """Return a histogram as a message."""
    counts = histogram.counts
    return v1.Histogram(
        indices=counts.keys(), counts=counts.values(), sum_seconds=histogram.sum_s, max_seconds=histogram.max_s
    )


def histogram_from_proto(message: v1.Histogram, field: str, checks: Checks) -> Histogram:
    """Return a histogram; bucket numbers outside 0..LARGEST_INDEX and counts below 1 are refused."""
    counts = _bins_from_proto(message, field, checks)
    if counts and not (min(counts) >= 0 and max(counts) <= LARGEST_INDEX):
        checks.refuse(field, f"buckets {min(counts)} to {max(counts)}: allowed is 0 to {LARGEST_INDEX}")
        return Histogram()
    return Histogram(counts, message.sum_seconds, message.max_seconds)


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
    )


def window_from_proto(message: v1.Window, *, outline: bool = False) -> Window:
    """Return a window.

    Args:
        message: what came over the wire.
        outline: leave out what only judging needs, which is most of the work: bins of what was due, answered and
            completed, marks, latencies from the actual send, and the times of loop, connections and TLS.

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
                Histogram() if outline else histogram_from_proto(entry.sent, f"latencies[{i}].sent", checks),
            )
            for i, entry in enumerate(message.latencies)
        },
        sent_bins=_bins_from_proto(message.sent_bins, "sent_bins", checks),
        lateness=histogram_from_proto(message.lateness, "lateness", checks),
        cpu_ratio=message.cpu_ratio,
        in_flight=message.in_flight_count,
        open_sockets=message.open_socket_count,
        opened=message.opened_count,
        reused=message.reused_count,
        failed_connections=message.failed_connection_count,
        clock_error_s=message.clock_error_nanos * 1e-9,
    )
    if not outline:
        _add_rest(window, message, checks)
    if window.watermark < 0:
        checks.refuse("watermark_count", f"{window.watermark} is negative")
    if window.answers and min(window.answers.values()) <= 0:
        for i, (answer, count) in enumerate(window.answers.items()):
            checks.require(count > 0, f"answers[{i}].count", f"{count} of {answer.signature} is not over 0")
    checks.finish()
    return window


def _add_rest(window: Window, message: v1.Window, checks: Checks) -> None:
    """Fill in what an outline leaves out."""
    window.due_bins = _bins_from_proto(message.due_bins, "due_bins", checks)
    window.answer_bins = _signature_bins_from_proto(message.answer_bins, "answer_bins", checks)
    window.completion_bins = _signature_bins_from_proto(message.completion_bins, "completion_bins", checks)
    window.marks = {mark.index: _mark_from_proto(mark) for mark in message.marks}
    window.loop_lag = histogram_from_proto(message.loop_lag, "loop_lag", checks)
    window.connect = histogram_from_proto(message.connect, "connect", checks)
    window.tls = histogram_from_proto(message.tls, "tls", checks)


_DROPS = {Drop.LATE: "late_count", Drop.CEILING: "ceiling_count", Drop.SLOTS: "slots_count"}


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
    return v1.Window.Bins(indices=bins.keys(), counts=bins.values())


def _bins_from_proto(message: v1.Window.Bins | v1.Histogram, field: str, checks: Checks) -> Bins:
    """Return counts by index; an index that comes twice and counts below 1 are refused."""
    indices, counts = message.indices[:], message.counts[:]  # a slice is a list made in one go, list() is none
    bins = dict(zip(indices, counts, strict=False))
    if len(bins) != len(indices) or len(bins) != len(counts):
        checks.refuse(field, "indices must differ, and have as many counts")
        return {}
    if bins and min(counts) < 1:
        checks.refuse(field, f"a count is {min(counts)}: they must be over 0")
        return {}
    return bins


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
