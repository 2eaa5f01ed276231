"""The environments behind the buckets, call by call: concurrency, provisioned and idle environments, scaling rate.

The laws and the random stream are `Admission`'s, decision for decision (the tests compare them); what differs is only
that nothing is an object here, which makes it several times as fast. Where no environment can grow old within the run,
environments are interchangeable and counting them is enough.
"""

from dataclasses import dataclass
from heapq import heappop, heappush
from random import Random

import numpy as np
from numpy.typing import NDArray

from burstline.core.quota.admission.admission import IDLE_S
from burstline.core.quota.admission.buckets import TokenBucket
from burstline.core.quota.admission.replay import LAYER_CODES
from burstline.core.quota.admission.scaling import ScalingRate
from burstline.core.quota.quotas import INVOCATIONS_PER_ENVIRONMENT_PER_S, Account, Function, Layer


@dataclass(frozen=True, slots=True)
class Ran:
    """What became of the calls that reached the environments.

    Attributes:
        codes: per call, 0 or the `LAYER_CODES` of what refused it.
        cold: per call, whether an environment was started for it.
        peak: most calls in flight, per function.
        peak_claimed: most account concurrency claimed.
    """

    codes: NDArray[np.int8]
    cold: NDArray[np.bool_]
    peak: list[int]
    peak_claimed: int


class Pools:
    """The caps of each function, by its index in `functions`."""

    def __init__(self, account: Account, functions: tuple[Function, ...]) -> None:
        listed = account.functions.values()
        unreserved_provisioned = sum(f.provisioned for f in listed if f.reserved is None)
        self.set_aside = account.reserved_total() + unreserved_provisioned
        self.limits = [max(0, account.unreserved() - unreserved_provisioned)]
        self.layers = [LAYER_CODES[Layer.ACCOUNT_CONCURRENCY]]
        self.slot_of: list[int] = []
        self.spare: list[int] = []
        self.rates: list[TokenBucket | None] = []
        scaling = ScalingRate(account)
        self.scaling = [scaling.bucket_for_function() for _ in functions]
        for function in functions:
            provisioned = function.provisioned
            if function.reserved is None:
                self.slot_of.append(0)
            else:
                provisioned = min(provisioned, function.reserved)
                self.slot_of.append(len(self.limits))
                self.limits.append(function.reserved - provisioned)
                self.layers.append(LAYER_CODES[Layer.RESERVED_CONCURRENCY])
            self.spare.append(provisioned)
            rate_per_s = float(INVOCATIONS_PER_ENVIRONMENT_PER_S * provisioned)
            self.rates.append(TokenBucket(rate_per_s, rate_per_s) if provisioned else None)


def run(
    account: Account,
    functions: tuple[Function, ...],
    times_s: NDArray[np.float64],
    which: NDArray[np.int64],
    service_s: NDArray[np.float64],
    seed: int = 0,
    idle_s: tuple[float, float] = IDLE_S,
) -> Ran:
    """Play calls that passed the buckets.

    Args:
        account: its caps and scaling regime.
        functions: what the calls invoke.
        times_s: when they arrive, ascending seconds.
        which: index into `functions`; same length.
        service_s: warm service times, seconds; cut at each function's timeout here.
        seed: as in `Admission`.
        idle_s: as in `Admission`.
    """
    pools = Pools(account, functions)
    timeouts = np.array([f.timeout_s for f in functions])
    init_s = [f.init_s for f in functions]
    ends: list[float] = (times_s + np.minimum(service_s, timeouts[which])).tolist() if len(times_s) else []
    single = len(functions) == 1 and not any(pools.spare)
    span_s = float(times_s[-1] - times_s[0]) if len(times_s) else 0.0
    if single and span_s < idle_s[0]:
        return _run_single(pools, times_s.tolist(), ends, init_s[0])
    return _run_many(pools, times_s.tolist(), which.tolist(), ends, init_s, Random(seed), idle_s)


def _run_single(pools: Pools, times: list[float], ends: list[float], init_s: float) -> Ran:
    """One function without provisioned concurrency, no environment old enough to go: the heap is the state."""
    slot = pools.slot_of[0]
    limit, code, scaling = pools.limits[slot], pools.layers[slot], pools.scaling[0]
    codes, cold = bytearray(len(times)), bytearray(len(times))
    running: list[float] = []
    environments = 0
    index = -1
    for now in times:
        index += 1
        while running and running[0] <= now:
            heappop(running)
        in_use = len(running)
        if in_use >= limit:
            codes[index] = code
        elif in_use < environments:
            heappush(running, ends[index])
        elif scaling.take(now):
            environments += 1
            cold[index] = 1
            heappush(running, ends[index] + init_s)
        else:
            codes[index] = LAYER_CODES[Layer.SCALING_RATE]
    # one is started only when all are busy: so many were in flight then, and never more
    claimed = pools.set_aside + (environments if slot == 0 else 0)
    return Ran(np.frombuffer(codes, np.int8), np.frombuffer(cold, np.bool_), [environments], claimed)


def _run_many(
    pools: Pools,
    times: list[float],
    which: list[int],
    ends: list[float],
    init_s: list[float],
    random: Random,
    idle_s: tuple[float, float],
) -> Ran:
    limits, slot_of, spare, rates = pools.limits, pools.slot_of, pools.spare, pools.rates
    codes, cold = bytearray(len(times)), bytearray(len(times))
    running: list[tuple[float, int, int, float]] = []
    idle: list[list[tuple[float, float]]] = [[] for _ in slot_of]
    in_flight, peak = [0] * len(slot_of), [0] * len(slot_of)
    used, claimed = [0] * len(limits), 0
    scaling_code = LAYER_CODES[Layer.SCALING_RATE]
    for index, now in enumerate(times):
        while running and running[0][0] <= now:
            end, _, ended, keep = heappop(running)
            in_flight[ended] -= 1
            if keep < 0:
                spare[ended] += 1
            else:
                used[slot_of[ended]] -= 1
                idle[ended].append((end + keep, keep))
        f = which[index]
        rate = rates[f]
        if rate is not None and spare[f] and rate.take(now):
            spare[f] -= 1
            heappush(running, (ends[index], index, f, -1.0))
        else:
            slot = slot_of[f]
            if used[slot] >= limits[slot]:
                codes[index] = pools.layers[slot]
                continue
            stack = idle[f]
            while stack:
                until, keep = stack.pop()
                if until >= now:
                    heappush(running, (ends[index], index, f, keep))
                    break
            else:
                if not pools.scaling[f].take(now):
                    codes[index] = scaling_code
                    continue
                cold[index] = 1
                heappush(running, (ends[index] + init_s[f], index, f, random.uniform(*idle_s)))
            used[slot] += 1
            if slot == 0 and used[0] > claimed:
                claimed = used[0]
        in_flight[f] += 1
        if in_flight[f] > peak[f]:
            peak[f] = in_flight[f]
    return Ran(np.frombuffer(codes, np.int8), np.frombuffer(cold, np.bool_), peak, pools.set_aside + claimed)
