"""The server's clock: wall time that never steps, so that a run's T0 survives a restart."""

import time
from typing import Protocol

NANOS_PER_S = 1_000_000_000


class Clock(Protocol):
    """Where the control plane gets its time from."""

    def now_nanos(self) -> int:
        """Return nanoseconds since the Unix epoch; never goes back while the process lives."""
        ...


class SystemClock:
    """Wall time at its creation plus the monotonic clock since."""

    def __init__(self) -> None:
        self._base_nanos = time.time_ns() - time.monotonic_ns()

    def now_nanos(self) -> int:
        """Return nanoseconds since the Unix epoch; never goes back while the process lives."""
        return self._base_nanos + time.monotonic_ns()


def nanos(seconds: float) -> int:
    """Return seconds as nanoseconds, rounded."""
    return round(seconds * NANOS_PER_S)


def seconds(nanoseconds: int) -> float:
    """Return nanoseconds as seconds."""
    return nanoseconds / NANOS_PER_S
