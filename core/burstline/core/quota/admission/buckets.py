"""The token bucket, API Gateway's throttle: one at a time, and over a whole array of times.

Its law, which the tests hold it to: the requests accepted in any interval (s, t] are at most
`burst + rate_per_s * (t - s)`, and a request is refused only when accepting it would break that law
for some s. Source of the mechanism: API Gateway Developer Guide, "Throttle requests to your REST APIs",
read 2026-11-23; AWS calls its limits "targets" (best effort), this model is exact.
"""

import numpy as np
from numpy.typing import NDArray

TOKEN_SLACK = 1e-9
"""Tokens that rounding may be short of 1. Without it a request every 0.1 s at 10/s would at times be refused
because 0.1 is no binary fraction. The debt is kept, so the law is broken by at most this much in all."""

LOOPED_COUNT = 1 << 16
"""Times that `take_all` has as Python's floats at once."""


class TokenBucket:
    """`burst` tokens when full, refilled continuously at `rate_per_s`; a request takes one. Starts full.

    Args:
        rate_per_s: tokens per second, >= 0.
        burst: size in tokens, >= 0; below 1 every request is refused.

    Raises:
        ValueError: a negative argument.
    """

    __slots__ = ("_at_s", "_tokens", "burst", "rate_per_s")

    def __init__(self, rate_per_s: float, burst: float) -> None:
        if not (rate_per_s >= 0 and burst >= 0):
            raise ValueError(f"rate_per_s and burst are >= 0, not {rate_per_s} and {burst}")
        self.rate_per_s = rate_per_s
        self.burst = burst
        self._tokens = float(burst)
        self._at_s = -np.inf

    def take(self, now_s: float) -> bool:
        """Take one token if there is one; return whether there was.

        Args:
            now_s: seconds on the caller's clock. A time before the latest one seen counts as that latest one.
        """
        tokens = self._tokens
        if now_s > self._at_s:
            # Only a bucket that is not full needs the sum: the first call's elapsed time is infinite.
            if tokens < self.burst:
                tokens += (now_s - self._at_s) * self.rate_per_s
                if tokens > self.burst:
                    tokens = self.burst
            self._at_s = now_s
        if tokens >= 1.0 - TOKEN_SLACK:
            self._tokens = tokens - 1.0
            return True
        self._tokens = tokens
        return False

    def take_all(self, times_s: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Take a token at each of ascending times, some at a time; return for each whether there was one: as `take`."""
        accepted = bytearray(len(times_s))
        tokens, at_s, rate_per_s, burst = self._tokens, self._at_s, self.rate_per_s, self.burst
        enough = 1.0 - TOKEN_SLACK
        # A plain loop over Python floats: whether one request gets a token depends on all before it. Such a float takes
        # 32 bytes, hence the blocks.
        for low in range(0, len(times_s), LOOPED_COUNT):
            for index, now_s in enumerate(times_s[low : low + LOOPED_COUNT].tolist(), low):
                if now_s > at_s:
                    if tokens < burst:
                        tokens += (now_s - at_s) * rate_per_s
                        if tokens > burst:
                            tokens = burst
                    at_s = now_s
                if tokens >= enough:
                    tokens -= 1.0
                    accepted[index] = 1
        self._tokens, self._at_s = tokens, at_s
        return np.frombuffer(accepted, dtype=np.bool_)

    def tokens(self, now_s: float) -> float:
        """Return how many tokens there are at `now_s` (as in `take`), without taking any."""
        if now_s > self._at_s and self._tokens < self.burst:
            return min(self.burst, self._tokens + (now_s - self._at_s) * self.rate_per_s)
        return self._tokens


def bucket_accepts(times_s: NDArray[np.float64], rate_per_s: float, burst: float) -> NDArray[np.bool_]:
    """Return which of the requests at `times_s` a bucket that starts full accepts: `TokenBucket.take` for each.

    A million requests take about 0.1 s.

    Args:
        times_s: seconds, ascending.
        rate_per_s: as in `TokenBucket`.
        burst: as in `TokenBucket`.

    Returns:
        Same length as `times_s`; bit for bit what `TokenBucket` answers.

    Raises:
        ValueError: a negative rate or burst.
    """
    return TokenBucket(rate_per_s, burst).take_all(times_s)
