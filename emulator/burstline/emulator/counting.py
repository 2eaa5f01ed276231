"""What the emulator counted. Preflight requests (`x-burstline-preflight: 1`) stand apart from all other numbers."""

from collections import Counter, deque
from dataclasses import dataclass, field

from burstline.core.quota.quotas import Layer
from burstline.emulator.exchange import Exchange
from burstline.emulator.lateness import LIMIT_S, LatenessRecorder, LateSeconds

RUN_HEADER = b"x-burstline-run"
PREFLIGHT_HEADER = b"x-burstline-preflight"
NUMBER_HEADER = b"x-burstline-n"

RUN_COUNT = 1_000
"""Runs told apart; the requests of further ones count under `other`."""


@dataclass(slots=True)
class Counts:
    """Numbers since the start or the last reset.

    Always: `received = admitted + throttled + rejected + in front`, where "in front" have not reached the quotas yet.

    Attributes:
        log_count: most log entries kept; 0 keeps none.
        started_s: when counting began, seconds on the emulator's clock.
        started_cpu_s: CPU time this process had used by then, seconds.
        received: requests, but control calls, preflight ones and bad ones.
        preflight: preflight requests.
        bad: connections closed because what came was no HTTP.
        runs: received by the value of `x-burstline-run`; without it: "".
        admitted: calls let in.
        throttled: calls refused, by layer.
        rejected: requests that met no quota: no route, no key, too large, a dry run.
        statuses: answers by status.
        function_errors: invocations whose code failed or timed out.
        integration_timeouts: answers given because the function took longer than the front waits.
        closed: connections closed in place of an answer, on purpose.
        hung: requests left without an answer, on purpose.
        lateness: of each answer's write against the instant it was meant for.
        loop_lag: of a timer that measures nothing but that.
        late_seconds: the seconds in which either was too large.
        log: `(t_s, run, number, status)` per answer; status 0 is "closed or hung on purpose".
    """

    log_count: int = 0
    started_s: float = 0.0
    started_cpu_s: float = 0.0
    received: int = 0
    preflight: int = 0
    bad: int = 0
    runs: Counter[str] = field(default_factory=Counter)
    admitted: int = 0
    throttled: Counter[Layer] = field(default_factory=Counter)
    rejected: int = 0
    statuses: Counter[int] = field(default_factory=Counter)
    function_errors: int = 0
    integration_timeouts: int = 0
    closed: int = 0
    hung: int = 0
    lateness: LatenessRecorder = field(default_factory=LatenessRecorder)
    loop_lag: LatenessRecorder = field(default_factory=LatenessRecorder)
    late_seconds: LateSeconds = field(init=False)
    log: deque[tuple[float, str, str, int]] = field(init=False)

    def __post_init__(self) -> None:
        self.late_seconds = LateSeconds(self.started_s)
        self.log = deque(maxlen=self.log_count)

    def receive(self, exchange: Exchange) -> None:
        """Count a request that came in."""
        if exchange.headers:
            if exchange.headers.get(PREFLIGHT_HEADER) == b"1":
                self.preflight += 1
                return
            run = exchange.header(RUN_HEADER).decode("latin-1")
            self.runs[run if run in self.runs or len(self.runs) < RUN_COUNT else "other"] += 1
        else:
            self.runs[""] += 1
        self.received += 1

    def answer(self, exchange: Exchange, status: int, now_s: float) -> None:
        """Count what became of a request in the end: a status, or 0 for none on purpose."""
        if self.log_count:
            run, number = (
                exchange.header(RUN_HEADER).decode("latin-1"),
                exchange.header(NUMBER_HEADER).decode("latin-1"),
            )
            self.log.append((round(now_s - self.started_s, 6), run, number, status))
        if status and not is_preflight(exchange):
            self.statuses[status] += 1

    def note_answer_lateness(self, now_s: float, due_s: float) -> None:
        """Record an answer written now that was meant for `due_s`."""
        self.lateness.add(now_s - due_s)
        self.late_seconds.add(now_s, now_s - due_s)

    def note_loop_lag(self, now_s: float, due_s: float) -> None:
        """Record a timer noticed now that was due at `due_s`."""
        self.loop_lag.add(now_s - due_s)
        self.late_seconds.add(now_s, now_s - due_s)

    @property
    def target_limited(self) -> bool:
        """The emulator is too late for its answers to be a quota's: lateness or loop lag p99 above 2 ms."""
        p99_s = (self.lateness.summary().p99_s, self.loop_lag.summary().p99_s)
        return any(late_s is not None and late_s > LIMIT_S for late_s in p99_s)


def is_preflight(exchange: Exchange) -> bool:
    """Whether a request is a preflight one, which no number but `preflight` counts."""
    return exchange.headers is not None and exchange.headers.get(PREFLIGHT_HEADER) == b"1"
