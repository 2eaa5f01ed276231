"""The traffic that functions get from others: Poisson arrivals from within, through the same quotas."""

from random import Random
from time import monotonic

from burstline.core.quota.admission.admission import Call, Decision
from burstline.core.quota.quotas import Account, Function
from burstline.emulator.front import FrontDesk


class OtherTraffic:
    """Calls each function at its `other_rate_per_s`, past the gateway, until the timers stop.

    Args:
        account: its functions.
        desk: whose quotas are used, and whose service times.
        seed: of the arrivals.
    """

    __slots__ = ("_desk", "_random")

    def __init__(self, account: Account, desk: FrontDesk, seed: int) -> None:
        self._desk = desk
        self._random = Random(seed)
        for function in account.functions.values():
            if function.other_rate_per_s > 0:
                self._wait(monotonic(), function)

    def _wait(self, now_s: float, function: Function) -> None:
        self._desk.timers.at(now_s + self._random.expovariate(function.other_rate_per_s), self._arrive, function)

    def _arrive(self, now_s: float, function: Function) -> None:
        desk = self._desk
        call = Call(function.name, gateway=False)
        decision = desk.admission.arrive(now_s, call)
        if desk.observer is not None:
            desk.observer.decided(now_s, call, decision)
        if decision.layer is None:
            busy_s = min(desk.service_s(function.name), function.timeout_s)
            if desk.observer is not None:
                desk.observer.invoked(now_s, function, decision, busy_s, False)
            end_s = now_s + busy_s + (function.init_s if decision.cold else 0)
            desk.timers.at(end_s, self._end, (function.name, decision))
        self._wait(now_s, function)

    def _end(self, now_s: float, ended: tuple[str, Decision]) -> None:
        name, decision = ended
        self._desk.admission.finish(now_s, decision)
        if self._desk.observer is not None:
            self._desk.observer.ended(now_s, name, decision)
