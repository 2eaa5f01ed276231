"""Records every request with a few list appends, and folds them into windows in batches with NumPy.

Events are kept in flat lists, one per field, and folded some tens of times a second, so that no fold holds up the
pacer; a window closes when its second is over. What became known in a second belongs to that second's window, wherever
its bins lie: windows only ever add.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from burstline.core.load.window import BINS_PER_S, AnswerKey, Drop, Latency, LatencyKey, Load, Window
from burstline.workers.counting import DenseHistogram
from burstline.workers.marking import Marker

WRITTEN, HANDED, LATE, CEILING, SLOTS = range(5)
"""What became of a due request: written to a connection; handed over to wait for one; dropped, and why."""

_CLOSE = 4096

T = TypeVar("T")

_DROPS = {LATE: Drop.LATE, CEILING: Drop.CEILING, SLOTS: Drop.SLOTS}


@dataclass(frozen=True, slots=True)
class Gauges:
    """What a window says about the worker, taken when it closes; the counts are since the last window."""

    cpu_ratio: float = 0.0
    in_flight: int = 0
    open_sockets: int = 0
    opened: int = 0
    reused: int = 0
    failed_connections: int = 0
    connect_s: Sequence[float] = ()
    tls_s: Sequence[float] = ()
    clock_error_s: float = 0.0


class Recorder:
    """Collects one segment's events and makes its windows.

    Args:
        signatures: all signatures the segment's front can give; samples name them by index.
        rejects: which of them may be throttles; same length.
        accepts: which of them say that the target took the request; same length.
        open_phases: by phase index, whether arrivals have a due time of the schedule (closed-model phases have not).
        position: the watermark at the start.
        gauges: asked once per window.
        emit: takes each closed window, in order.
    """

    def __init__(
        self,
        signatures: Sequence[str],
        rejects: Sequence[bool],
        accepts: Sequence[bool],
        open_phases: Sequence[bool],
        position: int,
        gauges: Callable[[], Gauges],
        emit: Callable[[Window], None],
    ) -> None:
        self._signatures = tuple(signatures)
        self.index_of = {signature: index for index, signature in enumerate(signatures)}
        self._open_phases = np.array(open_phases, dtype=bool)
        self._gauges, self._emit = gauges, emit
        self._watermark = position
        self._window: Window | None = None
        self._marker = Marker(np.array(rejects, dtype=bool), np.array(accepts, dtype=bool))
        self._lateness = DenseHistogram()
        self._latencies: dict[int, tuple[DenseHistogram, DenseHistogram]] = {}
        self._due_kind: list[int] = []
        self._due_phase: list[int] = []
        self._due_s: list[float] = []
        self._due_known_s: list[float] = []
        self._wired_phase: list[int] = []
        self._wired_known_s: list[float] = []
        self._done_what: list[int] = []
        self._done_due_s: list[float] = []
        self._done_sent_s: list[float] = []
        self._done_s: list[float] = []
        self._lags_s: list[float] = []
        self.answer_counts = np.zeros(len(self._signatures), dtype=np.int64)
        self.sent_count = 0

    def due(self, kind: int, phase: int, due_s: float, known_s: float) -> None:
        """Record what was done with an arrival that came due.

        Args:
            kind: WRITTEN, HANDED, LATE, CEILING or SLOTS.
            phase: index in the plan.
            due_s: run time, seconds.
            known_s: run time at which it was sent or dropped, seconds, never less than in the call before.
        """
        self._due_kind.append(kind)
        self._due_phase.append(phase)
        self._due_s.append(due_s)
        self._due_known_s.append(known_s)

    def wired(self, phase: int, known_s: float) -> None:
        """Record that a request which was HANDED over is written now."""
        self._wired_phase.append(phase)
        self._wired_known_s.append(known_s)

    def done(self, what: int, due_s: float, sent_s: float, done_s: float) -> None:
        """Record an outcome.

        Args:
            what: `what(phase, request, signature index)`.
            due_s: run time, seconds.
            sent_s: the same, as recorded by `due`.
            done_s: the same, never less than in the call before.
        """
        self._done_what.append(what)
        self._done_due_s.append(due_s)
        self._done_sent_s.append(sent_s)
        self._done_s.append(done_s)

    def lag(self, lag_s: float) -> None:
        """Record how late the event loop woke, seconds."""
        self._lags_s.append(lag_s)

    @property
    def pending_count(self) -> int:
        """Events not folded yet."""
        return len(self._due_kind) + len(self._done_what)

    def fold(self, now_s: float) -> None:
        """Fold everything recorded up to now (run time, seconds), and close windows whose second is over."""
        if self._window is None:
            first_s = min([now_s, *self._due_known_s[:1], *self._done_s[:1]])
            self._window = Window(int(first_s // 1), self._watermark)
        while now_s >= self._window.second + 1:
            self._fold_until(self._window.second + 1.0)
            self._close()
        self._fold_until(now_s)

    def finish(self, now_s: float) -> None:
        """Fold and close the last window, however short."""
        self.fold(now_s)
        self._fold_until(float("inf"))
        self._close()

    def _close(self) -> None:
        window = self._window
        assert window is not None
        gauges = self._gauges()
        window.watermark = self._watermark
        window.lateness = self._lateness.take()
        for kind, (due, sent) in self._latencies.items():
            if due.count:
                key = LatencyKey(kind >> 24, self._signatures[kind & 0xFF])
                window.latencies[key] = Latency(due.take(), sent.take())
        window.marks = self._marker.take(window.second + 1.0)
        window.loop_lag.add_all(np.array(self._lags_s))
        self._lags_s.clear()
        window.cpu_ratio, window.in_flight = gauges.cpu_ratio, gauges.in_flight
        window.open_sockets, window.opened, window.reused = gauges.open_sockets, gauges.opened, gauges.reused
        window.failed_connections, window.clock_error_s = gauges.failed_connections, gauges.clock_error_s
        window.connect.add_all(np.array(gauges.connect_s))
        window.tls.add_all(np.array(gauges.tls_s))
        self._window = Window(window.second + 1, self._watermark)
        self._emit(window)

    def _fold_until(self, end_s: float) -> None:
        """Fold events known before `end_s`; lists are ascending in that time, and nearly always fold whole."""
        count = _below(self._due_known_s, end_s)
        if count:
            kinds = np.array(_cut(self._due_kind, count))
            phases = np.array(_cut(self._due_phase, count))
            dues, known = np.array(_cut(self._due_s, count)), np.array(_cut(self._due_known_s, count))
            self._fold_dues(kinds, phases, dues, known)
        count = _below(self._wired_known_s, end_s)
        if count:
            del self._wired_known_s[:count]
            for phase in _cut(self._wired_phase, count):
                self._load(phase).sent_on_wire += 1
        count = _below(self._done_s, end_s)
        if count:
            what, dues = np.array(_cut(self._done_what, count)), np.array(_cut(self._done_due_s, count))
            sents, dones = np.array(_cut(self._done_sent_s, count)), np.array(_cut(self._done_s, count))
            self._fold_answers(what, dues, sents, dones)

    def _load(self, phase: int) -> Load:
        assert self._window is not None
        return self._window.loads.setdefault(phase, Load())

    def _fold_dues(
        self,
        kinds: NDArray[np.int64],
        phases: NDArray[np.int64],
        dues_s: NDArray[np.float64],
        known_s: NDArray[np.float64],
    ) -> None:
        window = self._window
        assert window is not None
        for code, count in _counts(phases * 8 + kinds):
            load, kind = self._load(code >> 3), code & 7
            load.due += count
            if kind <= HANDED:
                load.sent += count
                load.sent_on_wire += count if kind == WRITTEN else 0
            else:
                load.dropped[_DROPS[kind]] = load.dropped.get(_DROPS[kind], 0) + count
        for index, count in _counts(bin_indices(dues_s)):
            window.due_bins[index] = window.due_bins.get(index, 0) + count
        sent = kinds <= HANDED
        sents_s = known_s[sent]
        self.sent_count += len(sents_s)
        for index, count in _counts(bin_indices(sents_s)):
            window.sent_bins[index] = window.sent_bins.get(index, 0) + count
            self._marker.sent(index, count)
        scheduled = self._open_phases[phases]
        self._watermark += int(scheduled.sum())
        paced = sent & scheduled
        self._lateness.add(known_s[paced] - dues_s[paced])

    def _fold_answers(
        self,
        what: NDArray[np.int64],
        dues_s: NDArray[np.float64],
        sents_s: NDArray[np.float64],
        dones_s: NDArray[np.float64],
    ) -> None:
        window = self._window
        assert window is not None
        names = self._signatures
        signatures = what & 0xFF
        self.answer_counts += np.bincount(signatures, minlength=len(names))
        for code, count in _counts(what):
            key = AnswerKey((code >> 8) & 0xFFFF, code >> 24, names[code & 0xFF])
            window.answers[key] = window.answers.get(key, 0) + count
        kinds = what & ~0xFFFF00  # without the phase
        for kind, _ in _counts(kinds):
            chosen = kinds == kind
            due, sent = self._latencies.setdefault(kind, (DenseHistogram(), DenseHistogram()))
            due.add(dones_s[chosen] - dues_s[chosen])
            sent.add(dones_s[chosen] - sents_s[chosen])
        sent_bins = bin_indices(sents_s)
        for code, count in _counts((sent_bins << 8) | signatures):
            answers = window.answer_bins.setdefault(names[code & 0xFF], {})
            answers[code >> 8] = answers.get(code >> 8, 0) + count
        for code, count in _counts((bin_indices(dones_s) << 8) | signatures):
            into = window.completion_bins.setdefault(names[code & 0xFF], {})
            into[code >> 8] = into.get(code >> 8, 0) + count
        self._marker.answered(sent_bins, sents_s, signatures)


def what(phase: int, request: int, signature: int) -> int:
    """Return one number for what a sample is about; phase 0..65,535, signature 0..255."""
    return (request << 24) | (phase << 8) | signature


def bin_indices(times_s: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return the 10 ms bin of each run time; same length."""
    return np.floor(times_s * BINS_PER_S).astype(np.int64)


def _counts(codes: NDArray[np.int64]) -> list[tuple[int, int]]:
    """Return each code with how often it occurs, ascending. Counting beats sorting while codes are close together."""
    if not len(codes):
        return []
    low = int(codes.min())
    if int(codes.max()) - low > _CLOSE:
        found, counts = np.unique(codes, return_counts=True)
    else:
        table = np.bincount(codes - low)
        found = table.nonzero()[0]
        counts, found = table[found], found + low
    return list(zip(found.tolist(), counts.tolist(), strict=True))


def _below(ascending: list[float], end_s: float) -> int:
    """Return how many of the values are below `end_s`."""
    if not ascending or ascending[-1] < end_s:
        return len(ascending)
    return int(np.searchsorted(np.array(ascending), end_s))


def _cut(values: list[T], count: int) -> list[T]:
    """Take the first `count` values out of the list."""
    if count == len(values):
        taken = values.copy()
        values.clear()
        return taken
    taken = values[:count]
    del values[:count]
    return taken
