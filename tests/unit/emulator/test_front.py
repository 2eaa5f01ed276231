"""The way of a request through the front desk, on a clock moved by hand."""

from collections.abc import Callable
from dataclasses import replace
from heapq import heappop, heappush
from typing import Any

import numpy as np
import pytest
from burstline.core.load.plan import Front
from burstline.core.quota.admission.admission import Call
from burstline.core.quota.admission.replay import LAYER_CODES, replay
from burstline.core.quota.quotas import Account, Bucket, Function, Layer, ServiceTime
from burstline.emulator import front as front_module
from burstline.emulator.answers import Answer
from burstline.emulator.exchange import Exchange
from burstline.emulator.front import FrontDesk
from burstline.emulator.settings import EmulatorSettings
from burstline.emulator.traffic import OtherTraffic


class Clock:
    """A clock and timers in one: time moves only when told to."""

    def __init__(self) -> None:
        self.now_s = 0.0
        self._heap: list[tuple[float, int, Callable[[float, Any], None], Any]] = []
        self._number = 0

    def at(self, due_s: float, callback: Callable[[float, Any], None], argument: Any) -> None:
        self._number += 1
        heappush(self._heap, (due_s, self._number, callback, argument))

    def run_due(self, now_s: float) -> None:
        while self._heap and self._heap[0][0] <= now_s:
            due_s, _, callback, argument = heappop(self._heap)
            self.now_s = max(self.now_s, due_s)
            callback(due_s, argument)

    def move_to(self, now_s: float) -> None:
        self.run_due(now_s)
        self.now_s = now_s


class Client:
    """Notes the answers it gets, with the time."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.got: list[tuple[float, int]] = []

    def send(self, exchange: Exchange, answer: Answer) -> None:
        self.got.append((round(self._clock.now_s, 6), answer.status))

    def abandon(self, exchange: Exchange) -> None:
        self.got.append((round(self._clock.now_s, 6), 0))


class Setup:
    """A front desk, its clock, and a client."""

    def __init__(self, account: Account, settings: EmulatorSettings, clock: Clock) -> None:
        self.clock = clock
        self.desk = FrontDesk(account, settings, clock)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]  # a fake
        self.client = Client(clock)

    def ask(self, **headers: str) -> None:
        exchange = Exchange(self.client)
        exchange.method, exchange.target = b"GET", b"/"
        exchange.headers = {name.replace("_", "-").encode(): value.encode() for name, value in headers.items()}
        self.desk.handle(exchange)


Make = Callable[[Account, EmulatorSettings], Setup]


@pytest.fixture
def make(monkeypatch: pytest.MonkeyPatch) -> Make:
    clock = Clock()
    monkeypatch.setattr(front_module, "monotonic", lambda: clock.now_s)
    return lambda account, settings: Setup(account, settings, clock)


FUNCTION = Function("f", duration=ServiceTime(0.1, 0.1), init_s=0.4)
ACCOUNT = Account(concurrency=100, functions={"f": FUNCTION})
PLAIN = EmulatorSettings(front=Front.PLAIN)


def with_function(**changes: Any) -> Account:
    return replace(ACCOUNT, functions={"f": replace(FUNCTION, **changes)})


def test_a_cold_call_takes_init_and_service_a_warm_one_service_alone(make: Make) -> None:
    it = make(ACCOUNT, PLAIN)
    it.ask()
    it.clock.move_to(1.0)
    it.ask()
    it.clock.move_to(2.0)
    assert it.client.got == [(0.5, 200), (1.1, 200)]


def test_the_round_trip_is_half_before_and_half_after(make: Make) -> None:
    """With one slot and 40 ms of round trip the call is inside from 0.02 to 0.52; the second arrives at 0.03."""
    it = make(replace(ACCOUNT, concurrency=1), replace(PLAIN, round_trip_s=0.04))
    it.ask()
    it.clock.move_to(0.01)
    it.ask()
    it.clock.move_to(0.6)
    assert it.client.got == [(0.05, 503), (0.54, 200)]


def test_jitter_stays_within_its_ratio(make: Make) -> None:
    it = make(replace(ACCOUNT, gateway=Bucket(0, 0)), replace(PLAIN, round_trip_s=0.04, round_trip_jitter=0.5))
    for _ in range(200):
        it.ask()
    it.clock.move_to(1.0)
    times = [time_s for time_s, _ in it.client.got]
    assert 0.02 <= min(times) < 0.03
    assert 0.05 < max(times) <= 0.06


def test_an_environment_that_is_due_back_is_back_before_the_next_request_is_decided(make: Make) -> None:
    it = make(replace(with_function(init_s=0.0), concurrency=1), PLAIN)
    it.ask()
    # Nobody ran the timers since: the call ended at 0.1 all the same.
    it.clock.now_s = 0.1
    it.ask()
    it.clock.move_to(1.0)
    assert [status for _, status in it.client.got] == [200, 200]


@pytest.mark.parametrize(
    ("front", "changes", "waits_s", "expected"),
    [
        (Front.REST, {"timeout_s": 0.05, "init_s": 0.0}, None, [(0.05, 502)]),
        (Front.HTTP, {"timeout_s": 0.05, "init_s": 0.0}, None, [(0.05, 500)]),
        (Front.FUNCTION_URL, {"timeout_s": 0.05, "init_s": 0.0}, None, [(0.05, 502)]),
        (Front.ALB, {"timeout_s": 0.05, "init_s": 0.0}, None, [(0.05, 502)]),
        (Front.REST, {"error_ratio": 1.0, "init_s": 0.0}, None, [(0.1, 502)]),
        (Front.REST, {}, 0.3, [(0.3, 504)]),
        (Front.HTTP, {}, 0.3, [(0.3, 503)]),
        (Front.REST, {"duration": ServiceTime(60, 60), "timeout_s": 900}, None, [(29.0, 504)]),
        (Front.HTTP, {"duration": ServiceTime(60, 60), "timeout_s": 900}, None, [(30.0, 503)]),
        (Front.FUNCTION_URL, {"duration": ServiceTime(60, 60), "timeout_s": 900}, None, [(60.4, 200)]),
    ],
)
def test_errors_and_timeouts_are_answered_when_and_as_the_front_does(
    make: Make, front: Front, changes: dict[str, Any], waits_s: float | None, expected: list[tuple[float, int]]
) -> None:
    it = make(with_function(**changes), EmulatorSettings(front=front, integration_timeout_s=waits_s))
    it.ask()
    it.clock.move_to(100.0)
    assert it.client.got == expected


def test_a_call_the_front_gave_up_on_keeps_its_environment(make: Make) -> None:
    it = make(with_function(duration=ServiceTime(60, 60), timeout_s=900), EmulatorSettings())
    it.ask()
    it.clock.move_to(29.5)
    assert it.client.got == [(29.0, 504)]
    assert it.desk.admission.use().functions["f"].concurrency == 1
    it.clock.move_to(61.0)
    assert it.desk.admission.use().functions["f"].concurrency == 0
    assert len(it.client.got) == 1
    assert it.desk.counts.integration_timeouts == 1


def test_preflight_requests_count_apart_from_everything(make: Make) -> None:
    it = make(replace(ACCOUNT, gateway=Bucket(0, 2)), PLAIN)
    it.ask(x_burstline_preflight="1")
    for _ in range(3):
        it.ask(x_burstline_run="r1")
    it.clock.move_to(1.0)
    counts = it.desk.counts
    assert (counts.preflight, counts.received, counts.admitted) == (1, 3, 1)
    assert counts.throttled == {Layer.ACCOUNT_GATEWAY: 2}
    assert dict(counts.runs) == {"r1": 3}
    assert dict(counts.statuses) == {200: 1, 429: 2}
    assert it.desk.admission.use().admitted_count == 2


def test_the_log_has_run_number_and_status_of_each_request_and_is_bounded(make: Make) -> None:
    it = make(ACCOUNT, replace(PLAIN, log=True, log_count=2))
    for number in range(3):
        it.ask(x_burstline_run="r", x_burstline_n=str(number))
    it.clock.move_to(1.0)
    assert list(it.desk.counts.log) == [(0.5, "r", "1", 200), (0.5, "r", "2", 200)]


def test_connections_close_and_answers_stay_out_at_their_ratios(make: Make) -> None:
    it = make(replace(ACCOUNT, concurrency=1000), replace(PLAIN, close_ratio=0.2, hang_ratio=0.3))
    for _ in range(1000):
        it.ask()
    it.clock.move_to(1.0)
    counts = it.desk.counts
    # Binomial, 1,000 requests: deviations 12.6 and 14.5; five of them either way.
    assert 137 < counts.closed < 263
    assert 227 < counts.hung < 373
    assert counts.closed + counts.hung + counts.statuses.total() == 1000
    assert len(it.client.got) == 1000 - counts.hung


def test_a_reset_forgets_everything_but_lets_running_calls_end(make: Make) -> None:
    it = make(replace(ACCOUNT, gateway=Bucket(0, 1)), PLAIN)
    it.ask()
    it.desk.reset()
    it.ask()
    it.clock.move_to(1.0)
    assert [status for _, status in it.client.got] == [200, 200]
    assert it.desk.counts.admitted == 1
    assert it.desk.admission.use().functions["f"].concurrency == 0


def test_lateness_is_from_the_instant_an_answer_is_meant_for(make: Make) -> None:
    it = make(with_function(init_s=0.0), PLAIN)
    it.ask()
    it.clock.now_s = 0.107
    it.clock.run_due(0.107)
    assert it.desk.counts.lateness.summary().max_s == pytest.approx(0.007)


def test_traffic_of_others_takes_concurrency_but_is_no_request(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    account = with_function(other_rate_per_s=100.0)
    it = make(account, PLAIN)
    monkeypatch.setattr("burstline.emulator.traffic.monotonic", lambda: it.clock.now_s)
    OtherTraffic(account, it.desk, seed=1)
    it.clock.move_to(20.0)
    use = it.desk.admission.use()
    # Poisson, mean 2,000: deviation 45; five of them either way. Little: 100/s x 0.1 s = 10 in flight.
    assert 1776 < use.admitted_count < 2224
    assert use.functions["f"].peak_concurrency > 10
    assert it.desk.counts.received == 0


def test_the_emulator_answers_as_the_replay_foretells(make: Make) -> None:
    """Random arrivals into a bucket and a concurrency cap, with cold starts: request by request the same."""
    arrivals = np.sort(np.random.default_rng(7).uniform(0, 10, 2_000))
    account = replace(ACCOUNT, gateway=Bucket(150, 30), concurrency=16)
    foretold = replay(account, arrivals, np.full(2_000, 0.1), calls=(Call("f"),))
    it = make(account, replace(PLAIN, log=True))
    for number, at_s in enumerate(arrivals.tolist()):
        it.clock.move_to(at_s)
        it.ask(x_burstline_n=str(number))
    it.clock.move_to(20.0)
    status = {0: 200, LAYER_CODES[Layer.ACCOUNT_GATEWAY]: 429, LAYER_CODES[Layer.ACCOUNT_CONCURRENCY]: 503}
    expected = {str(number): status[code] for number, code in enumerate(foretold.layers.tolist())}
    assert {number: got for _, _, number, got in it.desk.counts.log} == expected
    assert set(expected.values()) == {200, 429, 503}
