"""Execution environments and the slots they run in: who may run one more call, and in which environment.

What AWS documents (Lambda Developer Guide, "Understanding Lambda function scaling", "Configuring reserved
concurrency", "Configuring provisioned concurrency"; read 2026-11-23): concurrency is calls in flight; reserved
concurrency is a function's own and leaves the pool that all other functions share; provisioned environments are
always initialised, are claimed from that pool (or from the function's reserved concurrency) even when idle, serve
up to 10 requests/s each, and what they cannot serve spills over to on-demand concurrency.

What is our assumption: the most recently used idle environment is reused first, an idle one is taken away after
5 to 7 minutes (AWS guarantees no time), and a busy one is never taken away (AWS: "every few hours").
"""

from burstline.core.quota.admission.buckets import TokenBucket
from burstline.core.quota.quotas import INVOCATIONS_PER_ENVIRONMENT_PER_S, Function, Layer


class Environment:
    """One execution environment. A handle: only `FunctionPool` changes it.

    Attributes:
        pool: the function's environments that it belongs to.
        provisioned: it belongs to provisioned concurrency, and was never cold.
        busy: a call runs in it.
        keep_s: how long it stays when idle, seconds.
        idle_until_s: when it is taken away if nothing uses it; meaningful while idle.
    """

    __slots__ = ("busy", "idle_until_s", "keep_s", "pool", "provisioned")

    def __init__(self, pool: "FunctionPool", provisioned: bool, keep_s: float) -> None:
        self.pool = pool
        self.provisioned = provisioned
        self.busy = False
        self.keep_s = keep_s
        self.idle_until_s = 0.0


class Slots:
    """Concurrency that on-demand calls draw from: the account's shared pool, or one function's reserved one.

    Args:
        limit: calls at a time, >= 0.
        layer: what a refusal is called.
    """

    __slots__ = ("in_use", "layer", "limit", "peak")

    def __init__(self, limit: int, layer: Layer) -> None:
        self.limit = max(0, limit)
        self.layer = layer
        self.in_use = 0
        self.peak = 0


class FunctionPool:
    """One function's environments.

    Args:
        function: its settings.
        slots: what its on-demand calls draw from.
        provisioned: environments that are always there, >= 0.

    Attributes:
        in_use: calls in flight now.
        peak: most calls in flight at once.
        cold_starts: environments that were started for a call.
    """

    __slots__ = ("_idle", "_spare", "cold_starts", "function", "in_use", "peak", "provisioned_rate", "slots")

    def __init__(self, function: Function, slots: Slots, provisioned: int) -> None:
        self.function = function
        self.slots = slots
        self.in_use = 0
        self.peak = 0
        self.cold_starts = 0
        self._idle: list[Environment] = []
        self._spare = [Environment(self, True, 0.0) for _ in range(provisioned)]
        rate_per_s = float(INVOCATIONS_PER_ENVIRONMENT_PER_S * provisioned)
        self.provisioned_rate = TokenBucket(rate_per_s, rate_per_s) if provisioned else None

    def take_provisioned(self, now_s: float) -> Environment | None:
        """Return a free provisioned environment, now busy; None is "spill over to on-demand"."""
        if not self._spare or self.provisioned_rate is None or not self.provisioned_rate.take(now_s):
            return None
        environment = self._spare.pop()
        environment.busy = True
        self._count_up()
        return environment

    def take_idle(self, now_s: float) -> Environment | None:
        """Return the idle environment used last, now busy and in a slot; None if there is none left.

        Call only when `slots` has room.
        """
        idle = self._idle
        while idle:
            environment = idle.pop()
            if environment.idle_until_s >= now_s:
                environment.busy = True
                self._enter_slot()
                return environment
        return None

    def start(self, keep_s: float) -> Environment:
        """Return a new environment, busy and in a slot: a cold start. Call only when `slots` has room.

        Args:
            keep_s: how long it stays when idle, seconds, >= 0.
        """
        environment = Environment(self, False, keep_s)
        environment.busy = True
        self.cold_starts += 1
        self._enter_slot()
        return environment

    def give_back(self, now_s: float, environment: Environment) -> None:
        """Take back a busy environment whose call ended at `now_s`.

        Raises:
            ValueError: it is not busy: the call was finished twice.
        """
        if not environment.busy:
            raise ValueError("this call has already finished")
        environment.busy = False
        self.in_use -= 1
        if environment.provisioned:
            self._spare.append(environment)
            return
        self.slots.in_use -= 1
        environment.idle_until_s = now_s + environment.keep_s
        self._idle.append(environment)

    def _enter_slot(self) -> None:
        slots = self.slots
        slots.in_use += 1
        if slots.in_use > slots.peak:
            slots.peak = slots.in_use
        self._count_up()

    def _count_up(self) -> None:
        self.in_use += 1
        if self.in_use > self.peak:
            self.peak = self.in_use
