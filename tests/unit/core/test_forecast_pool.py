"""What share of the shared concurrency a run takes, from a plan and an account file alone."""

from burstline.core.load.plan import Constant, Front, Phase, Plan, Request, Target
from burstline.core.quota.aws.neighbours import Neighbours
from burstline.core.quota.forecast.document import document
from burstline.core.quota.forecast.forecasting import forecast
from burstline.core.quota.forecast.pool import pool_share_of
from burstline.core.quota.quotas import Account, Bucket, Function, ServiceTime

PLAN = Plan(
    "t", Target("https://x/", Front.REST, "f"), (Request("a"),), (Phase("steady", 20.0, Constant(500.0)),), seed=1
)
FIXED = ServiceTime(0.2, 0.2)
ACCOUNT = Account(
    concurrency=1_000,
    gateway=Bucket(10_000, 5_000),
    functions={
        "f": Function("f", duration=FIXED),
        "kept": Function("kept", reserved=300, duration=FIXED),
        "other": Function("other", duration=FIXED, other_rate_per_s=1_000.0),
    },
)


def test_the_share_is_the_peak_over_what_is_not_reserved() -> None:
    share = pool_share_of(forecast(PLAN, ACCOUNT, seed=1), ACCOUNT)
    assert share is not None
    # 500/s for 0.2 s are 100 in flight, of 1,000 less 300; the other's 1,000/s are 200
    assert share.pool == 700
    assert abs(share.run - 100) <= 3
    assert share.others == 200
    assert not share.crowded
    assert "of the 700 environments" in share.text
    assert "others take about 200." in share.text
    assert document(forecast(PLAN, ACCOUNT, seed=1), share)["shared_pool"]["environments"] == 700


def test_what_aws_says_of_neighbours_takes_the_place_of_what_was_declared() -> None:
    found = forecast(PLAN, ACCOUNT, seed=1)
    share = pool_share_of(found, ACCOUNT, Neighbours(600.0, {"g": 550.0}, reserved_by_others=100))
    assert share is not None
    assert share.pool == 600
    assert share.crowded
    assert "other functions would be throttled" in share.text


def test_a_function_with_reserved_concurrency_takes_nothing_from_the_pool() -> None:
    account = Account(functions={"f": Function("f", reserved=200, duration=FIXED)})
    assert pool_share_of(forecast(PLAN, account, seed=1), account) is None
