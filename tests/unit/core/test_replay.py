"""The replay says what became of each arrival, and fast enough to check an advice many times."""

from time import process_time

import numpy as np
import pytest
from burstline.core.quota.admission.admission import Call
from burstline.core.quota.admission.buckets import bucket_accepts
from burstline.core.quota.admission.replay import LAYER_CODES, LAYERS, ReplayResult, replay
from burstline.core.quota.admission.service_times import lognormal, sample
from burstline.core.quota.quotas import Account, Bucket, Function, Layer, ServiceTime


def test_codes_and_layers_are_each_others_inverse() -> None:
    assert [LAYERS[code - 1] for code in LAYER_CODES.values()] == list(Layer)
    assert 0 not in LAYER_CODES.values()


def test_an_empty_replay_has_nothing_to_tell() -> None:
    result = replay(Account(), np.zeros(0), np.zeros(0))
    assert (len(result.layers), result.cold_starts, result.throttled_count, result.first_throttle_s) == (0, 0, {}, None)


def test_slots_are_free_again_at_the_instant_a_call_ends() -> None:
    """Cap 2, calls of 1 s at 0, 0.5, 0.9, 1.0, 1.2, 1.5: the third and fifth find both slots taken."""
    account = Account(concurrency=2, functions={"f": Function("f")})
    arrivals = np.array([0.0, 0.5, 0.9, 1.0, 1.2, 1.5])
    result = replay(account, arrivals, np.ones(6), calls=(Call("f"),))
    assert result.admitted.tolist() == [True, True, False, True, False, True]
    assert result.throttled_count == {Layer.ACCOUNT_CONCURRENCY: 2}
    assert result.cold.tolist() == [True, True, False, False, False, False]
    assert (result.peak_concurrency, result.peak_claimed, result.first_throttle_s) == ({"f": 2}, 2, 0.9)


def test_a_cold_start_holds_its_environment_longer() -> None:
    account = Account(concurrency=1, functions={"f": Function("f", init_s=0.5)})
    result = replay(account, np.array([0.0, 1.2, 1.5, 2.5]), np.ones(4), calls=(Call("f"),))
    assert result.admitted.tolist() == [True, False, True, True]


def test_a_call_holds_its_environment_no_longer_than_the_timeout() -> None:
    account = Account(concurrency=1, functions={"f": Function("f", timeout_s=2.0)})
    result = replay(account, np.array([0.0, 1.9, 2.0]), np.full(3, 100.0), calls=(Call("f"),))
    assert result.admitted.tolist() == [True, False, True]


def test_each_arrival_may_be_a_call_of_its_own_kind() -> None:
    account = Account(
        stages={"prod": Bucket(0, 1)}, functions={"a": Function("a"), "b": Function("b", reserved=0)}, concurrency=9
    )
    calls = (Call("a", "prod"), Call("b"), Call("a", "prod", gateway=False))
    result = replay(account, np.zeros(5), np.ones(5), calls=calls, call_index=np.array([0, 0, 1, 2, 2]))
    assert [LAYERS[c - 1] if c else None for c in result.layers.tolist()] == [
        None, Layer.STAGE, Layer.RESERVED_CONCURRENCY, None, None,
    ]  # fmt: skip


def test_with_only_a_bucket_the_replay_is_the_bucket() -> None:
    arrivals = np.sort(np.random.default_rng(5).uniform(0, 10, 5000))
    account = Account(gateway=Bucket(300, 40), concurrency=10_000)
    result = replay(account, arrivals, np.full(5000, 0.001))
    assert result.admitted.tolist() == bucket_accepts(arrivals, 300, 40).tolist()


@pytest.mark.parametrize(
    ("arrivals", "service", "index", "message"),
    [
        ([0.0, 1.0], [1.0], None, "same length"),
        ([0.0, 1.0], [1.0, 1.0], [0], "same length"),
        ([1.0, 0.0], [1.0, 1.0], None, "ascending"),
    ],
)
def test_arrays_that_do_not_fit_are_refused(
    arrivals: list[float], service: list[float], index: list[int] | None, message: str
) -> None:
    which = None if index is None else np.array(index)
    with pytest.raises(ValueError, match=message):
        replay(Account(), np.array(arrivals), np.array(service), call_index=which)


def test_a_hundred_thousand_arrivals_take_less_than_a_second_of_cpu() -> None:
    """The best of three tries, for the sake of noisy machines; 0.3 s is usual."""
    random = np.random.default_rng(1)
    arrivals = np.sort(random.uniform(0, 100, 100_000))
    service = random.lognormal(np.log(0.08), 0.3, 100_000)
    account = Account(concurrency=1000, functions={"f": Function("f")}, stages={"prod": Bucket(2000, 1000)})

    def timed() -> tuple[float, ReplayResult]:
        start = process_time()
        result = replay(account, arrivals, service, calls=(Call("f", "prod"),))
        return process_time() - start, result

    took, result = min((timed() for _ in range(3)), key=lambda pair: pair[0])
    assert took < 1
    # Little's law: 1,000/s x 0.0837 s (mean of that lognormal) in flight on average; the peak is above it.
    assert 84 < result.peak_concurrency["f"] < 200


def test_service_times_have_the_median_and_the_99th_percentile_asked_for() -> None:
    times = sample(ServiceTime(0.04, 0.18), 200_000, np.random.default_rng(3))
    assert np.quantile(times, [0.5, 0.99]) == pytest.approx([0.04, 0.18], rel=0.02)


def test_equal_quantiles_mean_a_constant_service_time() -> None:
    assert set(sample(ServiceTime(0.1, 0.1), 10, np.random.default_rng(0)).tolist()) == {0.1}


@pytest.mark.parametrize(("p50_s", "p99_s"), [(0, 1), (-1, 1), (1, 0.5), (float("nan"), 1)])
def test_impossible_service_times_are_refused(p50_s: float, p99_s: float) -> None:
    with pytest.raises(ValueError, match="p50_s"):
        lognormal(ServiceTime(p50_s, p99_s))
