"""Calls, environments and caps as a fluid: what enters, what is refused by concurrency and by the scaling rate.

Per step and function: calls from before that are still there; new calls, thinned by the blocking of their pool
(`erlang.LossCurve`); of those, as many cold ones as environments are missing; of these, as many as the scaling rate
allows. Implicit in the step's end, so that steps far longer than a call are right, too.
"""

from dataclasses import dataclass
from statistics import mean

import numpy as np
from numpy.typing import NDArray

from burstline.core.quota.admission.admission import IDLE_S
from burstline.core.quota.forecast.erlang import LossCurve
from burstline.core.quota.forecast.events import Pools
from burstline.core.quota.forecast.history import History
from burstline.core.quota.forecast.holding import Holding
from burstline.core.quota.quotas import (
    INVOCATIONS_PER_ENVIRONMENT_PER_S,
    LEGACY_REFILL_PER_S,
    SCALING_PERIOD_S,
    SCALING_STEP,
    Account,
    Function,
    Scaling,
)

Floats = NDArray[np.float64]
Singles = NDArray[np.float32]

_IDLE_BLOCK_S = 30.0


@dataclass(frozen=True, slots=True)
class Flowed:
    """What flowed, per step (rows) and function (columns).

    Attributes:
        blocked: calls refused by concurrency.
        unscaled: calls refused by the scaling rate.
        admitted: calls that ran.
        in_flight: mean calls in flight at each step's end.
        cold: environments started.
        provisioned: provisioned environments that serve, by function.
    """

    blocked: Singles
    unscaled: Singles
    admitted: Singles
    in_flight: Singles
    cold: Singles
    provisioned: Floats


class EnvironmentFlow:
    """The state from step to step.

    Args:
        account: its caps and scaling regime.
        functions: columns of everything.
        pools: the same, as the exact solver has them: the index of each function's slots, and their limits.
        peakedness: variance over mean of each pool's unlimited load.
    """

    def __init__(self, account: Account, functions: tuple[Function, ...], pools: Pools, peakedness: Floats) -> None:
        self.warm, self.cold = Holding(functions, cold=False), Holding(functions, cold=True)
        self._history = History(self.warm, self.cold, len(functions))
        self._slot_of = np.array(pools.slot_of, np.int64)
        self.curves = [LossCurve(n, z) for n, z in zip(pools.limits, peakedness.tolist(), strict=True)]
        self._limits = np.array(pools.limits, np.float64)[self._slot_of]
        self._quiet = np.array([curve.quiet_below for curve in self.curves])
        rate_cap = INVOCATIONS_PER_ENVIRONMENT_PER_S * self.warm.mean_s
        self.provisioned: Floats = np.array(pools.spare, np.float64) * np.minimum(1.0, rate_cap)
        self._environments = np.zeros(len(functions))
        self._in_flight = np.zeros(len(functions))
        self._legacy = account.scaling is Scaling.LEGACY
        self._burst = float(account.legacy_burst if self._legacy else SCALING_STEP)
        self._refill = LEGACY_REFILL_PER_S if self._legacy else SCALING_STEP / SCALING_PERIOD_S
        self._tokens = np.full(1 if self._legacy else len(functions), self._burst)
        self._recent: list[Floats] = [np.zeros(len(functions))]
        self._block = 0

    def run(self, edges_s: Floats, arriving: Floats) -> Flowed:
        """Let the calls of all steps flow.

        Args:
            edges_s: step edges, ascending.
            arriving: calls that passed the buckets, per step (rows) and function.
        """
        size = arriving.shape
        blocked, unscaled, admitted, in_flight, cold = (_singles(size) for _ in range(5))
        for k in range(len(arriving)):
            found = self._step(float(edges_s[k]), float(edges_s[k + 1]), arriving[k])
            blocked[k], unscaled[k], admitted[k], cold[k] = found
            in_flight[k] = self._in_flight
        return Flowed(blocked, unscaled, admitted, in_flight, cold, self.provisioned)

    def _step(self, start_s: float, end_s: float, arriving: Floats) -> tuple[Floats, Floats, Floats, Floats]:
        width = end_s - start_s
        self._expire(start_s)
        ages = np.array([width])
        warm_left, cold_left = (time.integral(ages)[0] / width for time in (self.warm, self.cold))
        staying = self._history.staying(end_s)
        kept = np.divide(staying, self._in_flight, out=np.zeros_like(staying), where=self._in_flight > 1e-12)
        on_provisioned = np.minimum(self._in_flight, self.provisioned) * kept
        in_slots = staying - on_provisioned
        free_provisioned = self.provisioned - on_provisioned
        wish = arriving * warm_left
        slot_ratio = np.divide(wish - np.minimum(wish, free_provisioned), wish, out=np.ones_like(wish), where=wish > 0)
        ceiling = self._scaling_ceiling(width, in_slots, arriving * slot_ratio, warm_left, cold_left)
        demand = np.minimum(arriving * slot_ratio, ceiling)
        lost = self._lost_ratio(in_slots, demand * warm_left)
        blocked = arriving * slot_ratio * lost
        through = arriving * slot_ratio - blocked
        entering = np.minimum(through, ceiling)
        missing = (in_slots + entering * warm_left - self._environments) / (1.0 - cold_left + warm_left)
        started = np.clip(np.minimum(missing, self._limits - self._environments), 0.0, entering)
        self._tokens = np.maximum(self._tokens - (started.sum() if self._legacy else started), 0.0)
        admitted = entering + arriving * (1.0 - slot_ratio)
        self._environments += started
        self._history.add(end_s, admitted - started, started)
        self._in_flight = staying + (admitted - started) * warm_left + started * cold_left
        np.maximum(
            self._recent[-1], self._in_flight - np.minimum(self._in_flight, self.provisioned), out=self._recent[-1]
        )
        return blocked, through - entering, admitted, started

    def _scaling_ceiling(
        self, width: float, in_slots: Floats, asking: Floats, warm_left: Floats, cold_left: Floats
    ) -> Floats:
        """How many calls can enter slots before the scaling rate refuses one; legacy tokens go as they are needed."""
        self._tokens = np.minimum(self._burst, self._tokens + self._refill * width)
        per_start = 1.0 - cold_left + warm_left
        allowed = self._tokens
        if self._legacy:
            needed = np.maximum((in_slots + asking * warm_left - self._environments) / per_start, 0.0)
            total = float(needed.sum())
            allowed = (
                needed * min(1.0, float(self._tokens[0]) / total) if total > 0 else np.full_like(needed, allowed[0])
            )
        room = self._environments + allowed * per_start - in_slots
        return np.maximum(room, 0.0) / np.maximum(warm_left, 1e-12) * (1.0 + 1e-9)

    def _lost_ratio(self, in_slots: Floats, entering: Floats) -> Floats:
        """The share of calls lost in each function's pool."""
        staying = np.bincount(self._slot_of, weights=in_slots, minlength=len(self.curves))
        arriving = np.bincount(self._slot_of, weights=entering, minlength=len(self.curves))
        lost = np.zeros(len(self.curves))
        for slot in np.flatnonzero((staying + arriving > self._quiet) & (arriving > 0)).tolist():
            lost[slot] = self.curves[slot].lost_ratio(float(staying[slot]), float(arriving[slot]))
        found: Floats = lost[self._slot_of]
        return found

    def _expire(self, now_s: float) -> None:
        """Environments that nothing used for the mean idle time are gone; looked at every `_IDLE_BLOCK_S`."""
        block = int(now_s // _IDLE_BLOCK_S)
        if block == self._block:
            return
        self._block = block
        keep = int(mean(IDLE_S) / _IDLE_BLOCK_S)
        self._recent = self._recent[-keep:]
        np.minimum(self._environments, np.max(self._recent, axis=0), out=self._environments)
        self._recent.append(np.zeros_like(self._environments))


def _singles(size: tuple[int, ...]) -> Singles:
    return np.zeros(size, np.float32)
