"""Whatever arrives and however long it takes, the admission model keeps its caps and its counts."""

from dataclasses import replace

import numpy as np
from burstline.core.quota.admission.admission import Call
from burstline.core.quota.admission.replay import LAYER_CODES, ReplayResult, replay
from burstline.core.quota.quotas import Account, Bucket, Function, Layer, Scaling
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

WIDE = Bucket(1e6, 1e6)
CALLS = (Call("a", gateway=False), Call("b", gateway=False), Call("c", gateway=False))

Load = tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.int64]]


@st.composite
def loads(draw: st.DrawFn) -> Load:
    """Arrivals (some at one instant), service times, and which function each calls."""
    count = draw(st.integers(1, 80))
    gaps = draw(st.lists(st.sampled_from([0.0, 0.001, 0.05, 0.3]), min_size=count, max_size=count))
    service = draw(st.lists(st.sampled_from([0.0, 0.01, 0.2, 2.0]), min_size=count, max_size=count))
    which = draw(st.lists(st.integers(0, 2), min_size=count, max_size=count))
    return np.cumsum(np.array(gaps)), np.array(service), np.array(which)


def most_at_once(load: Load, result: ReplayResult, functions: set[int]) -> int:
    """Count calls in flight at each admission, from the outside: arrived, and not ended by then."""
    arrivals, service, which = load
    inside = result.admitted & np.isin(which, list(functions))
    starts, ends = arrivals[inside], (arrivals + service)[inside]
    # Of calls at one instant only the earlier ones are inside yet: count up to and with one's own index.
    return max((int(np.sum(ends[: i + 1] > starts[i])) for i in range(len(starts))), default=0)


@given(loads(), st.integers(0, 12), st.integers(0, 5))
def test_concurrency_never_passes_its_cap(load: Load, concurrency: int, reserved: int) -> None:
    functions = {"a": Function("a"), "b": Function("b"), "c": Function("c", reserved=reserved)}
    account = Account(concurrency=concurrency + reserved, functions=functions, gateway=WIDE)
    arrivals, service, which = load
    result = replay(account, arrivals, service, calls=CALLS, call_index=which)
    assert most_at_once(load, result, {0, 1}) <= concurrency
    assert most_at_once(load, result, {2}) <= reserved
    assert result.peak_claimed <= concurrency + reserved


@given(loads(), st.integers(1, 12))
def test_a_concurrency_refusal_happens_only_when_all_slots_are_taken(load: Load, concurrency: int) -> None:
    account = Account(concurrency=concurrency, gateway=WIDE)
    arrivals, service, which = load
    result = replay(account, arrivals, service, calls=CALLS, call_index=which)
    for index in np.flatnonzero(result.layers == LAYER_CODES[Layer.ACCOUNT_CONCURRENCY]):
        earlier = result.admitted[:index]
        assert np.sum((arrivals[:index] + service[:index])[earlier] > arrivals[index]) == concurrency


@given(loads(), st.integers(1, 20))
def test_environments_started_obey_the_scaling_law(load: Load, burst: int) -> None:
    account = Account(concurrency=10_000, scaling=Scaling.LEGACY, legacy_burst=burst, gateway=WIDE)
    arrivals, service, which = load
    result = replay(account, arrivals, service, calls=CALLS, call_index=which)
    cold = arrivals[result.cold]
    for i in range(len(cold)):
        for j in range(i, len(cold)):
            assert j - i + 1 <= burst + 500 / 60 * (cold[j] - cold[i]) + 1e-6


@given(loads())
def test_every_arrival_is_admitted_or_counted_at_one_layer(load: Load) -> None:
    functions = {name: Function(name) for name in "abc"}
    account = Account(concurrency=3, functions=functions, gateway=Bucket(20, 5))
    arrivals, service, which = load
    gateway = tuple(replace(call, gateway=True) for call in CALLS)
    result = replay(account, arrivals, service, calls=gateway, call_index=which)
    assert int(np.sum(result.admitted)) + sum(result.throttled_count.values()) == len(arrivals)
    assert (result.first_throttle_s is None) == (not result.throttled_count)
