"""The emulator's small parts: settings, routes, lateness, timers, service times."""

import asyncio
from time import monotonic

import numpy as np
import pytest
from burstline.core.load.plan import Front
from burstline.core.quota.admission.admission import Call
from burstline.core.quota.quotas import Account, Function, ServiceTime, UsagePlan
from burstline.emulator.answers import Answer
from burstline.emulator.exchange import Exchange
from burstline.emulator.lateness import LatenessRecorder, LateSeconds
from burstline.emulator.routing import Router
from burstline.emulator.service import ServiceTimes
from burstline.emulator.settings import EmulatorSettings, SlowMode, check
from burstline.emulator.timers import EARLY_S, Timers

ACCOUNT = Account(
    functions={"shop": Function("shop"), "orders": Function("orders")}, usage_plans={"gold": UsagePlan("gold")}
)


class Nowhere:
    def send(self, exchange: Exchange, answer: Answer) -> None:
        raise AssertionError("nothing is answered here")

    def abandon(self, exchange: Exchange) -> None:
        raise AssertionError("nothing is closed here")


def request(target: str, method: str = "GET", body_bytes: int = 0, **headers: str) -> Exchange:
    exchange = Exchange(Nowhere())
    exchange.target, exchange.method, exchange.body_bytes = target.encode(), method.encode(), body_bytes
    exchange.headers = {name.replace("_", "-").encode(): value.encode() for name, value in headers.items()}
    return exchange


ROUTES = {"/": "shop", "/orders": "orders"}


@pytest.mark.parametrize(
    ("settings", "target", "expected"),
    [
        (EmulatorSettings(routes=ROUTES), "/", Call("shop")),
        (EmulatorSettings(routes=ROUTES), "/orders", Call("orders")),
        (EmulatorSettings(routes=ROUTES), "/orders/7?x=/y", Call("orders")),
        (EmulatorSettings(routes=ROUTES), "/ordersx", Call("shop")),
        (EmulatorSettings(routes={"/orders": "orders"}), "/other", 403),
        (EmulatorSettings(), "/anything", Call("shop")),
        (EmulatorSettings(stage="prod"), "/prod/x", Call("shop", "prod")),
        (EmulatorSettings(stage="prod"), "/prod", Call("shop", "prod")),
        (EmulatorSettings(stage="prod"), "/x", 403),
        (EmulatorSettings(stage="prod"), "/production/x", 403),
        (EmulatorSettings(front=Front.HTTP, stage="$default"), "/x", Call("shop", "$default")),
        (EmulatorSettings(front=Front.HTTP, stage="dev"), "/x", 404),
        (EmulatorSettings(front=Front.PLAIN, stage="dev"), "/x", Call("shop", "dev")),
        (EmulatorSettings(front=Front.ALB), "/x", Call("shop", gateway=False)),
        (EmulatorSettings(front=Front.FUNCTION_URL), "/x", Call("shop", gateway=False)),
        (EmulatorSettings(front=Front.LAMBDA), "/2015-03-31/functions/orders/invocations", 404),
    ],
)
def test_the_longest_route_wins_and_the_stage_is_a_prefix(
    settings: EmulatorSettings, target: str, expected: Call | int
) -> None:
    found = Router(ACCOUNT, settings).route(request(target))
    assert (found.status if isinstance(found, Answer) else found) == expected


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ("/2015-03-31/functions/orders/invocations", Call("orders", gateway=False)),
        ("/2015-03-31/functions/orders/invocations?Qualifier=1", Call("orders", gateway=False)),
        ("/2015-03-31/functions/unknown/invocations", 404),
        ("/2015-03-31/functions/orders", 404),
        ("/", 404),
    ],
)
def test_the_invoke_api_finds_the_function_in_the_path(target: str, expected: Call | int) -> None:
    found = Router(ACCOUNT, EmulatorSettings(front=Front.LAMBDA)).route(request(target, "POST"))
    assert (found.status if isinstance(found, Answer) else found) == expected


@pytest.mark.parametrize(
    ("key", "required", "expected"),
    [
        ("k1", False, Call("shop", usage_plan="gold")),
        ("k1", True, Call("shop", usage_plan="gold")),
        ("wrong", False, Call("shop")),
        ("wrong", True, 403),
        ("", True, 403),
    ],
)
def test_a_key_leads_to_its_usage_plan(key: str, required: bool, expected: Call | int) -> None:
    settings = EmulatorSettings(api_keys={"k1": "gold"}, api_key_required=required)
    found = Router(ACCOUNT, settings).route(request("/", x_api_key=key))
    assert (found.status if isinstance(found, Answer) else found) == expected


@pytest.mark.parametrize(("front", "limit_bytes"), [(Front.REST, 10_000_000), (Front.ALB, 1_048_576)])
def test_a_body_above_the_fronts_limit_is_too_large(front: Front, limit_bytes: int) -> None:
    router = Router(ACCOUNT, EmulatorSettings(front=front))
    assert isinstance(router.route(request("/", "POST", limit_bytes)), Call)
    refused = router.route(request("/", "POST", limit_bytes + 1))
    assert isinstance(refused, Answer)
    assert refused.status == 413


def test_an_account_without_functions_has_one_with_all_defaults() -> None:
    assert Router(Account(), EmulatorSettings()).route(request("/")) == Call("function")


def test_settings_are_refused_with_every_mistake_at_once() -> None:
    settings = EmulatorSettings(
        front=Front.SQS, routes={"x": "nobody"}, api_keys={"k": "silver"}, close_ratio=2, round_trip_s=-1,
        keep_alive_s=0, tls_key="key.pem",
    )  # fmt: skip
    with pytest.raises(ValueError, match="sqs") as caught:
        check(ACCOUNT, settings)
    for word in ("starts with /", "nobody", "silver", "close_ratio", "round_trip_s", "keep_alive_s", "go together"):
        assert word in str(caught.value)


def test_lateness_quantiles_are_upper_bounds_within_a_tenth_of_a_millisecond() -> None:
    recorder = LatenessRecorder()
    for index in range(10_000):
        recorder.add(index * 1e-6)
    summary = recorder.summary()
    assert summary.p50_s == pytest.approx(0.0050, abs=1.01e-4)
    assert summary.p99_s == pytest.approx(0.0099, abs=1.01e-4)
    assert summary.max_s == pytest.approx(0.009999)


def test_quantiles_of_too_few_times_are_unknown() -> None:
    recorder = LatenessRecorder()
    assert recorder.summary().max_s is None
    for _ in range(999):
        recorder.add(-1.0)
    summary = recorder.summary()
    assert (summary.p50_s, summary.p99_s, summary.max_s) == (0.0, None, 0.0)
    recorder.add(5.0)
    assert recorder.summary().p99_s == 0.0001
    assert recorder.summary().max_s == 5.0


class Loop:
    """A loop whose timers fire by hand; records the delays asked for."""

    def __init__(self) -> None:
        self.delays: list[float] = []

    def call_later(self, delay: float, callback: object) -> asyncio.TimerHandle:
        self.delays.append(delay)
        return asyncio.TimerHandle(0.0, print, (), self)  # type: ignore[arg-type]  # only cancel() is used

    def get_debug(self) -> bool:
        return False

    def _timer_handle_cancelled(self, handle: object) -> None: ...


def test_timers_fire_in_the_order_of_their_due_times_and_not_before() -> None:
    timers, fired = Timers(Loop()), list[tuple[float, str]]()  # type: ignore[arg-type]  # a fake
    note = lambda due_s, name: fired.append((due_s, name))  # noqa: E731
    for due_s, name in ((3.0, "c"), (1.0, "a"), (2.0, "b"), (1.0, "a2")):
        timers.at(due_s, note, name)
    timers.run_due(0.99)
    assert fired == []
    timers.run_due(2.0)
    assert fired == [(1.0, "a"), (1.0, "a2"), (2.0, "b")]
    timers.stop()
    timers.run_due(9.0)
    assert len(fired) == 3


def test_the_loop_is_armed_anew_only_for_an_earlier_due_time() -> None:
    loop = Loop()
    timers = Timers(loop)  # type: ignore[arg-type]  # a fake
    now_s = monotonic()
    for after_s in (50.0, 60.0, 40.0):
        timers.at(now_s + after_s, lambda due_s, argument: None, None)
    assert len(loop.delays) == 2


async def test_a_timer_is_at_most_half_a_millisecond_early() -> None:
    timers = Timers(asyncio.get_running_loop())
    early: list[float] = []
    done = asyncio.Event()

    def note(due_s: float, last: bool) -> None:
        early.append(due_s - monotonic())
        if last:
            done.set()

    start_s = monotonic()
    for index in range(20):
        timers.at(start_s + 0.0013 * index, note, index == 19)
    await asyncio.wait_for(done.wait(), 5)
    timers.stop()
    assert len(early) == 20
    assert max(early) <= EARLY_S


def test_a_slow_mode_takes_its_share() -> None:
    fast, slow = ServiceTime(0.01, 0.01), ServiceTime(1.0, 1.0)
    times = ServiceTimes(Function("f", duration=fast), SlowMode(0.25, slow), np.random.default_rng(1))
    drawn = [times.next_s() for _ in range(10_000)]
    assert set(drawn) == {0.01, 1.0}
    # Binomial, 10,000 x 0.25: deviation 43; five of them either way.
    assert 2283 < drawn.count(1.0) < 2717


@pytest.mark.parametrize(
    ("late", "expected"),
    [
        pytest.param([(0.1, 0.0)] * 99 + [(0.2, 0.003)], [], id="one in a hundred late is the limit"),
        pytest.param([(0.1, 0.0)] * 98 + [(0.2, 0.003)] * 2, [0], id="two in a hundred are too many"),
        pytest.param([(0.5, 0.0), (3.5, 0.003)], [3], id="silent seconds are not late"),
        pytest.param([(0.5, 0.002)], [], id="2 ms are still in time"),
    ],
)
def test_a_second_is_late_when_its_99th_percentile_is(late: list[tuple[float, float]], expected: list[int]) -> None:
    seconds = LateSeconds(100.0)
    for at_s, late_s in late:
        seconds.add(100.0 + at_s, late_s)
    assert 3 not in seconds.found, "a second is judged when it is over"
    seconds.add(110.0, 0.0)
    assert seconds.found == expected


@pytest.mark.parametrize(
    ("account", "settings", "message"),
    [
        (Account(functions={"f": Function("f", duration=ServiceTime(2, 1))}), EmulatorSettings(), "p50_s"),
        (ACCOUNT, EmulatorSettings(slow_modes={"shop": SlowMode(0.5, ServiceTime(0, 1))}), "slow mode of shop"),
        (ACCOUNT, EmulatorSettings(slow_modes={"shop": SlowMode(1.5, ServiceTime(1, 1))}), "share"),
        (ACCOUNT, EmulatorSettings(success_status=99), "success_status"),
        (ACCOUNT, EmulatorSettings(integration_timeout_s=0), "integration_timeout_s"),
        (ACCOUNT, EmulatorSettings(log_count=0), "log_count"),
    ],
)
def test_each_impossible_setting_is_refused_at_the_start(
    account: Account, settings: EmulatorSettings, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        check(account, settings)
