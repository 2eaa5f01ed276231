"""Records every request with a few appends, and folds them into windows in batches with NumPy.

Events are kept in columns and folded some tens of times a second, in steps of about 0.1 ms between which requests can
leave: a fold in one piece holds up as many requests as come due in a millisecond, which at 8,000/s is more than one in
a hundred. A window closes when its second is over. What became known in a second belongs to that second's window,
wherever its bins lie: windows only ever add.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from burstline.core.load.histogram import indices_of
from burstline.core.load.troubles import LONGEST, MOST, Trouble, TroubleKey, Troubles
from burstline.core.load.window import AnswerKey, Drop, Latency, LatencyKey, Load, Window
from burstline.workers.recording.columns import Columns
from burstline.workers.recording.counting import DenseHistogram, bin_indices, counts_of
from burstline.workers.recording.marking import Marker

WRITTEN, HANDED, LATE, CEILING, SLOTS, UNMADE = range(6)
"""What became of a due request: written to a connection; handed over to wait for one; dropped, and why."""

_NO_PHASE = ~0xFFFF00
"""What is left of `what` without the phase."""

_DROPS = {LATE: Drop.LATE, CEILING: Drop.CEILING, SLOTS: Drop.SLOTS, UNMADE: Drop.TEMPLATE}


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
        self._open_phases = tuple(open_phases)
        self._gauges, self._emit = gauges, emit
        self._watermark = position
        self._window: Window | None = None
        self._marker = Marker(np.array(rejects, dtype=bool), np.array(accepts, dtype=bool))
        self._lateness = DenseHistogram()
        self._latencies: dict[int, tuple[DenseHistogram, DenseHistogram]] = {}
        self._dues, self._wireds, self._dones = Columns("qdd"), Columns("qd"), Columns("qddd")
        self._lags_s: list[float] = []
        self._troubles: Troubles = {}
        self._folding: Iterator[None] | None = None

    def due(self, kind: int, phase: int, due_s: float, known_s: float) -> None:
        """Record what was done with an arrival that came due.

        Args:
            kind: WRITTEN, HANDED, LATE, CEILING, SLOTS or UNMADE.
            phase: index in the plan.
            due_s: run time, seconds.
            known_s: run time at which it was sent or dropped, seconds, never less than in the call before.
        """
        codes, dues_s, times_s = self._dues.columns
        codes.append(phase << 3 | kind)
        dues_s.append(due_s)
        times_s.append(known_s)

    def wired(self, phase: int, known_s: float) -> None:
        """Record that a request which was HANDED over is written now."""
        phases, times_s = self._wireds.columns
        phases.append(phase)
        times_s.append(known_s)

    def done(self, what: int, due_s: float, sent_s: float, done_s: float) -> None:
        """Record an outcome.

        Args:
            what: `what(phase, request, signature index)`.
            due_s: run time, seconds.
            sent_s: the same, as recorded by `due`.
            done_s: the same, never less than in the call before.
        """
        whats, dues_s, sents_s, times_s = self._dones.columns
        whats.append(what)
        dues_s.append(due_s)
        sents_s.append(sent_s)
        times_s.append(done_s)

    def lag(self, lag_s: float) -> None:
        """Record how late the event loop woke, seconds."""
        self._lags_s.append(lag_s)

    def trouble(self, key: TroubleKey, known_s: float, example: Callable[[], str]) -> None:
        """Record that something of the plan failed (run time, seconds); `example` is asked the first time in a window.

        What is past the few that a window names is left out.
        """
        known = self._troubles.get(key)
        if known is not None:
            self._troubles[key] = Trouble(known.first_s, known.example, known.count + 1)
        elif len(self._troubles) < MOST:
            self._troubles[key] = Trouble(known_s, example()[:LONGEST], 1)

    @property
    def pending_count(self) -> int:
        """Events not folded yet."""
        return len(self._dues) + len(self._dones)

    def begin_fold(self, now_s: float) -> None:
        """Begin to fold everything recorded up to now (run time, seconds), unless a fold is under way: see `step`."""
        if self._folding is None:
            self._folding = self._steps(now_s)

    def step(self) -> bool:
        """Do one step of the fold that was begun, about 0.1 ms; return whether there is more to do."""
        if self._folding is not None and next(self._folding, True) is None:
            return True
        self._folding = None
        return False

    def fold(self, now_s: float) -> None:
        """Fold everything recorded up to now (run time, seconds), and close windows whose second is over."""
        while self.step():
            pass
        self.begin_fold(now_s)
        while self.step():
            pass

    def finish(self, now_s: float) -> None:
        """Fold and close the last window, however short."""
        self.fold(now_s)
        for _ in self._fold_until(float("inf")):
            pass
        for _ in self._close():
            pass

    def _steps(self, now_s: float) -> Iterator[None]:
        if self._window is None:
            first_s = min(now_s, self._dues.first_s, self._dones.first_s)
            self._window = Window(int(first_s // 1), self._watermark)
        while now_s >= self._window.second + 1:
            yield from self._fold_until(self._window.second + 1.0)
            yield from self._close()
        yield from self._fold_until(now_s)

    def _close(self) -> Iterator[None]:
        window = self._window
        assert window is not None
        for marks in self._marker.take(window.second + 1.0):
            window.marks |= marks
            yield
        gauges = self._gauges()
        window.watermark = self._watermark
        window.lateness = self._lateness.take()
        for kind, (due, sent) in self._latencies.items():
            if due.count:
                key = LatencyKey(kind >> 24, self._signatures[kind & 0xFF])
                window.latencies[key] = Latency(due.take(), sent.take())
        window.troubles, self._troubles = self._troubles, {}
        window.loop_lag.add_all(np.array(self._lags_s))
        self._lags_s.clear()
        window.cpu_ratio, window.in_flight = gauges.cpu_ratio, gauges.in_flight
        window.open_sockets, window.opened, window.reused = gauges.open_sockets, gauges.opened, gauges.reused
        window.failed_connections, window.clock_error_s = gauges.failed_connections, gauges.clock_error_s
        window.connect.add_all(np.array(gauges.connect_s))
        window.tls.add_all(np.array(gauges.tls_s))
        self._window = Window(window.second + 1, self._watermark)
        yield
        self._emit(window)
        yield

    def _fold_until(self, end_s: float) -> Iterator[None]:
        """Fold events known before `end_s`; columns are ascending in that time, and nearly always fold whole."""
        if (dues := self._dues.take(end_s)) is not None:
            yield
            yield from self._fold_dues(*dues)
        if (wireds := self._wireds.take(end_s)) is not None:
            for phase in wireds[0].tolist():
                self._load(phase).sent_on_wire += 1
            yield
        if (dones := self._dones.take(end_s)) is not None:
            yield
            yield from self._fold_answers(*dones)

    def _load(self, phase: int) -> Load:
        assert self._window is not None
        return self._window.loads.setdefault(phase, Load())

    def _fold_dues(
        self, codes: NDArray[np.int64], dues_s: NDArray[np.float64], known_s: NDArray[np.float64]
    ) -> Iterator[None]:
        window = self._window
        assert window is not None
        found = counts_of(codes)
        for code, count in found:
            load, kind = self._load(code >> 3), code & 7
            load.due += count
            if kind <= HANDED:
                load.sent += count
                load.sent_on_wire += count if kind == WRITTEN else 0
            else:
                load.dropped[_DROPS[kind]] = load.dropped.get(_DROPS[kind], 0) + count
        for index, count in counts_of(bin_indices(dues_s)):
            window.due_bins[index] = window.due_bins.get(index, 0) + count
        yield
        sent = [code for code, _ in found if code & 7 <= HANDED]
        for index, count in counts_of(bin_indices(_chosen(known_s, codes, sent, len(found)))):
            window.sent_bins[index] = window.sent_bins.get(index, 0) + count
            self._marker.sent(index, count)
        yield
        self._watermark += sum(count for code, count in found if self._open_phases[code >> 3])
        paced = [code for code in sent if self._open_phases[code >> 3]]
        late_s = _chosen(known_s - dues_s, codes, paced, len(found))
        self._lateness.add(late_s, indices_of(late_s))
        yield

    def _fold_answers(
        self,
        what: NDArray[np.int64],
        dues_s: NDArray[np.float64],
        sents_s: NDArray[np.float64],
        dones_s: NDArray[np.float64],
    ) -> Iterator[None]:
        window = self._window
        assert window is not None
        names = self._signatures
        found = counts_of(what)
        for code, count in found:
            key = AnswerKey((code >> 8) & 0xFFFF, code >> 24, names[code & 0xFF])
            window.answers[key] = window.answers.get(key, 0) + count
        from_due_s, from_sent_s = dones_s - dues_s, dones_s - sents_s
        due_at, sent_at = indices_of(from_due_s), indices_of(from_sent_s)
        yield
        kinds, kind_of = {code & _NO_PHASE for code, _ in found}, what & _NO_PHASE
        for kind in kinds:
            chosen = slice(None) if len(kinds) == 1 else (kind_of == kind).nonzero()[0]
            due, sent = self._latencies.setdefault(kind, (DenseHistogram(), DenseHistogram()))
            due.add(from_due_s[chosen], due_at[chosen])
            yield
            sent.add(from_sent_s[chosen], sent_at[chosen])
            yield
        signatures = what & 0xFF
        sent_bins = bin_indices(sents_s)
        for into, bins in ((window.answer_bins, sent_bins), (window.completion_bins, bin_indices(dones_s))):
            for code, count in counts_of(bins * len(names) + signatures):
                index, name = divmod(code, len(names))
                counts = into.setdefault(names[name], {})
                counts[index] = counts.get(index, 0) + count
            yield
        self._marker.answered(sent_bins, sents_s, signatures)
        yield


def what(phase: int, request: int, signature: int) -> int:
    """Return one number for what a sample is about; phase 0..65,535, signature 0..255."""
    return (request << 24) | (phase << 8) | signature


def _chosen(
    values: NDArray[np.float64], codes: NDArray[np.int64], wanted: Sequence[int], count: int
) -> NDArray[np.float64]:
    """Return the values whose code is wanted; `count` is how many different codes there are."""
    return values if len(wanted) == count else values[np.isin(codes, wanted)]
