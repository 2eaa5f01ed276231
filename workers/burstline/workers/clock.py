"""The server's clock as seen from a worker, and run time derived from it.

A heartbeat leaves at worker time a, reaches the server at server time b, its answer leaves at c and is read at worker
time d. Then the server's clock was (b + c) / 2 when the worker's was (a + d) / 2, give or take (d - a - (c - b)) / 2:
the round trip, halved. A line through the readings gives offset and rate. A reading counts the less the longer it took
than the quickest one: half of that may be its error.
"""

import math
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

LONGEST_READINGS = 120
"""Two minutes of heartbeats while windows are sent: long enough for a rate, short enough to follow one that drifts."""

JITTER_S = 0.0002
"""How far off a reading is that took no longer than the quickest, seconds."""

USUAL_RATE = 200e-6
"""The rate error that is expected of a clock, as long as no readings far enough apart say otherwise."""

LARGEST_RATE = 500e-6
"""How fast run time may be corrected once a run has started; also the largest rate error believed of a clock."""


@dataclass(frozen=True, slots=True)
class Reading:
    """One heartbeat's exchange.

    Attributes:
        worker_s: the middle of the exchange on the worker's monotonic clock, seconds.
        offset_s: the server's clock less the worker's there, seconds.
        round_trip_s: time on the way, both directions, without the server's own, seconds, >= 0.
    """

    worker_s: float
    offset_s: float
    round_trip_s: float


def reading(sent_ns: int, server_received_ns: int, server_sent_ns: int, received_ns: int, base_ns: int) -> Reading:
    """Return the reading of one exchange.

    Args:
        sent_ns: worker's clock when the heartbeat left.
        server_received_ns: server's clock when it came in.
        server_sent_ns: server's clock when the answer left.
        received_ns: worker's clock when the answer was read.
        base_ns: what offsets are counted from, so that nanoseconds survive in a float.
    """
    middle_worker = (sent_ns + received_ns) // 2
    middle_server = (server_received_ns + server_sent_ns) // 2
    round_trip = max(0, (received_ns - sent_ns) - (server_sent_ns - server_received_ns))
    return Reading(middle_worker * 1e-9, (middle_server - middle_worker - base_ns) * 1e-9, round_trip * 1e-9)


class ClockEstimate:
    """Offset and rate of the server's clock against this worker's monotonic clock, from heartbeats."""

    def __init__(self) -> None:
        self._readings: deque[Reading] = deque(maxlen=LONGEST_READINGS)
        self._base_ns: int | None = None
        self._offset_s = self._slope = self._middle_s = 0.0
        self.error_s = float("inf")
        self.round_trip_s = float("inf")

    @property
    def known(self) -> bool:
        """Whether there was a reading at all."""
        return bool(self._readings)

    def reset(self) -> None:
        """Forget what was read: another server has another clock. The error stays until the first new reading."""
        self._readings.clear()
        self._base_ns = None

    def add(self, sent_ns: int, server_received_ns: int, server_sent_ns: int, received_ns: int) -> None:
        """Take in one answered heartbeat; all in nanoseconds, first and last on the worker's clock."""
        if self._base_ns is None:
            self._base_ns = server_received_ns - sent_ns
        self._readings.append(reading(sent_ns, server_received_ns, server_sent_ns, received_ns, self._base_ns))
        self._fit()

    def _fit(self) -> None:
        """Least squares with a weight each, and a slope that is 0 as long as nothing says otherwise."""
        self.round_trip_s = min(one.round_trip_s for one in self._readings)
        weights = [(JITTER_S + (one.round_trip_s - self.round_trip_s) / 2) ** -2 for one in self._readings]
        weighed, total = list(zip(weights, self._readings, strict=True)), sum(weights)
        middle_s = sum(weight * one.worker_s for weight, one in weighed) / total
        offset_s = sum(weight * one.offset_s for weight, one in weighed) / total
        spread = sum(weight * (one.worker_s - middle_s) ** 2 for weight, one in weighed)
        rise = sum(weight * (one.worker_s - middle_s) * (one.offset_s - offset_s) for weight, one in weighed)
        slope = rise / (spread + USUAL_RATE**-2)
        self._offset_s, self._middle_s = offset_s, middle_s
        self._slope = min(LARGEST_RATE, max(-LARGEST_RATE, slope))
        left = sum(
            weight * (one.offset_s - offset_s - self._slope * (one.worker_s - middle_s)) ** 2 for weight, one in weighed
        )
        self.error_s = self.round_trip_s / 2 + math.sqrt(left / total)

    def since_s(self, server_ns: int, worker_s: float) -> float:
        """Return the seconds from the server's instant `server_ns` to the worker's instant `worker_s`.

        Raises:
            ValueError: there was no reading yet.
        """
        if self._base_ns is None:
            raise ValueError("the server's clock is not known before the first answered heartbeat")
        offset_s = self._offset_s + self._slope * (worker_s - self._middle_s)
        return (self._base_ns - server_ns) * 1e-9 + worker_s + offset_s


class RunClock:
    """Run time: seconds since T0, from a monotonic clock that is corrected gently and never steps.

    Args:
        monotonic: seconds, never going back.
    """

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._worker_s = self._run_s = 0.0
        self._rate = 1.0
        self._set = False

    def now(self) -> float:
        """Return run time, seconds; negative before T0."""
        return self._run_s + (self._monotonic() - self._worker_s) * self._rate

    def instant_of(self, run_s: float) -> float:
        """Return the monotonic clock's reading at run time `run_s`, as far as known now."""
        return self._worker_s + (run_s - self._run_s) / self._rate

    def start(self, run_s: float, worker_s: float) -> None:
        """Say that run time is `run_s` at the monotonic clock's `worker_s`; once, before anything is sent."""
        self._worker_s, self._run_s, self._rate, self._set = worker_s, run_s, 1.0, True

    def steer(self, run_s: float, worker_s: float, within_s: float = 1.0) -> None:
        """Approach a better estimate: run time should be `run_s` at `worker_s`.

        The rate is chosen so as to meet it in `within_s` seconds, and is never further than 500 ppm from the clock's.
        """
        if not self._set:
            self.start(run_s, worker_s)
            return
        current_s = self._run_s + (worker_s - self._worker_s) * self._rate
        change = (run_s - current_s) / within_s
        self._worker_s, self._run_s = worker_s, current_s
        self._rate = 1.0 + min(LARGEST_RATE, max(-LARGEST_RATE, change))
