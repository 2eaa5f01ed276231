"""Millions of arrivals are worked on block by block, in the memory of one block: to the last bit as all at once."""

from collections.abc import Iterator

import numpy as np
import pytest
from burstline.core.quota.admission import buckets
from burstline.core.quota.admission.buckets import TokenBucket, bucket_accepts
from burstline.core.quota.advice import demand, frontier, peaks
from burstline.core.quota.advice.demand import TABLE_SIZE, ServiceTimes, spread_bins
from burstline.core.quota.advice.frontier import burst_needed, highest_rate, rate_needed
from burstline.core.quota.advice.peaks import busiest, starts_of
from burstline.core.quota.answers.series import Floats

RANDOM = np.random.default_rng(4)
TIMES_S: Floats = np.sort(np.round(RANDOM.random(20_000) * 20, 3))  # several at the same instant, and in the same step
TABLE_S: Floats = np.sort(RANDOM.lognormal(-3, 0.6, TABLE_SIZE))
COUNTS = RANDOM.integers(0, 40, 500) * (RANDOM.random(500) > 0.3)


def results() -> Iterator[tuple[str, list[float]]]:
    """Yield everything that is worked out in blocks, by name."""
    yield "burst", [burst_needed(TIMES_S, rate) for rate in (0.0, 500.0, 1000.0, 1e9)]
    yield "rate", [rate_needed(TIMES_S, burst) for burst in (2.0, 30.0, 1e6)]
    yield "highest", [highest_rate(TIMES_S, window_s) for window_s in (0.001, 1.0, 60.0)]
    yield "accepted", bucket_accepts(TIMES_S, 700.0, 50.0).tolist()
    yield "spread", spread_bins(COUNTS, 7).tolist()
    for init_s in (0.0, 0.3):
        services, random = ServiceTimes(TABLE_S, init_s, ""), np.random.default_rng(1)
        starts_s, level = starts_of(TIMES_S, services, random)
        yield f"starts with init {init_s}", [*starts_s.tolist(), level, random.random()]
        yield f"busiest with init {init_s}", busiest(TIMES_S, services, 3000).tolist()


@pytest.mark.parametrize("block", [256, 4096])
def test_blocks_change_nothing(block: int, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = dict(results())
    for module in (demand, frontier, peaks):
        monkeypatch.setattr(module, "BLOCK_COUNT", block)
    monkeypatch.setattr(buckets, "LOOPED_COUNT", block)
    assert dict(results()) == whole


def test_tokens_are_taken_in_one_go_as_one_by_one_and_the_bucket_goes_on_from_there() -> None:
    first, second = TokenBucket(700.0, 50.0), TokenBucket(700.0, 50.0)
    for times_s in np.array_split(TIMES_S, 7):
        assert first.take_all(times_s).tolist() == [second.take(at_s) for at_s in times_s.tolist()]
