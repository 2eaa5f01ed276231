"""The way of a request: in over the network, through the quotas, in the function, and back.

Times of events are the instants they are due, not the instants they are noticed: the admission model sees an exact
virtual time that follows the real clock, and lateness is what lies between the two.
"""

from random import Random
from time import monotonic, process_time
from typing import Protocol

import numpy as np

from burstline.core.load.plan import Front
from burstline.core.quota.admission.admission import Admission, Call, Decision
from burstline.core.quota.quotas import Account, Family, Function, Layer
from burstline.emulator.answers import Answer, Situation, situation_answer, success_answer, throttle_answer
from burstline.emulator.counting import Counts, is_preflight
from burstline.emulator.exchange import Exchange
from burstline.emulator.routing import Router
from burstline.emulator.service import ServiceTimes
from burstline.emulator.settings import EmulatorSettings
from burstline.emulator.timers import Timers

INVOCATION_TYPE_HEADER = b"x-amz-invocation-type"
_NO_BODY_202 = Answer(202, b"")
_NO_BODY_204 = Answer(204, b"")


class Observer(Protocol):
    """What is told what happens, at the instants it is due, seconds of `time.monotonic`."""

    def decided(self, now_s: float, call: Call, decision: Decision) -> None:
        """The quotas let a call in, or refused it."""

    def invoked(self, now_s: float, function: Function, decision: Decision, duration_s: float, failed: bool) -> None:
        """A function was called: it runs `duration_s`, init not counted, and its code may fail."""

    def ended(self, now_s: float, function: str, decision: Decision) -> None:
        """A call ended; its environment is free again."""

    def answered(self, now_s: float, call: Call, status: int) -> None:
        """A request that had met the quotas was answered."""


class FrontDesk:
    """Takes requests in and sees to it that each is answered when it is due.

    Args:
        account: what throttles.
        settings: how the front behaves.
        timers: where answers wait.

    Attributes:
        counts: what happened since the start or the last reset.
        admission: the quotas' state.
        observer: is told of every decision and every invocation; None costs nothing.
    """

    def __init__(self, account: Account, settings: EmulatorSettings, timers: Timers) -> None:
        self.settings = settings
        self.timers = timers
        self._account = account
        self._random = Random(settings.seed)
        self._router = Router(account, settings)
        self._services: dict[str, ServiceTimes] = {}
        self._numpy = np.random.default_rng(settings.seed)
        self._waits_s = settings.waits_s
        self._success = success_answer(settings.front, settings.success_status, settings.body)
        self._throttle_answers: dict[tuple[Layer | None, bool, bool], Answer] = {}
        self._disturbed = settings.close_ratio > 0 or settings.hang_ratio > 0
        self.observer: Observer | None = None
        self.reset()

    def reset(self) -> None:
        """Start over: all numbers at 0, buckets full, no environments but provisioned ones."""
        settings = self.settings
        self.counts = Counts(settings.log_count if settings.log else 0, monotonic(), process_time())
        self.admission = Admission(self._account, settings.seed, noise_ratio=settings.noise_ratio)

    def function(self, name: str) -> Function:
        """Return a function's settings; defaults for one that the account does not list."""
        return self._account.functions.get(name) or Function(name)

    def service_s(self, name: str) -> float:
        """Return how long the function's next invocation takes warm, seconds; its timeout is not applied."""
        times = self._services.get(name)
        if times is None:
            times = ServiceTimes(self.function(name), self.settings.slow_modes.get(name), self._numpy)
            self._services[name] = times
        return times.next_s()

    def handle(self, exchange: Exchange) -> None:
        """Take in one request that has just arrived completely."""
        now_s = monotonic()
        # Order matters here: what was due before this request must have happened before it is decided on.
        self.timers.run_due(now_s)
        self.counts.receive(exchange)
        found = self._router.route(exchange)
        if isinstance(found, Call):
            exchange.call = found
            if self.settings.round_trip_s:
                self.timers.at(now_s + self._half_trip_s(), self._decide, exchange)
            else:
                self._decide(now_s, exchange)
            return
        if not is_preflight(exchange):
            self.counts.rejected += 1
        self._send_back(now_s + self._half_trip_s(), exchange, found)

    def _half_trip_s(self) -> float:
        settings = self.settings
        if not settings.round_trip_s:
            return 0.0
        jitter = settings.round_trip_jitter
        return 0.5 * settings.round_trip_s * (self._random.uniform(1 - jitter, 1 + jitter) if jitter else 1.0)

    def _decide(self, now_s: float, exchange: Exchange) -> None:
        call = exchange.call
        if call is None:
            raise RuntimeError("a request reached the quotas without a route")
        if self.settings.front is Front.LAMBDA and exchange.header(INVOCATION_TYPE_HEADER) == b"DryRun":
            self.counts.rejected += not is_preflight(exchange)
            self._send_back(now_s, exchange, _NO_BODY_204)
            return
        decision = self.admission.arrive(now_s, call)
        exchange.decision = decision
        if self.observer is not None:
            self.observer.decided(now_s, call, decision)
        counted = not is_preflight(exchange)
        if decision.layer is None:
            self.counts.admitted += counted
            self._run(now_s, exchange, decision, call.function)
            return
        if counted:
            self.counts.throttled[decision.layer] += 1
        self._send_back(now_s, exchange, self._throttled(decision, call.function))

    def _throttled(self, decision: Decision, name: str) -> Answer:
        reserved = self.function(name).reserved is not None
        key = (decision.layer, decision.family is Family.PLAN_QUOTA, reserved)
        answer = self._throttle_answers.get(key)
        if answer is None:
            answer = self._throttle_answers[key] = throttle_answer(self.settings.front, decision, reserved)
        return answer

    def _run(self, now_s: float, exchange: Exchange, decision: Decision, name: str) -> None:
        """Let the admitted call run: fix its end, and what is answered if the front does not wait so long."""
        function, front = self.function(name), self.settings.front
        busy_s, answer = self.service_s(name), self._success
        if busy_s > function.timeout_s:
            busy_s, answer = function.timeout_s, situation_answer(front, Situation.FUNCTION_TIMEOUT)
            self.counts.function_errors += 1
        elif function.error_ratio and self._random.random() < function.error_ratio:
            answer = situation_answer(front, Situation.FUNCTION_ERROR)
            self.counts.function_errors += 1
        if self.observer is not None:
            self.observer.invoked(now_s, function, decision, busy_s, answer is not self._success)
        if decision.cold:
            busy_s += function.init_s
        exchange.answer = answer
        if front is Front.LAMBDA and exchange.header(INVOCATION_TYPE_HEADER) == b"Event":
            self._send_back(now_s, exchange, _NO_BODY_202)
        if busy_s > self._waits_s:
            self.timers.at(now_s + self._waits_s, self._give_up, exchange)
        self.timers.at(now_s + busy_s, self._end, exchange)

    def _give_up(self, now_s: float, exchange: Exchange) -> None:
        """The front stops waiting; the function runs on and keeps its environment."""
        self.counts.integration_timeouts += 1
        self._send_back(now_s, exchange, situation_answer(self.settings.front, Situation.INTEGRATION_TIMEOUT))

    def _end(self, now_s: float, exchange: Exchange) -> None:
        if exchange.decision is not None:
            self.admission.finish(now_s, exchange.decision)
            if self.observer is not None and exchange.call is not None:
                self.observer.ended(now_s, exchange.call.function, exchange.decision)
        if not exchange.answered and exchange.answer is not None:
            self._send_back(now_s, exchange, exchange.answer)

    def _send_back(self, now_s: float, exchange: Exchange, answer: Answer) -> None:
        exchange.answered = True
        exchange.answer = answer
        half_s = self._half_trip_s()
        if half_s:
            self.timers.at(now_s + half_s, self._write, exchange)
        else:
            self._write(now_s, exchange)

    def _write(self, due_s: float, exchange: Exchange) -> None:
        now_s = monotonic()
        counts = self.counts
        counts.note_answer_lateness(now_s, due_s)
        if self._disturbed and self._disturb(exchange, now_s):
            return
        answer = exchange.answer
        if answer is None:
            raise RuntimeError("there is nothing to answer")
        counts.answer(exchange, answer.status, now_s)
        if self.observer is not None and exchange.call is not None:
            self.observer.answered(now_s, exchange.call, answer.status)
        exchange.reply_to.send(exchange, answer)

    def _disturb(self, exchange: Exchange, now_s: float) -> bool:
        """Close or hang in place of the answer if it is this request's turn; return whether it was."""
        fate = self._random.random()
        if fate < self.settings.close_ratio:
            self.counts.closed += 1
            exchange.reply_to.abandon(exchange)
        elif fate < self.settings.close_ratio + self.settings.hang_ratio:
            self.counts.hung += 1
        else:
            return False
        self.counts.answer(exchange, 0, now_s)
        return True


class LagProbe:
    """Records for ever how late a timer is noticed: the emulator's lateness even when every answer is immediate.

    Args:
        desk: whose timers, and whose counts.
        every_s: between two measurements, seconds, > 0.
    """

    __slots__ = ("_desk", "_every_s")

    def __init__(self, desk: FrontDesk, every_s: float = 0.005) -> None:
        self._desk = desk
        self._every_s = every_s
        desk.timers.at(monotonic() + every_s, self._noticed, None)

    def _noticed(self, due_s: float, _: None) -> None:
        now_s = monotonic()
        self._desk.counts.note_loop_lag(now_s, due_s)
        self._desk.timers.at(now_s + self._every_s, self._noticed, None)
