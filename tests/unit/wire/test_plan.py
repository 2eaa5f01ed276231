"""Plans and accounts over the wire: defaults, every range, and all mistakes at once."""

from collections.abc import Callable

import pytest
from burstline.core.load.plan import Arrivals, Auth, AuthKind, Bursts, Constant, Expect, Front, StatusRange
from burstline.core.quota.quotas import Bucket, Scaling
from burstline.v1 import resources_pb2 as v1
from burstline.wire.account import account_from_proto
from burstline.wire.checks import duration_of
from burstline.wire.errors import InvalidMessage
from burstline.wire.plan import plan_from_proto


def good_plan() -> v1.Plan:
    return v1.Plan(
        name="checkout-peak",
        target=v1.Target(url="https://abc123.execute-api.eu-west-1.amazonaws.com/prod/", front=v1.REST),
        requests=[v1.Request(name="quote", path="/quote?sku={{ n }}")],
        load=[
            v1.Phase(
                duration=duration_of(30),
                constant=v1.Phase.Constant(request_count_per_second=100),
                arrivals=v1.Phase.POISSON,
            ),
            v1.Phase(
                name="bursts",
                duration=duration_of(60),
                bursts=v1.Phase.Bursts(size_count=800, every_duration=duration_of(5), width_duration=duration_of(0.05)),
            ),
        ],
    )


def test_a_plan_gets_its_defaults() -> None:
    plan = plan_from_proto(good_plan())
    assert plan.target.url == "https://abc123.execute-api.eu-west-1.amazonaws.com/prod"
    assert plan.target.front is Front.REST
    assert plan.requests[0].expect == Expect((StatusRange(200, 399),))
    assert (plan.requests[0].weight, plan.requests[0].method, plan.requests[0].timeout_s) == (1.0, "GET", 30.0)
    assert [(phase.name, phase.arrivals) for phase in plan.load] == [
        ("phase 1", Arrivals.POISSON),
        ("bursts", Arrivals.EVEN),
    ]
    assert [phase.shape for phase in plan.load] == [Constant(100), Bursts(800, 5.0, 0.05, 0.0)]
    assert (plan.max_late_s, plan.seed, plan.marks, plan.writes) == (0.02, 0, True, False)


def _set(path: str, value: object) -> Callable[[v1.Plan], None]:
    def change(plan: v1.Plan) -> None:
        *parents, last = path.split(".")
        message: object = plan
        for part in parents:
            message = getattr(message, part) if not part.isdigit() else message[int(part)]  # type: ignore[index]
        setattr(message, last, value)

    return change


def _copy(path: str, value: object) -> Callable[[v1.Plan], None]:
    def change(plan: v1.Plan) -> None:
        *parents, last = path.split(".")
        message: object = plan
        for part in parents:
            message = getattr(message, part) if not part.isdigit() else message[int(part)]  # type: ignore[index]
        getattr(message, last).CopyFrom(value)

    return change


@pytest.mark.parametrize(
    ("change", "field", "text"),
    [
        (_set("name", ""), "name", "1 to 200"),
        (_set("target.url", "abc.example.org"), "target.url", "absolute URL"),
        (_set("target.url", "ftp://abc.example.org"), "target.url", "absolute URL"),
        (_set("target.url", "http://[::1"), "target.url", "Invalid IPv6"),
        (_set("target.url", "https://user:secret@example.org"), "target.url", "ends up in logs"),
        (_set("auth.bearer", "hunter2"), "auth.bearer", "${env:NAME}"),
        (_set("requests.0.name", "bad/name"), "requests[0].name", "allowed are"),
        (_set("requests.0.weight", -1), "requests[0].weight", "over 0"),
        (_set("requests.0.weight", float("nan")), "requests[0].weight", "over 0"),
        (_set("requests.0.method", "FETCH"), "requests[0].method", "GET"),
        (_set("requests.0.method", "POST"), "requests[0].method", "writes: allowed"),
        (_set("requests.0.path", "quote"), "requests[0].path", "'/'"),
        (_set("requests.0.path", "/{{ sku }}"), "requests[0].path", "{{ sku }} is unknown"),
        (_set("requests.0.path", "/{{ sku"), "requests[0].path", "not a template"),
        (_set("requests.0.body", "{% for i in n %}x{% endfor %}"), "requests[0].body", "loops"),
        (_set("requests.0.json", "{"), "requests[0].json", "not JSON"),
        (_copy("requests.0.timeout_duration", duration_of(0)), "requests[0].timeout_duration", "0.001 to 900 s"),
        (_set("load.0.constant.request_count_per_second", 0), "load[0].constant.request_count_per_second", "over 0"),
        (_set("load.0.constant.request_count_per_second", 2e7), "load[0].constant.request_count_per_second", "1e+07"),
        (_copy("load.0.duration", duration_of(0)), "load[0].duration", "over 0"),
        (_copy("load.0.duration", duration_of(-1)), "load[0].duration", "over 0"),
        (_set("load.0.name", "bursts"), "load[1].name", "load[0]"),
        (_set("load.1.bursts.size_count", 0), "load[1].bursts.size_count", "from 1"),
        (_copy("load.1.bursts.width_duration", duration_of(6)), "load[1].bursts.width_duration", "longer"),
        (_set("tolerated_throttled_ratio", 1.5), "tolerated_throttled_ratio", "0 to 1"),
        (_set("seed", -1), "seed", "from 0"),
        (_set("goal.request_count_per_second", 0), "goal.request_count_per_second", "over 0"),
        (_copy("max_late_duration", duration_of(0)), "max_late_duration", "over 0"),
        (lambda plan: plan.thresholds.append("p99 is fine"), "thresholds[0]", "not a condition"),
        (lambda plan: plan.thresholds.append("throttled > 1% for 10s"), "thresholds[0]", "abort rules"),
        (lambda plan: plan.abort.append("throtled > 1% for 10s"), "abort[0]", "no measure"),
        (lambda plan: plan.ClearField("requests"), "requests", "at least one"),
        (lambda plan: plan.ClearField("load"), "load", "at least one"),
        (lambda plan: plan.load[0].ClearField("shape"), "load[0]", "no shape"),
        (_set("data.sha256", "x"), "data.sha256", "SHA-256"),
    ],
)
def test_a_mistake_is_named_by_field_with_what_is_allowed(
    change: Callable[[v1.Plan], None], field: str, text: str
) -> None:
    message = good_plan()
    change(message)
    with pytest.raises(InvalidMessage) as caught:
        plan_from_proto(message)
    found = {violation.field: violation.description for violation in caught.value.violations}
    assert field in found
    assert text in found[field]


@pytest.mark.parametrize(
    "change",
    [
        *(
            _set("target.url", f"{url}")
            for url in ("https://u:hunter2@x/", "ftp://u:hunter2@x", "http://u:hunter2/h@x")
        ),
        _set("auth.bearer", "hunter2"),
        _set("auth.api_key", "hunter2"),
        _set("auth.basic.password", "hunter2"),
        _set("auth.cognito.client_secret", "hunter2"),
        _set("auth.cognito.token_url", "http://u:hunter2@login.example.org/oauth2/token"),
        _set("auth.cognito.endpoint_url", "https://u:hunter2@login.example.org"),
    ],
)
def test_what_is_said_of_a_secret_that_is_no_reference_does_not_show_it(change: Callable[[v1.Plan], None]) -> None:
    message = good_plan()
    change(message)
    with pytest.raises(InvalidMessage) as caught:
        plan_from_proto(message)
    assert "hunter2" not in str(caught.value)
    assert not any("hunter2" in violation.description for violation in caught.value.violations)


def test_all_mistakes_are_reported_at_once() -> None:
    message = good_plan()
    message.name = ""
    message.requests[0].weight = -1
    message.load[1].bursts.size_count = 0
    message.abort.append("?")
    with pytest.raises(InvalidMessage) as caught:
        plan_from_proto(message)
    fields = [violation.field for violation in caught.value.violations]
    assert fields == ["name", "load[1].bursts.size_count", "requests[0].weight", "abort[0]"]


@pytest.mark.parametrize(
    ("url", "front", "expected"),
    [
        ("https://a.execute-api.eu-west-1.amazonaws.com/p", v1.REST, ("eu-west-1", "execute-api")),
        ("https://a.lambda-url.us-east-2.on.aws", v1.FUNCTION_URL, ("us-east-2", "lambda")),
        ("https://lambda.us-gov-west-1.amazonaws.com", v1.LAMBDA, ("us-gov-west-1", "lambda")),
    ],
)
def test_the_signing_scope_is_read_from_the_host(
    url: str, front: v1.Front.ValueType, expected: tuple[str, str]
) -> None:
    message = good_plan()
    message.target.url, message.target.front = url, front
    message.auth.sigv4.SetInParent()
    auth = plan_from_proto(message).auth
    assert auth == Auth(AuthKind.SIGV4, region=expected[0], service=expected[1])


def test_an_account_left_out_is_all_defaults_and_nothing_declared() -> None:
    account = account_from_proto(None)
    assert (account.gateway, account.concurrency, account.scaling) == (Bucket(10_000, 5_000), 1000, Scaling.CURRENT)
    assert account.declared == frozenset()
    assert account_from_proto(v1.Account(region="eu-south-1")).gateway == Bucket(2_500, 1_250)


def test_what_an_account_declares_is_marked() -> None:
    account = account_from_proto(
        v1.Account(
            gateway=v1.Account.Bucket(request_count_per_second=500),
            stages={"prod": v1.Account.Bucket(request_count_per_second=200, burst_count=100)},
            functions={"checkout": v1.Account.Function(reserved_count=0, p50_duration=duration_of(0.04))},
        )
    )
    assert account.gateway == Bucket(500, 5_000)
    assert account.functions["checkout"].reserved == 0
    assert account.functions["checkout"].duration.p99_s == pytest.approx(0.04)
    assert account.declared == {
        "apigateway.rate",
        "apigateway.stages.prod",
        "lambda.functions.checkout.reserved",
        "lambda.functions.checkout.duration",
    }


@pytest.mark.parametrize(
    ("message", "field"),
    [
        (v1.Account(concurrency_count=-1), "account.concurrency_count"),
        (v1.Account(stages={"prod": v1.Account.Bucket()}), 'account.stages["prod"].request_count_per_second'),
        (v1.Account(concurrency_count=5, functions={"f": v1.Account.Function(reserved_count=6)}), "account.functions"),
        (
            v1.Account(functions={"f": v1.Account.Function(reserved_count=1, provisioned_count=2)}),
            'account.functions["f"].provisioned_count',
        ),
        (v1.Account(functions={"f": v1.Account.Function(memory_mb=1)}), 'account.functions["f"].memory_mb'),
        (
            v1.Account(functions={"f": v1.Account.Function(p50_duration=duration_of(2), p99_duration=duration_of(1))}),
            'account.functions["f"].p99_duration',
        ),
        (v1.Account(usage_plans={"g": v1.Account.UsagePlan(quota_count=5)}), 'account.usage_plans["g"].quota_period'),
    ],
)
def test_an_account_out_of_range_is_refused_by_field(message: v1.Account, field: str) -> None:
    with pytest.raises(InvalidMessage) as caught:
        account_from_proto(message)
    assert field in {violation.field for violation in caught.value.violations}
