"""What decides in a hidden account: the admission model, alone or changing in mid-run, and laws that AWS has not."""

from typing import Protocol

from burstline.core.load.plan import Front
from burstline.core.quota.admission.admission import Admission, Call, Decision
from burstline.core.quota.answers.signatures import PREFIXES
from burstline.core.quota.quotas import Account, Family

CODES: dict[Front, dict[Family | None, str]] = {
    Front.REST: {Family.BUCKET: "429.too_many", None: "500.internal"},
    Front.HTTP: {Family.BUCKET: "429.too_many", None: "503.unavailable"},
    Front.ALB: {None: "502"},
    Front.FUNCTION_URL: {Family.INVOCATION_RATE: "429.reserved_rate", None: "429.account"},
    Front.LAMBDA: {Family.INVOCATION_RATE: "429.reserved_rate", None: "429.account"},
    Front.PLAIN: {None: "503"},
}
"""Per front, the signature of a throttle by family; None is all others."""


class Throttle(Protocol):
    """What decides: the admission model, or another law."""

    def arrive(self, now_s: float) -> tuple[Family | None, str, Decision | None]:
        """Return family and signature of a refusal (None, "" admits), and what `finish` wants."""
        ...

    def finish(self, now_s: float, decision: Decision | None) -> None:
        """End an admitted call."""
        ...


class Admitting:
    """The admission model as a throttle; its clock may run `pace` times faster, which scales every rate in it."""

    def __init__(
        self, front: Front, account: Account, call: Call, *, seed: int = 0, pace: float = 1.0, noise: float = 0.0
    ):
        self.admission = Admission(account, seed, noise_ratio=noise)
        self.pace = pace
        self._call = call
        self._codes = {family: f"{PREFIXES[front]}.{code}" for family, code in CODES[front].items()}

    def arrive(self, now_s: float) -> tuple[Family | None, str, Decision | None]:
        decision = self.admission.arrive(now_s * self.pace, self._call)
        if decision.family is None:
            return None, "", decision
        return decision.family, self._codes.get(decision.family, self._codes[None]), decision

    def finish(self, now_s: float, decision: Decision | None) -> None:
        assert decision is not None
        self.admission.finish(now_s * self.pace, decision)


class Changing:
    """One throttle up to a time, another from then on; what the first let in, it also ends."""

    def __init__(self, first: Throttle, second: Throttle, at_s: float) -> None:
        self._first, self._second, self._at_s = first, second, at_s
        self._owner: dict[int, Throttle] = {}

    def arrive(self, now_s: float) -> tuple[Family | None, str, Decision | None]:
        owner = self._first if now_s < self._at_s else self._second
        family, code, decision = owner.arrive(now_s)
        if decision is not None:
            self._owner[id(decision)] = owner
        return family, code, decision

    def finish(self, now_s: float, decision: Decision | None) -> None:
        self._owner.pop(id(decision)).finish(now_s, decision)


class MovingCap:
    """A concurrency cap that changes while calls are in flight."""

    def __init__(self, inner: Admitting, at_s: float, cap: int) -> None:
        self._inner, self._at_s, self._cap = inner, at_s, cap

    def arrive(self, now_s: float) -> tuple[Family | None, str, Decision | None]:
        if now_s >= self._at_s:
            self._inner.admission._shared.limit = self._cap
        return self._inner.arrive(now_s)

    def finish(self, now_s: float, decision: Decision | None) -> None:
        self._inner.finish(now_s, decision)


class WindowCounter:
    """At most `count` requests per `period_s`: fixed windows, or a sliding log, which may count refused ones too."""

    def __init__(
        self, code: str, count: int, period_s: float, *, sliding: bool, counts_refused: bool, phase_s: float
    ) -> None:
        self._code, self._count, self._period_s = code, count, period_s
        self._sliding, self._counts_refused, self._phase_s = sliding, counts_refused, phase_s
        self._log: list[float] = []
        self._window = -1
        self._used = 0
        self._head = 0

    def arrive(self, now_s: float) -> tuple[Family | None, str, Decision | None]:
        if self._sliding:
            while self._head < len(self._log) and self._log[self._head] <= now_s - self._period_s:
                self._head += 1
            refused = len(self._log) - self._head >= self._count
            if not refused or self._counts_refused:
                self._log.append(now_s)
        else:
            window = int((now_s - self._phase_s) // self._period_s)
            if window != self._window:
                self._window, self._used = window, 0
            refused = self._used >= self._count
            self._used += 1
        return (Family.WINDOW_COUNTER, self._code, None) if refused else (None, "", None)

    def finish(self, now_s: float, decision: Decision | None) -> None:
        """Nothing is held."""


class Stick:
    """HAProxy's rate: this period's count so far, and the last one's for the share of it that is still in reach.

    The first request begins the first period.
    """

    def __init__(self, code: str, count: int, period_s: float) -> None:
        self._code, self._count, self._period_s = code, count, period_s
        self._phase_s: float | None = None
        self._window, self._now, self._last = -1, 0, 0

    def arrive(self, now_s: float) -> tuple[Family | None, str, Decision | None]:
        if self._phase_s is None:
            self._phase_s = now_s
        window, share = divmod((now_s - self._phase_s) / self._period_s, 1.0)
        if window != self._window:
            self._last = self._now if window == self._window + 1 else 0
            self._window, self._now = int(window), 0
        self._now += 1
        rate = self._now + self._last * (1 - share)
        return (Family.WINDOW_COUNTER, self._code, None) if rate > self._count else (None, "", None)

    def finish(self, now_s: float, decision: Decision | None) -> None:
        """Nothing is held."""
