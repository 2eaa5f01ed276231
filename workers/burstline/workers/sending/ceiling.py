"""The hard ceiling on our own rate: asyncio-throttle's sliding window, asked without waiting.

`Throttler.acquire` waits, and a pacer that waits is no pacer; 1.0.2 has no `try_acquire`. This adds one on the
library's own window (`rate_limit` entries of `_task_logs` within `period`), with the clock as an argument: the window
is counted in due times, so that a plan at exactly its ceiling is not cut by a few microseconds of jitter.
"""

import math

from asyncio_throttle.throttler import Throttler

_ROUNDING_S = 1e-6
"""Due times that are a period apart may differ from it by rounding."""


class Ceiling(Throttler):
    """One worker's share of `ceilings.rate`.

    The shares of all workers sum to exactly the ceiling. A share need not be whole: with L = ceil(rate / segments), at
    most L requests pass in any L * segments / rate seconds.

    Args:
        rate_per_s: the ceiling over all workers, requests/s, > 0.
        segment_count: among how many workers it is shared, >= 1.
    """

    rate_limit: int
    period: float

    def __init__(self, rate_per_s: float, segment_count: int) -> None:
        share = rate_per_s / segment_count
        limit = max(1, math.ceil(share - 1e-9))
        super().__init__(limit, limit / share - _ROUNDING_S)

    def try_acquire(self, at_s: float) -> bool:
        """Return whether a request due at `at_s` seconds may pass, and count it if so; `at_s` never goes back."""
        logs = self._task_logs
        while logs and at_s - logs[0] > self.period:
            logs.popleft()
        if len(logs) >= self.rate_limit:
            return False
        logs.append(at_s)
        return True


def slots_share(in_flight: int, segment: int, segment_count: int) -> int:
    """Return one worker's share of `ceilings.in_flight`; the shares sum to exactly the ceiling, and may be 0."""
    return in_flight // segment_count + (1 if segment < in_flight % segment_count else 0)
