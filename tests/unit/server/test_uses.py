"""What a run uses of its quotas from second to second, for whoever watches."""

import pytest
from burstline.core.load.histogram import Histogram
from burstline.core.load.plan import Plan
from burstline.core.load.totals import Second
from burstline.core.load.window import Latency, Load
from burstline.core.quota.quotas import Account, Bucket, Function
from burstline.server.control.uses import Use, uses_in
from burstline.v1 import resources_pb2 as v1
from burstline.wire.plan import plan_from_proto

ACCOUNT = Account(
    stages={"prod": Bucket(100.0, 50.0)},
    functions={"checkout": Function("checkout", reserved=30)},
)


def plan() -> Plan:
    message = v1.Plan(name="p", requests=[v1.Request(name="quote", method="GET", path="/", weight=1.0)])
    message.target.CopyFrom(v1.Target(url="http://127.0.0.1:1/prod", front=v1.REST, function="checkout", stage="prod"))
    message.load.add(name="all").constant.request_count_per_second = 10.0
    message.load[0].duration.seconds = 10
    return plan_from_proto(message)


def second(sent: int, in_flight: int = 0, latency_s: float = 0.01, **answers: int) -> Second:
    latency = Histogram()
    for _ in range(sent):
        latency.add(latency_s)
    spelled = {name.replace("__", "."): count for name, count in answers.items()}
    return Second(Load(due=sent, sent=sent), spelled, {"rest.ok": Latency(due=latency)}, in_flight=in_flight)


def seen(*recent: Second) -> dict[str, Use]:
    return {use.quota: use for use in uses_in(plan(), ACCOUNT, list(recent))}


def test_buckets_count_what_was_sent_and_concurrency_what_was_in_flight() -> None:
    uses = seen(second(80, in_flight=3, latency_s=0.25))
    assert list(uses) == ["apigateway:stage:prod:rate", "apigateway:L-8A5B8E43", "lambda:reserved:checkout"]
    assert (uses["apigateway:stage:prod:rate"].use, uses["apigateway:stage:prod:rate"].limit) == (80, 100)
    assert uses["lambda:reserved:checkout"].use == pytest.approx(20.0)  # Little: 80/s x 0.25 s
    assert not any(use.binding for use in uses.values())


def test_a_refusal_is_laid_to_the_fullest_quota_that_could_have_made_it() -> None:
    uses = seen(second(150, rest__429__too_many=40))
    assert [quota for quota, use in uses.items() if use.binding] == ["apigateway:stage:prod:rate"]


def test_a_refusal_of_the_second_before_still_binds_and_an_older_one_does_not() -> None:
    assert seen(second(20), second(150, rest__429__too_many=9))["apigateway:stage:prod:rate"].binding
    assert not any(use.binding for use in seen(second(20), second(20)).values())


def test_use_is_the_highest_of_the_last_seconds_so_that_a_burst_is_seen() -> None:
    assert seen(second(0), second(90))["apigateway:stage:prod:rate"].use == 90


def test_an_answer_of_two_meanings_binds_a_full_concurrency_and_blames_no_empty_one() -> None:
    assert seen(second(80, in_flight=29, rest__500__internal=5))["lambda:reserved:checkout"].binding
    assert not seen(second(80, in_flight=3, rest__500__internal=5))["lambda:reserved:checkout"].binding


def test_a_limit_of_nothing_has_no_share_and_is_left_out() -> None:
    closed = Account(stages={"prod": Bucket(0.0, 0.0)})
    assert "apigateway:stage:prod:rate" not in {use.quota for use in uses_in(plan(), closed, [second(10)])}
