"""Which ambiguous answers were throttled: the client's bins joined with CloudWatch's `Throttles`.

A REST 500, an HTTP API 503 and a load balancer's 502 may each be a throttled Lambda or an error. Lambda counts every
call it throttles, so in each of CloudWatch's minutes at most `Throttles` of them were throttles, and what is above it
was not. (API Gateway and load balancers never retry a call: Lambda Developer Guide, "Using AWS Lambda with Amazon API
Gateway", read 2026-11-23, so one throttle is one answer.)
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from burstline.core.load.window import BIN_S
from burstline.core.quota.aws.cloudwatch import PERIOD_S, Watch, sums_over

Ints = NDArray[np.int64]

EDGE_S = 2.0
"""How far from the end of a minute an answer may be counted with the next or the last one, seconds: Lambda stamps a
call when it arrives there, we when we sent it, and our clock may be off."""


@dataclass(frozen=True, slots=True)
class Attribution:
    """What became of one ambiguous signature's answers.

    Attributes:
        throttled: throttled answers by bin of their send time; never above what was seen.
        throttled_count: their sum.
        failed_count: the others.
        confirmed: CloudWatch's numbers were complete; else `failed_count` may still shrink.
        text: why, a sentence for a reader.
    """

    throttled: Ints
    throttled_count: int
    failed_count: int
    confirmed: bool
    text: str


def attribute(seen: Mapping[str, Ints], watch: Watch, functions: Sequence[str]) -> dict[str, Attribution]:
    """Split ambiguous answers into throttled and failed by `Throttles`.

    Args:
        seen: signature -> its answers by bin of their send time, likeliest throttle first: what CloudWatch counted is
            given to the first one until it is used up. All arrays have the same length.
        watch: what CloudWatch said.
        functions: those the requests invoke.

    Returns:
        By signature; empty if `Throttles` was not read for any of the functions: then nothing can be said.
    """
    throttles = sums_over(watch, "Throttles", functions)
    if throttles is None:
        return {}
    left = {start_s: round(value) for start_s, value in throttles.items()}
    total = sum(left.values())
    found = {}
    for signature, bins in seen.items():
        throttled = _take(bins, watch, left)
        count, all_count = int(throttled.sum()), int(bins.sum())
        found[signature] = Attribution(
            throttled, count, all_count - count, watch.complete, _text(signature, count, all_count, total, watch)
        )
    return found


def _take(bins: Ints, watch: Watch, left: dict[float, int]) -> Ints:
    """Give throttles to bins, first inside their own minute, then across its edges; lowers `left`."""
    taken = np.zeros_like(bins)
    starts = sorted(left)
    for start_s in starts:
        _spread(bins, taken, _slice(start_s, start_s + PERIOD_S, len(bins)), start_s, left)
    for start_s in starts:
        end_s = start_s + PERIOD_S
        _spread(bins, taken, _slice(start_s - EDGE_S, start_s, len(bins)), start_s, left)
        _spread(bins, taken, _slice(end_s, end_s + EDGE_S, len(bins)), start_s, left)
    return taken


def _slice(from_s: float, to_s: float, count: int) -> slice:
    low, high = round(from_s / BIN_S), round(to_s / BIN_S)
    return slice(min(count, max(0, low)), min(count, max(0, high)))


def _spread(bins: Ints, taken: Ints, where: slice, start_s: float, left: dict[float, int]) -> None:
    """Give a period's throttles to a stretch of bins in proportion to what is open there, rounded as a whole."""
    open_bins = bins[where] - taken[where]
    total = int(open_bins.sum())
    given = min(total, left[start_s])
    if given <= 0:
        return
    rounded: Ints = np.round(np.cumsum(open_bins) * (given / total)).astype(np.int64)
    taken[where] += rounded - np.concatenate(([0], rounded[:-1]))
    left[start_s] -= given


def _text(signature: str, count: int, all_count: int, total: int, watch: Watch) -> str:
    lag = "" if watch.complete else " CloudWatch's numbers may not be complete yet."
    if not count:
        return f"Lambda counted {total:,} throttles: none of the {all_count:,} answers {signature} was one.{lag}"
    return f"Lambda counted {total:,} throttles: {count:,} of {all_count:,} answers {signature} were throttled.{lag}"
