"""Fires a stripe by deadline: each request at its due time, in small batches, and never in a clump.

After a pause of the process (a stolen core, a long garbage collection) requests are overdue. Fired all at once they
would be a burst that the plan never asked for, so what is more than `max_late` past due is dropped, reason `late`.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from burstline.core.load.plan import Bursts, Phase
from burstline.core.load.schedule import Stripe
from burstline.core.load.selection import Selection
from burstline.workers.sending.timer import Timer

CHUNK_COUNT = 2048
"""Arrivals computed ahead at a time: some 0.3 ms of NumPy, well under `max_late`."""

BATCH_COUNT = 32
"""At most so many are fired before the loop gets to write them and to read answers."""

QUANTUM_S = 130e-6
"""Wake-ups closer together than this are joined: at high rates a wake-up for every request would be a third of its
cost. Nothing leaves early, so requests are up to so much late, half of it on average (goal: 0.2 ms)."""

FINE_QUANTUM_S = 60e-6
"""The same up to `FINE_TO_PER_S`, where each request can afford a wake-up of its own."""

FINE_TO_PER_S = 10_000
"""Arrivals a second, over a chunk."""

SMALLEST_LATE_S = 0.002
"""Below this no timer on a shared machine can hold; narrower bursts than 4 ms keep this tolerance."""


class Fire(Protocol):
    """Sends one arrival now, or drops it for a reason of its own."""

    def __call__(self, number: int, phase: int, request: int, row: int, due_s: float) -> object:
        """Take over arrival `number`, due at `due_s` seconds of run time."""


class Late(Protocol):
    """Counts one arrival as dropped because it is too far past due."""

    def __call__(self, phase: int, due_s: float) -> None:
        """Take over an arrival of `phase`, due at `due_s` seconds of run time."""


class Clock(Protocol):
    """Run time and how to wait for it."""

    def now(self) -> float:
        """Return run time, seconds."""
        ...

    def instant_of(self, run_s: float) -> float:
        """Return the timer's instant for run time `run_s`, seconds."""
        ...


@dataclass(frozen=True, slots=True)
class Arrivals:
    """A chunk of a stripe, as lists of the same length, ascending in due time.

    Attributes:
        tolerances_s: how far past due each may still be sent, seconds.
    """

    numbers: list[int]
    phases: list[int]
    requests: list[int]
    rows: list[int]
    dues_s: list[float]
    tolerances_s: list[float]


class ArrivalReader:
    """Reads a stripe chunk by chunk, so that memory does not grow with the plan.

    Args:
        stripe: which arrivals.
        selection: which request and row each gets.
        load: the plan's phases.
        max_late_s: the plan's, seconds, > 0.
        position: first arrival of the stripe to read.
    """

    def __init__(
        self, stripe: Stripe, selection: Selection, load: tuple[Phase, ...], max_late_s: float, position: int = 0
    ) -> None:
        self._stripe, self._selection, self._load, self._max_late_s = stripe, selection, load, max_late_s
        self._position = position

    def read(self) -> Arrivals | None:
        """Return the next chunk, or None at the stripe's end."""
        start, stop = self._position, min(self._position + CHUNK_COUNT, self._stripe.count)
        if start >= stop:
            return None
        self._position = stop
        numbers, dues = self._stripe.numbers(start, stop), self._stripe.offsets(start, stop)
        phases = self._stripe.schedule.phase_of(numbers)
        return Arrivals(
            numbers.tolist(),
            phases.tolist(),
            self._selection.requests(numbers).tolist(),
            self._selection.rows(numbers).tolist(),
            dues.tolist(),
            tolerances(self._load, self._stripe.schedule.phase_starts_s, phases, dues, self._max_late_s).tolist(),
        )


def tolerances(
    load: tuple[Phase, ...],
    phase_starts_s: tuple[float, ...],
    phases: NDArray[np.int64],
    dues_s: NDArray[np.float64],
    max_late_s: float,
) -> NDArray[np.float64]:
    """Return how far past due each arrival may be sent, seconds: inside bursts at most half a width; same length.

    A burst of width 0 has no pace to keep within it, so `max_late_s` holds there.
    """
    found = np.full(len(dues_s), max_late_s)
    for index in range(int(phases[0]), int(phases[-1]) + 1):  # ascending, as arrivals are
        shape = load[index].shape
        if isinstance(shape, Bursts) and shape.width_s > 0:
            inside = (phases == index) & ((dues_s - phase_starts_s[index]) % shape.every_s < shape.width_s)
            found[inside] = min(max_late_s, max(SMALLEST_LATE_S, shape.width_s / 2))
    return found


def quantum_s(dues_s: Sequence[float]) -> float:
    """Return how far apart wake-ups are for a chunk of due times, seconds."""
    return FINE_QUANTUM_S if len(dues_s) - 1 <= FINE_TO_PER_S * (dues_s[-1] - dues_s[0]) else QUANTUM_S


class Pacer:
    """Fires arrivals by deadline until there are none or it may not go on.

    Args:
        read: the next chunk, or None at the end.
        clock: run time.
        may_send: asked before every batch (lease, stop); False ends the pacing for good.
        fire: called at or after each due time, within tolerance.
        late: called for each arrival past its tolerance.
        ended: called once, when nothing more will be fired.
    """

    def __init__(
        self,
        read: Callable[[], Arrivals | None],
        clock: Clock,
        may_send: Callable[[], bool],
        fire: Fire,
        late: Late,
        ended: Callable[[], None],
    ) -> None:
        self._read, self._clock, self._may_send = read, clock, may_send
        self._fire, self._late, self._ended = fire, late, ended
        self._timer: Timer | None = None
        self._chunk: Arrivals | None = None
        self._at = 0
        self._quantum_s = QUANTUM_S
        self.done = False

    def begin(self, timer: Timer) -> None:
        """Start; `timer` must call `wake`."""
        self._timer = timer
        self.wake()

    def wake(self) -> None:
        """Fire one batch of what is due, and arm the timer for the next."""
        if self.done or self._timer is None:
            return
        if not self._may_send():
            self._end()
            return
        next_due_s = self._batch()
        if next_due_s is None:
            self._end()
            return
        now_s = self._clock.now()
        wait_until_s = now_s if next_due_s <= now_s else max(next_due_s, now_s + self._quantum_s)
        self._timer.arm(self._clock.instant_of(wait_until_s))

    def _batch(self) -> float | None:
        """Fire at most a batch; return when the next arrival is due, or None at the end."""
        fired = skipped = 0
        now_s = self._clock.now()
        while True:
            chunk = self._chunk
            if chunk is None or self._at == len(chunk.dues_s):
                chunk = self._chunk = self._read()
                self._at = 0
                if chunk is None:
                    return None
                self._quantum_s = quantum_s(chunk.dues_s)
                now_s = self._clock.now()
            at = self._at
            due_s = chunk.dues_s[at]
            if due_s > now_s or fired == BATCH_COUNT or skipped == CHUNK_COUNT:
                return due_s
            self._at = at + 1
            if now_s - due_s > chunk.tolerances_s[at]:
                skipped += 1
                self._late(chunk.phases[at], due_s)
            else:
                fired += 1
                self._fire(chunk.numbers[at], chunk.phases[at], chunk.requests[at], chunk.rows[at], due_s)
                now_s = self._clock.now()

    def _end(self) -> None:
        self.done = True
        self._chunk = None
        if self._timer is not None:
            self._timer.disarm()
        self._ended()
