"""The fluid solver: expected flows through every quota, step by step, with what fluctuations do to them.

Buckets are sampled paths (`bucket_paths`), environments a mean flow with Erlang blocking (`environment_flow`); the runs
it returns are drawn from the distributions that follow (`fluctuation`). Everything is an estimate. Left out: a usage
plan's quota looks one step back, and what a bucket lets through is taken to fluctuate less in proportion.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from burstline.core.quota.admission.admission import PERIODS_S
from burstline.core.quota.forecast.bucket_paths import Refused, through_buckets
from burstline.core.quota.forecast.drawing import draw_runs
from burstline.core.quota.forecast.environment_flow import EnvironmentFlow
from burstline.core.quota.forecast.events import Pools
from burstline.core.quota.forecast.grid import STEPS, edges
from burstline.core.quota.forecast.loads import ForecastInput
from burstline.core.quota.forecast.records import Outcome
from burstline.core.quota.forecast.solved import Solved
from burstline.core.quota.forecast.solving import Assumptions
from burstline.core.quota.forecast.spread import function_peakedness, pool_peakedness
from burstline.core.quota.forecast.streams import Streams, planned_counts
from burstline.core.quota.quotas import INVOCATIONS_PER_ENVIRONMENT_PER_S, Account, Bucket, Layer

Floats = NDArray[np.float64]
Members = NDArray[np.bool_]


class FluidSolver:
    """Solves the flow once and draws runs from it.

    Args:
        runs: runs to draw, >= 1.
        steps: about how many steps to take at most.
    """

    name = "fluid"

    def __init__(self, runs: int = 79, steps: int = STEPS) -> None:
        self._runs, self._steps = runs, steps

    def solve(self, asked: ForecastInput, account: Account, assumed: Assumptions, seed: int) -> Sequence[Outcome]:
        """See `Solver`."""
        random = np.random.default_rng([seed, 7])
        shortest_s = min((min(f.duration.p50_s, f.timeout_s) for f in account.functions.values()), default=0.1)
        edges_s = edges([load.phases for load in asked.loads], shortest_s, steps=self._steps)
        streams = Streams(asked, account, edges_s, assumed.round_trip_s)
        gates = Gates(streams, account, random, self._runs, assumed.jitter_s)
        gates.pass_all()
        arriving = np.zeros((len(edges_s) - 1, len(streams.functions)))
        for call, function in enumerate(streams.function_of.tolist()):
            arriving[:, function] += gates.passed[:, call]
        pools = Pools(account, streams.functions)
        spread = pool_peakedness(streams, gates.passed, gates.calm, pools)
        flow = EnvironmentFlow(account, streams.functions, pools, spread)
        flowed = flow.run(edges_s, arriving)
        own = function_peakedness(streams, gates.passed, gates.calm)
        found = Solved(
            streams, gates.passed, gates.refused, gates.by_call, flow, flowed, pools, spread, own, assumed.jitter_s
        )
        return draw_runs(found, planned_counts(asked, random, streams, self._runs), random)


class Gates:
    """The buckets in front of the environments, in AWS's order.

    Attributes:
        passed: calls let through so far, per step (rows) and call.
        calm: 0 where a bucket refuses calls, else 1; same shape.
        refused: by layer, in their order: what it refused per path, when first, and its share of each call's requests.
    """

    def __init__(
        self, streams: Streams, account: Account, random: np.random.Generator, runs: int, jitter_s: float
    ) -> None:
        self._streams, self._account, self._random, self._runs = streams, account, random, runs
        self._jitter_s = jitter_s
        self._offered = streams.per_call()
        self.passed = self._offered.copy()
        self.calm = np.ones(self.passed.shape, np.float32)
        self.refused: dict[Layer, tuple[Floats, Floats]] = {}
        self.by_call: dict[Layer, Floats] = {}

    def pass_all(self) -> None:
        """Let all calls meet all buckets."""
        calls, account = self._streams.calls, self._account
        plans = [plan for plan in account.usage_plans.values() if plan.bucket is not None]
        self._layer(
            Layer.USAGE_PLAN,
            [plan.bucket for plan in plans if plan.bucket is not None],
            [[c.gateway and c.usage_plan == plan.name for c in calls] for plan in plans],
        )
        self._layer(
            Layer.STAGE,
            list(account.stages.values()),
            [[c.gateway and c.stage == s for c in calls] for s in account.stages],
        )
        self._layer(Layer.ACCOUNT_GATEWAY, [account.gateway], [[c.gateway for c in calls]])
        self._plan_quotas()
        self._invocations()

    def _invocations(self) -> None:
        functions = [self._streams.functions[i] for i in self._streams.function_of.tolist()]
        owners = dict.fromkeys(f.name for f in functions if f.reserved is not None)
        groups = [(self._account.functions[name].reserved or 0, [f.name == name for f in functions]) for name in owners]
        self._rate_rule([g for g in groups if g[0] == 0], Layer.RESERVED_CONCURRENCY)
        shared = [(self._account.unreserved(), [f.reserved is None for f in functions])]
        self._rate_rule([g for g in shared if g[0] == 0], Layer.ACCOUNT_CONCURRENCY)
        self._rate_rule([g for g in groups + shared if g[0] > 0], Layer.INVOCATION_RATE)

    def _rate_rule(self, groups: list[tuple[int, list[bool]]], layer: Layer) -> None:
        rates = [float(INVOCATIONS_PER_ENVIRONMENT_PER_S * concurrency) for concurrency, _ in groups]
        self._layer(layer, [Bucket(rate, rate) for rate in rates], [members for _, members in groups])

    def _layer(self, layer: Layer, buckets: list[Bucket], members: list[list[bool]]) -> None:
        """Let each bucket's members meet it; members of different buckets differ."""
        masks = [np.array(chosen, np.bool_) for chosen in members]
        met = [(bucket, mask) for bucket, mask in zip(buckets, masks, strict=True) if mask.any()]
        if not met:
            return
        arriving = np.array([self.passed[:, mask].sum(axis=1) for _, mask in met]).T
        variance = np.array([self._variance(mask) for _, mask in met]).T
        rates = np.array([bucket.rate_per_s for bucket, _ in met])
        bursts = np.array([bucket.burst for bucket, _ in met])
        edges_s = self._streams.edges_s
        found = through_buckets(edges_s, arriving, variance, rates, bursts, self._random, self._runs, self._jitter_s)
        self._take_off(layer, found, [mask for _, mask in met])

    def _variance(self, mask: Members) -> Floats:
        kept = self.passed[:, mask].sum(axis=1) / np.maximum(self._offered[:, mask].sum(axis=1), 1e-12)
        variance: Floats = self._streams.variance(mask) * np.square(kept) * self.calm[:, mask].min(axis=1)
        return variance

    def _take_off(self, layer: Layer, found: Refused, masks: list[Members]) -> None:
        ours = np.arange(len(self._streams.calls)) < self._streams.ours_count
        totals, first_s = np.zeros(self._runs), np.full(self._runs, np.inf)
        by_call = np.zeros(len(self._streams.calls))
        for bucket, mask in enumerate(masks):
            ratio = found.ratio[:, bucket]
            if not ratio.any():
                continue
            lost = self.passed[:, mask] * ratio[:, None]
            by_call[mask] += lost.sum(axis=0)
            own = float(lost[:, ours[mask]].sum()) / max(float(lost.sum()), 1e-12)
            totals += found.totals[:, bucket] * own
            if own > 0:
                first_s = np.minimum(first_s, found.first_s[:, bucket])
            self.passed[:, mask] *= (1.0 - ratio)[:, None]
            # what a refusing bucket lets through is its refill, which does not fluctuate
            self.calm[:, mask] *= (ratio <= 1e-3)[:, None]
        self._note(layer, totals, first_s, by_call)

    def _note(self, layer: Layer, totals: Floats, first_s: Floats, by_call: Floats) -> None:
        if not by_call.any():
            return
        if layer in self.refused:
            totals, first_s = totals + self.refused[layer][0], np.minimum(first_s, self.refused[layer][1])
            by_call = by_call + self.by_call[layer]
        self.refused[layer] = (totals, np.where(totals > 0, first_s, np.inf))
        self.by_call[layer] = by_call

    def _plan_quotas(self) -> None:
        """Refuse what is over a usage plan's count per period."""
        for plan in self._account.usage_plans.values():
            if plan.quota_limit is None:
                continue
            mask = np.array([c.gateway and c.usage_plan == plan.name for c in self._streams.calls], np.bool_)
            period = np.floor(self._streams.edges_s[:-1] / PERIODS_S[plan.quota_period or "month"])
            came = self.passed[:, mask].sum(axis=1)
            ratio, at_s = _over(came, period, float(plan.quota_limit), self._streams.edges_s)
            lost = self.passed[:, mask] * ratio[:, None]
            by_call = np.zeros(len(mask))
            by_call[mask] = lost.sum(axis=0)
            self.passed[:, mask] *= (1.0 - ratio)[:, None]
            self._note(Layer.USAGE_PLAN, np.full(self._runs, lost.sum()), np.full(self._runs, at_s), by_call)


def _over(came: Floats, period: Floats, limit: float, edges_s: Floats) -> tuple[Floats, float]:
    """Return the share of each step's calls beyond `limit` in its period, and when the first is."""
    total = np.cumsum(came)
    before = np.zeros(len(came))
    starts = np.flatnonzero(np.diff(period, prepend=-1.0))
    for start in starts.tolist():
        before[start:] = total[start] - came[start]
    excess = np.clip(total - before - limit, 0.0, came)
    ratio = np.divide(excess, came, out=np.zeros_like(came), where=came > 0)
    over = np.flatnonzero(excess > 0)
    if not len(over):
        return ratio, np.inf
    k = int(over[0])
    return ratio, float(edges_s[k] + (edges_s[k + 1] - edges_s[k]) * (1.0 - ratio[k]))
