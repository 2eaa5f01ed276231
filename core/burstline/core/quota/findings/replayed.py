"""Answers that may be throttled calls, told by playing the run against the declared limits.

Bins do not tell functions apart, so that no level in flight can be held against each one's cap, and a function near
100 ms meets its cap and the 10x rule in turn. But which function every arrival asked for is known, and so are the
limits: the admission model says about when they refuse. Ambiguous answers that come then, in about such numbers, and
not else, are throttles; those that took as long as work are errors.
"""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from burstline.core.load.plan import Plan
from burstline.core.load.samples import Outcome
from burstline.core.load.schedule import Schedule
from burstline.core.load.totals import Totals
from burstline.core.load.window import BINS_PER_S
from burstline.core.quota.admission.replay import LAYER_CODES
from burstline.core.quota.advice.demand import demand_of
from burstline.core.quota.advice.playing import play
from burstline.core.quota.answers.classify import meaning
from burstline.core.quota.answers.inflight import admitted_signatures, floor_of
from burstline.core.quota.answers.limits import concurrency_limits
from burstline.core.quota.answers.series import Floats, Ints, Series
from burstline.core.quota.answers.settle import Decided, at_limit, is_quick
from burstline.core.quota.fitting.errors import NO_ERRORS, ErrorShare
from burstline.core.quota.fitting.fitting import FitResult
from burstline.core.quota.quotas import Account, Family, Layer

MOST_DRAWS = 5
MOST_REPLAYED = 150_000
"""Draws of service times that are averaged, and arrivals that all of them replay together at most."""

AROUND_BINS = BINS_PER_S
"""Bins over which refusals are averaged: when exactly a cap is reached is chance."""

LEAST_EXPECTED = 0.25
"""Refusals expected within `AROUND_BINS` from which a limit is taken to be reached."""

ALIKE = 3.0
"""Ratio of what was expected and what was seen up to which they are alike."""

FAMILIES = {
    Layer.RESERVED_CONCURRENCY: Family.CONCURRENCY,
    Layer.ACCOUNT_CONCURRENCY: Family.CONCURRENCY,
    Layer.INVOCATION_RATE: Family.INVOCATION_RATE,
    Layer.SCALING_RATE: Family.SCALING_RATE,
}


def replayed_decisions(
    plan: Plan,
    account: Account,
    schedule: Schedule,
    totals: Totals,
    series: Series,
    fitted: FitResult,
    decided: Mapping[str, Decided],
) -> Mapping[str, Decided]:
    """Return `decided`, and what a replay says of other ambiguous answers; where it says nothing they are missing.

    Args:
        plan: of the run, open-model phases only: when users' requests leave is not known.
        account: with declared limits of Lambda.
        schedule: of the plan.
        totals: of the run.
        series: of `totals`.
        fitted: tells which answers took as long as work.
        decided: what is settled already.
    """
    found = dict(decided)
    if (
        schedule.users_phases
        or schedule.count > MOST_REPLAYED
        or not any(cap.declared for cap in concurrency_limits(plan, account))
    ):
        return found
    admitted = series.sum_of(admitted_signatures(series))
    for signature in totals.signatures():
        unsettled = meaning(signature).outcome is Outcome.UNSETTLED and signature not in found
        if unsettled and is_quick(totals, signature)[0]:
            seen = _less(series.sum_of({signature}), admitted, fitted.slow.get(signature, NO_ERRORS))
            expected, layers = _expected(plan, account, schedule, totals, series, signature)
            decision = _decided(signature, seen, admitted, expected, layers)
            if decision is not None:
                found[signature] = decision
    return found


def _less(seen: Ints, admitted: Ints, errors: ErrorShare) -> Ints:
    """Take errors out of answers by bin, so that their sum is right."""
    kept = np.maximum(0.0, seen - errors.among_passed(admitted + seen) if errors.begun is not None else seen)
    excess = float(seen.sum()) - float(kept.sum()) - (0.0 if errors.begun is None else float(errors.begun.sum()))
    kept *= 1 + excess / max(1.0, float(kept.sum()))
    whole: Ints = np.minimum(np.diff(np.round(np.cumsum(kept)).astype(np.int64), prepend=0), seen)
    return whole


def _decided(
    signature: str, seen: Ints, admitted: Ints, expected: Floats, layers: Mapping[Layer, float]
) -> Decided | None:
    """What was refused, if it came when it was expected to, and about as often."""
    if not layers:
        return None
    near = np.convolve(expected, np.ones(AROUND_BINS), "same")[: len(expected)] >= LEAST_EXPECTED
    bins = at_limit(near, True, seen, admitted)
    total = float(expected.sum())
    if bins is None or not total / ALIKE <= bins.sum() <= total * ALIKE:
        return None
    most = max(layers, key=lambda layer: layers[layer])
    text = (
        f"{int(bins.sum()):,} answers {signature} are throttled calls: they came when the declared limits, replayed "
        f"with this run's arrivals, refuse {total:,.0f}"
    )
    return FAMILIES[most], bins, text


def _expected(
    plan: Plan, account: Account, schedule: Schedule, totals: Totals, series: Series, signature: str
) -> tuple[Floats, dict[Layer, float]]:
    """Refusals by Lambda's limits by bin of sending, the mean over some draws, and by layer."""
    by_bin, by_layer = np.zeros(series.count), dict[Layer, float]()
    demand = demand_of(
        replace(plan, goal=None), account, schedule, totals, series, floor_of(totals, frozenset({signature}))
    )
    if len(demand.services) < len(demand.functions):
        return by_bin, by_layer
    bins = np.minimum((demand.times_s * BINS_PER_S).astype(np.int64), series.count - 1)
    draws = max(1, min(MOST_DRAWS, MOST_REPLAYED // max(1, len(bins))))
    for seed in range(draws):
        result = play(plan, account, demand, seed)
        for layer in FAMILIES:
            refused = result.layers == LAYER_CODES[layer]
            if refused.any():
                by_bin += np.bincount(bins[refused], minlength=series.count) / draws
                by_layer[layer] = by_layer.get(layer, 0.0) + float(refused.sum()) / draws
    return by_bin, by_layer
