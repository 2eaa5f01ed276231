"""The fit on runs made by hand: bins of a known law, and what must not be claimed."""

import numpy as np
import pytest
from burstline.core.load.plan import Bursts, Front, Phase, Ramp
from burstline.core.load.totals import Totals
from burstline.core.quota.admission.admission import Call
from burstline.core.quota.fitting.fitting import FitResult, fit
from burstline.core.quota.quotas import Account, Bucket, Family, Function
from hidden_accounts import Hidden, Truth, press
from hidden_parts import constant, pause
from hidden_throttles import Admitting, Stick, Throttle


def _press(
    front: Front, throttle: Throttle, load: tuple[Phase, ...], service_s: float = 0.05, **more: object
) -> FitResult:
    hidden = Hidden(
        "by hand", front, [Truth(Family.BUCKET, {})], load, throttle, lambda at: np.full(len(at), service_s)
    )
    for name, value in more.items():
        setattr(hidden, name, value)
    return fit(press(hidden, 1).totals, front)


def _account(gateway: Bucket = Bucket(1e9, 1e9), concurrency: int = 100_000) -> Account:  # noqa: B008
    return Account(gateway=gateway, concurrency=concurrency, functions={"f": Function("f")})


def _values(result: FitResult) -> dict[str, float]:
    return {one.parameter: one.value for one in result.fits}


def test_a_run_without_rejections_has_no_fits() -> None:
    result = _press(Front.REST, Admitting(Front.REST, _account(), Call("f")), (constant(100, 5, "p"),))
    assert result.fits == ()
    assert result.bounds == ()
    assert result.throttled_count == 0


def test_empty_totals_are_no_evidence() -> None:
    assert fit(Totals(), Front.PLAIN) == FitResult((), ())


def test_a_bucket_is_named_with_rate_and_burst_and_when_it_bound() -> None:
    throttle = Admitting(Front.REST, _account(Bucket(100, 300)), Call("f"))
    result = _press(Front.REST, throttle, (constant(200, 12, "p"),))
    values = _values(result)
    assert values["rate"] == pytest.approx(100, rel=0.002)
    assert values["burst"] == pytest.approx(300, abs=3)
    (bound,) = result.bounds
    # 300 tokens last 3 s at 100/s more than the refill
    assert (bound.family, bound.part) == (Family.BUCKET, "rate")
    assert bound.from_s == pytest.approx(3, abs=0.05)
    assert bound.to_s == pytest.approx(12, abs=0.05)
    assert bound.throttled_count == result.throttled_count == pytest.approx(900, abs=3)


def test_a_bucket_that_fills_up_between_bursts_is_not_taken_for_a_slower_one() -> None:
    throttle = Admitting(Front.REST, _account(Bucket(150, 200)), Call("f"))
    load = (
        constant(60, 3, "steady"),
        Phase("ramp", 8, Ramp(60, 260)),
        pause(2, "pause"),
        Phase("bursts", 6, Bursts(300, 3, 0.1, 40)),
    )
    result = _press(Front.REST, throttle, load)
    fits = {one.parameter: one for one in result.fits}
    assert fits["rate"].low <= 150 <= fits["rate"].high
    assert fits["burst"].low <= 200 <= fits["burst"].high
    assert fits["rate"].value == pytest.approx(150, rel=0.02)
    assert fits["burst"].value == pytest.approx(200, abs=4)


def test_a_cap_behind_a_round_trip_is_exact_to_one() -> None:
    throttle = Admitting(Front.FUNCTION_URL, _account(concurrency=50), Call("f"))
    result = _press(Front.FUNCTION_URL, throttle, (constant(200, 10, "p"),), 0.4, round_trip_s=0.04, worker_count=3)
    assert _values(result)["concurrency"] == pytest.approx(50, abs=1)
    assert {bound.family for bound in result.bounds} == {Family.CONCURRENCY}


def test_errors_that_look_like_throttles_are_taken_out_of_the_count() -> None:
    throttle = Admitting(Front.REST, _account(concurrency=50), Call("f"))
    hidden = Hidden(
        "by hand", Front.REST, [], (constant(60, 5, "warm"), constant(200, 15, "p")), throttle,
        lambda at: np.full(len(at), 0.4), error_ratio=0.05, error_signature="500.internal", round_trip_s=0.01,
    )  # fmt: skip
    pressed = press(hidden, 3)
    result = fit(pressed.totals, Front.REST)
    assert result.throttled_count == pytest.approx(pressed.throttled_count, rel=0.01)
    assert result.errors["rest.500.internal"].ratio == pytest.approx(0.05, abs=0.015)


@pytest.mark.parametrize(
    ("more", "service_s"),
    [({"error_ratio": 0.3, "error_signature": "502"}, 0.05), ({"outage": (4.0, 6.0), "error_signature": "502"}, 0.05)],
    ids=["a third fails at random", "everything fails for two seconds"],
)
def test_a_failing_target_is_no_quota(more: dict[str, object], service_s: float) -> None:
    result = _press(
        Front.ALB, Admitting(Front.ALB, _account(), Call("f")), (constant(200, 10, "p"),), service_s, **more
    )
    assert result.bounds == ()
    assert result.fits == ()
    assert result.notes


def test_a_pure_throttle_that_follows_no_law_is_unknown() -> None:
    class Random:
        random = np.random.default_rng(5)

        def arrive(self, now_s: float) -> tuple[Family | None, str, None]:
            refused = self.random.random() < 0.3
            return (Family.BUCKET, "rest.429.too_many", None) if refused else (None, "", None)

        def finish(self, now_s: float, decision: object) -> None: ...

    result = _press(Front.REST, Random(), (constant(200, 10, "p"),))
    assert {bound.family for bound in result.bounds} == {Family.UNKNOWN}
    assert result.fits == ()


def test_a_stick_table_that_counts_refused_requests_is_a_window_counter() -> None:
    load = tuple(constant(rate, 5, f"p{i}") for i, rate in enumerate((100, 30, 100, 30)))
    result = _press(Front.PLAIN, Stick("plain.429", 120, 3.0), load)
    values = _values(result)
    assert values["count"] == pytest.approx(120, rel=0.02)
    assert values["period"] == pytest.approx(3.0, abs=0.0101)
    assert {bound.family for bound in result.bounds} == {Family.WINDOW_COUNTER}


def test_the_burst_of_a_bucket_that_was_never_full_is_not_stated() -> None:
    throttle = Admitting(Front.REST, _account(Bucket(100, 500)), Call("f"))
    while throttle.arrive(0.0)[0] is None:
        pass
    parameters = _values(_press(Front.REST, throttle, (constant(200, 10, "p"),)))
    assert set(parameters) == {"rate"}
