"""When each arrival is due: a pure value that never sleeps and never reads a clock.

Arrivals are numbered 0, 1, 2 ... over the whole plan; arrival n is due at an exact offset from T0, whatever the
target does. n workers take the stripes i, i + n, i + 2n ...: together they send exactly what one would, without a
message between them.
"""

import math
from bisect import bisect_left, bisect_right
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from burstline.core.load.curves import Curve, Floats, curve_of
from burstline.core.load.plan import Arrivals, Phase, Users

BLOCK_S = 1.0
"""Poisson counts are drawn per block of this length, so that a slice costs its own length."""

BLOCK_COUNT = 1 << 20
"""So many arrivals are worked out at a time: their formulas need ten times the memory of the result."""

_KEPT_BLOCKS = 4


class _Arrivals(Protocol):
    """Arrivals of one phase, local numbers and local times."""

    count: int

    def times(self, numbers: NDArray[np.int64]) -> Floats: ...

    def index_at(self, local_s: float) -> int: ...


class _Even:
    """Arrival k at the instant when the curve passes k."""

    def __init__(self, curve: Curve, duration_s: float) -> None:
        self._curve = curve
        total = float(curve.total(np.array([np.nextafter(duration_s, 0.0)]))[0])
        # a product such as 0.1 * 30 may come out a hair above the whole number it means
        self.count = max(0, math.ceil(total - 1e-9 * max(1.0, total)))

    def times(self, numbers: NDArray[np.int64]) -> Floats:
        return self._curve.time_of(numbers.astype(np.float64))

    def index_at(self, local_s: float) -> int:
        guess = math.ceil(float(self._curve.total(np.array([local_s]))[0]))
        low, high = max(0, min(guess - 2, self.count)), max(0, min(guess + 2, self.count))
        near = self.times(np.arange(low, high))
        found = low + int(np.searchsorted(near, local_s, side="left"))
        if low < found < high or (found == low == 0) or (found == high == self.count):
            return found
        return bisect_left(range(self.count), local_s, key=lambda k: float(self.times(np.array([k]))[0]))


class _Poisson:
    """Counts per block from one generator, sorted uniforms within a block from another, keyed by its number.

    `RandomState` over a counter-based generator: the one stream that NumPy promises never to change, so that
    workers with different NumPy versions agree.
    """

    def __init__(self, curve: Curve, duration_s: float, seed: int, phase: int) -> None:
        self._curve, self._key = curve, (seed, phase)
        edges = np.append(np.arange(0.0, duration_s, BLOCK_S), duration_s)
        self._totals = curve.total(edges)
        counts = self._stream(0).poisson(np.maximum(np.diff(self._totals), 0.0))
        self._first = np.concatenate(([0], np.cumsum(counts)))
        self.count = int(self._first[-1])
        self._blocks: OrderedDict[int, Floats] = OrderedDict()

    def _stream(self, counter: int) -> "np.random.RandomState":  # quoted: naming it imports it, 10 ms
        return np.random.RandomState(np.random.Philox(counter=[0, 0, 0, counter], key=np.array(self._key, np.uint64)))

    def _block(self, block: int) -> Floats:
        if block not in self._blocks:
            size = int(self._first[block + 1] - self._first[block])
            shares = np.sort(self._stream(block + 1).random_sample(size))
            low, high = self._totals[block], self._totals[block + 1]
            self._blocks[block] = self._curve.time_of(low + shares * (high - low))
            while len(self._blocks) > _KEPT_BLOCKS:
                self._blocks.popitem(last=False)
        return self._blocks[block]

    def times(self, numbers: NDArray[np.int64]) -> Floats:
        if not len(numbers):
            return np.empty(0)
        low, high = (int(np.searchsorted(self._first, n, side="right")) - 1 for n in (numbers[0], numbers[-1]))
        pieces = [self._block(block) for block in range(low, high + 1)]
        times: Floats = np.concatenate(pieces)[numbers - self._first[low]]
        return times

    def index_at(self, local_s: float) -> int:
        block = min(max(0, int(local_s / BLOCK_S)), len(self._first) - 2)
        return int(self._first[block] + np.searchsorted(self._block(block), local_s, side="left"))


@dataclass(frozen=True, slots=True)
class UsersPhase:
    """A closed-model phase: its index in the plan, its span in seconds of run time, users and think time."""

    index: int
    start_s: float
    end_s: float
    users: int
    think_s: float


class Schedule:
    """All arrivals of a plan's load.

    Args:
        load: the plan's phases.
        seed: fixes Poisson arrivals, 0 <= seed < 2**63.

    Attributes:
        count: arrivals of all open-model phases.
        duration_s: length of all phases, seconds.
        phase_starts_s: when each phase starts, and last the end: one longer than `load`.
        phase_first: number of each phase's first arrival, and last `count`: one longer than `load`.
        users_phases: the closed-model phases, which have no arrivals of their own.
    """

    def __init__(self, load: Sequence[Phase], seed: int) -> None:
        self._curves = [curve_of(phase.shape, phase.duration_s) for phase in load]
        self._phases: list[_Arrivals | None] = []
        for index, (phase, curve) in enumerate(zip(load, self._curves, strict=True)):
            if curve is None:
                self._phases.append(None)
            elif phase.arrivals is Arrivals.POISSON:
                self._phases.append(_Poisson(curve, phase.duration_s, seed, index))
            else:
                self._phases.append(_Even(curve, phase.duration_s))
        self.phase_starts_s = tuple(accumulate((phase.duration_s for phase in load), initial=0.0))
        counts = (arrivals.count if arrivals else 0 for arrivals in self._phases)
        self.phase_first = tuple(accumulate(counts, initial=0))
        self.count = self.phase_first[-1]
        self.duration_s = self.phase_starts_s[-1]
        self.users_phases = tuple(
            UsersPhase(i, start, start + phase.duration_s, phase.shape.users, phase.shape.think_s)
            for i, (phase, start) in enumerate(zip(load, self.phase_starts_s[:-1], strict=True))
            if isinstance(phase.shape, Users)
        )

    def offsets(self, start: int, stop: int, step: int = 1) -> Floats:
        """Return when arrivals start, start + step ... (< stop) are due: ascending seconds of run time.

        Args:
            start: 0..count.
            stop: cut at `count`.
            step: >= 1.
        """
        numbers = range(max(0, start), min(stop, self.count), step)
        if len(numbers) <= BLOCK_COUNT:
            return self._offsets(numbers)
        found = np.empty(len(numbers))
        for low in range(0, len(numbers), BLOCK_COUNT):
            found[low : low + BLOCK_COUNT] = self._offsets(numbers[low : low + BLOCK_COUNT])
        return found

    def _offsets(self, chosen: range) -> Floats:
        numbers = np.arange(chosen.start, chosen.stop, chosen.step, dtype=np.int64)
        cuts = np.searchsorted(numbers, self.phase_first)
        pieces = [
            arrivals.times(numbers[low:high] - first) + begin
            for arrivals, low, high, first, begin in zip(
                self._phases, cuts[:-1], cuts[1:], self.phase_first[:-1], self.phase_starts_s[:-1], strict=True
            )
            if arrivals is not None and high > low
        ]
        return np.concatenate(pieces) if pieces else np.empty(0)

    def index_at(self, offset_s: float) -> int:
        """Return how many arrivals are due strictly before `offset_s` seconds of run time, 0..count."""
        phase = bisect_right(self.phase_starts_s, offset_s) - 1
        if phase < 0:
            return 0
        if phase >= len(self._phases):
            return self.count
        arrivals = self._phases[phase]
        inside = arrivals.index_at(offset_s - self.phase_starts_s[phase]) if arrivals and arrivals.count else 0
        # rounding: the phase's start is added to every local time, so compare what `offsets` would say
        index = self.phase_first[phase] + inside
        while index < self.count and self.offsets(index, index + 1)[0] < offset_s:
            index += 1
        while index > 0 and self.offsets(index - 1, index)[0] >= offset_s:
            index -= 1
        return index

    def phase_of(self, numbers: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the index of the phase in which each arrival is due; same length."""
        return np.searchsorted(np.array(self.phase_first[1:]), numbers, side="right").astype(np.int64)

    def phase_at(self, offset_s: float) -> int | None:
        """Return the index of the phase under way at `offset_s` seconds of run time; None before and after all."""
        phase = bisect_right(self.phase_starts_s, offset_s) - 1
        return phase if 0 <= phase < len(self._phases) else None

    def rate_at(self, offset_s: float) -> float:
        """Return the planned rate at `offset_s`, requests/s; 0 outside, in pauses and in closed-model phases."""
        phase = self.phase_at(offset_s)
        curve = self._curves[phase] if phase is not None else None
        if phase is None or curve is None:
            return 0.0
        return float(curve.rate(np.array([offset_s - self.phase_starts_s[phase]]))[0])


class Stripe:
    """One worker's share: arrivals segment, segment + n, segment + 2n ... of the one global schedule.

    Positions count within the stripe from 0.

    Args:
        segment: 0 <= segment < segment_count.
        segment_count: how many stripes there are, >= 1.

    Attributes:
        count: arrivals of this stripe.
    """

    def __init__(self, schedule: Schedule, segment: int, segment_count: int) -> None:
        self.schedule, self.segment, self.segment_count = schedule, segment, segment_count
        self.count = self._positions_below(schedule.count)

    def _positions_below(self, number: int) -> int:
        return max(0, -(-(number - self.segment) // self.segment_count))

    def numbers(self, start: int, stop: int) -> NDArray[np.int64]:
        """Return the global numbers of positions start..stop (exclusive, cut at `count`)."""
        positions = np.arange(max(0, start), min(stop, self.count), dtype=np.int64)
        return self.segment + positions * self.segment_count

    def offsets(self, start: int, stop: int) -> Floats:
        """Return when positions start..stop (exclusive, cut at `count`) are due, seconds of run time, ascending."""
        stop = min(stop, self.count)
        if start >= stop:
            return np.empty(0)
        first, last = (self.segment + position * self.segment_count for position in (start, stop - 1))
        return self.schedule.offsets(first, last + 1, self.segment_count)

    def position_at(self, offset_s: float) -> int:
        """Return how many arrivals of this stripe are due strictly before `offset_s` seconds of run time."""
        return self._positions_below(self.schedule.index_at(offset_s))

    def users(self, phase: UsersPhase) -> int:
        """Return how many of a closed-model phase's users belong to this stripe."""
        return max(0, -(-(phase.users - self.segment) // self.segment_count))
