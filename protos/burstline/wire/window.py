"""Windows: `v1.Window` <-> `core.load.window.Window`."""

from collections.abc import Iterable
from itertools import accumulate

from burstline.core.load.histogram import LARGEST_INDEX, Histogram
from burstline.core.load.window import AnswerKey, Bin, Drop, Latency, LatencyKey, Load, Mark, SegmentKey, Window
from burstline.v1 import resources_pb2 as v1
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
    message = v1.Histogram(sum_seconds=histogram.sum_s, max_seconds=histogram.max_s)
    before = 0
    for index, count in sorted(histogram.counts.items()):
        message.index_deltas.append(index - before)
        message.counts.append(count)
        before = index
    return message


def histogram_from_proto(message: v1.Histogram, field: str, checks: Checks) -> Histogram:
    """Return a histogram; bucket numbers outside 0..LARGEST_INDEX and counts below 1 are refused."""
    if len(message.index_deltas) != len(message.counts):
        checks.refuse(field, "index_deltas and counts have different lengths")
        return Histogram()
    counts = list(message.counts)
    if not counts:
        return Histogram({}, message.sum_seconds, message.max_seconds)
    indices = list(accumulate(message.index_deltas))
    if min(counts) < 1 or min(indices) < 0 or max(indices) > LARGEST_INDEX:
        index, count = next(
            (index, count)
            for index, count in zip(indices, counts, strict=True)
            if count < 1 or not 0 <= index <= LARGEST_INDEX
        )
        checks.refuse(field, f"bucket {index} with count {count}: allowed is 0 to {LARGEST_INDEX}, counts from 1")
        return Histogram()
    return Histogram(dict(zip(indices, counts, strict=True)), message.sum_seconds, message.max_seconds)


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
        bins=[
            v1.Window.Bin(index=index, due_count=b.due, sent_count=b.sent, answers=_signatures_to_proto(b.answers))
            for index, b in window.bins.items()
        ],
        completions=[
            v1.Window.Completion(index=index, answers=_signatures_to_proto(counts))
            for index, counts in window.completions.items()
        ],
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
        outline: leave out what only judging needs, which is most of the work: completions, marks, and the answers in
            bins. What is refused is the same.

    Raises:
        InvalidMessage: a count is negative, or a histogram is malformed.
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
        bins={
            b.index: Bin(b.due_count, b.sent_count, {} if outline else _signatures_from_proto(b.answers))
            for b in message.bins
        },
        completions={} if outline else {c.index: _signatures_from_proto(c.answers) for c in message.completions},
        marks={} if outline else {mark.index: _mark_from_proto(mark) for mark in message.marks},
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
    )
    checks.require(window.watermark >= 0, "watermark_count", f"{window.watermark} is negative")
    for i, (answer, count) in enumerate(window.answers.items()):
        checks.require(count > 0, f"answers[{i}].count", f"{count} of {answer.signature} is not over 0")
    checks.finish()
    return window


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
    counts = (load.due, load.sent, load.sent_on_wire, *dropped.values())
    field = f"loads[{position}]"
    checks.require(min(counts) >= 0, field, "a count is negative")
    checks.require(
        load.due == load.sent + sum(dropped.values()), field, f"{load.due} due is not {load.sent} sent plus dropped"
    )
    return load


def _signatures_to_proto(counts: dict[str, int]) -> list[v1.Window.SignatureCount]:
    return [v1.Window.SignatureCount(signature=signature, count=count) for signature, count in counts.items()]


def _signatures_from_proto(messages: Iterable[v1.Window.SignatureCount]) -> dict[str, int]:
    return {message.signature: message.count for message in messages}


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
