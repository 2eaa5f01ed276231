"""The exact solver decides as `Admission` does, call by call, whatever the account looks like."""

import numpy as np
import pytest
from burstline.core.quota.admission.admission import Call
from burstline.core.quota.admission.replay import ReplayResult, replay
from burstline.core.quota.forecast.events import run
from burstline.core.quota.forecast.gates import never_dry, pass_gates
from burstline.core.quota.quotas import Account, Bucket, Function, Scaling, UsagePlan
from hypothesis import given
from hypothesis import strategies as st

NAMES = "abcd"


@st.composite
def accounts(draw: st.DrawFn) -> Account:
    """Accounts in which everything may bind."""
    functions = {
        name: Function(
            name,
            reserved=draw(st.none() | st.integers(0, 5)),
            provisioned=draw(st.integers(0, 3)),
            init_s=draw(st.sampled_from([0.0, 0.5])),
        )
        for name in NAMES
    }
    buckets = st.builds(Bucket, st.floats(0, 60), st.integers(0, 40).map(float))
    plan = UsagePlan("gold", draw(st.none() | buckets), draw(st.none() | st.integers(1, 60)), "day")
    if plan.quota_limit is None:
        plan = UsagePlan("gold", plan.bucket)
    return Account(
        gateway=draw(buckets),
        stages={"prod": draw(buckets)},
        usage_plans={"gold": plan},
        concurrency=draw(st.integers(0, 30)),
        scaling=draw(st.sampled_from(Scaling)),
        legacy_burst=draw(st.integers(1, 20)),
        functions=functions,
    )


def solved(
    account: Account, calls: tuple[Call, ...], met: tuple[np.ndarray, np.ndarray, np.ndarray], seed: int
) -> tuple[list[int], list[bool], dict[str, int], int]:
    """Do what the exact solver does with arrivals; return layers, cold starts, peaks and peak claimed."""
    times_s, which, service_s = met
    names = tuple(dict.fromkeys(call.function for call in calls))
    functions = tuple(account.functions[name] for name in names)
    invoked = np.array([names.index(call.function) for call in calls])[which]
    codes = pass_gates(account, calls, times_s, which)
    inside = np.flatnonzero(codes == 0)
    ran = run(account, functions, times_s[inside], invoked[inside], service_s[inside], seed)
    codes[inside] = ran.codes
    cold = np.zeros(len(codes), np.bool_)
    cold[inside] = ran.cold
    return codes.tolist(), cold.tolist(), dict(zip(names, ran.peak, strict=True)), ran.peak_claimed


def expected(result: ReplayResult, names: set[str]) -> tuple[list[int], list[bool], dict[str, int], int]:
    """Return the same of the object-based replay."""
    peaks = {name: result.peak_concurrency.get(name, 0) for name in names}
    return result.layers.tolist(), result.cold.tolist(), peaks, result.peak_claimed


@given(accounts(), st.integers(1, 200), st.sampled_from([2.0, 20.0, 3000.0]), st.integers(0, 2**32 - 1), st.booleans())
def test_every_decision_is_admissions(account: Account, count: int, span_s: float, seed: int, single: bool) -> None:
    random = np.random.default_rng(seed)
    times_s = np.sort(random.uniform(0, span_s, count))
    if seed % 2:
        times_s = np.round(times_s, 1)  # many at one instant
    service_s = random.lognormal(np.log(0.3), 1.0, count)
    calls = tuple(
        Call(
            name,
            str(random.choice(["prod", "other", ""])),
            str(random.choice(["gold", ""])),
            bool(random.random() < 0.8),
        )
        for name in NAMES
    )
    calls = calls[:1] if single else calls
    which = random.integers(0, len(calls), count)
    result = replay(account, times_s, service_s, calls=calls, call_index=which, seed=seed % 100)
    found = solved(account, calls, (times_s, which, service_s), seed % 100)
    assert found == expected(result, {call.function for call in calls})


@pytest.mark.parametrize(
    ("times", "rate", "burst", "never"),
    [
        ([0.0, 0.0, 0.0], 0.0, 4.0, True),
        ([0.0, 0.0, 0.0, 0.0], 0.0, 3.5, False),
        ([0.0, 0.1, 0.2, 0.3], 10.0, 1.0, False),  # just enough each time: too close to be sure of
        ([0.0, 0.11, 0.22], 10.0, 1.02, True),
        ([], 0.0, 0.0, True),
    ],
)
def test_a_bucket_is_called_never_dry_only_where_that_is_certain(
    times: list[float], rate: float, burst: float, never: bool
) -> None:
    assert never_dry(np.array(times), rate, burst) is never


def test_a_function_switched_off_is_refused_by_its_concurrency() -> None:
    account = Account(functions={"a": Function("a", reserved=0)})
    result = replay(account, np.zeros(2), np.ones(2), calls=(Call("a"),))
    calls = (Call("a"),)
    found = solved(account, calls, (np.zeros(2), np.zeros(2, np.int64), np.ones(2)), 0)
    assert found == expected(result, {"a"})
