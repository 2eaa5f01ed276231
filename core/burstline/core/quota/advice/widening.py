"""Bursts that are larger than a bucket, made as wide and as far apart as it needs, and played through it."""

from dataclasses import replace
from math import ceil, floor, log10

from burstline.core.load.plan import Bursts, Phase, Plan
from burstline.core.load.schedule import Schedule
from burstline.core.quota.admission.buckets import TokenBucket
from burstline.core.quota.advice.demand import scaled
from burstline.core.quota.quotas import Bucket

MOST_PLAYED = 300_000
"""Arrivals of plans that are played; of longer ones the changes are said with the law alone."""


def plan_changes(plan: Plan, bucket: Bucket, scale: float = 1.0) -> tuple[str, ...]:
    """Return how each burst train must change to pass `bucket`: width >= (size - burst) / rate, every >= size /
    (rate - base); and what playing the plan with all of these changes through the bucket came to.

    Args:
        scale: factor on the plan's sizes and rates.
    """
    load = scaled(plan.load, scale)
    changed = tuple(_widened(phase, bucket) for phase in load)
    texts = [_text(after, bucket) for before, after in zip(load, changed, strict=True) if after != before]
    if not texts:
        return ()
    checked = _checked(replace(plan, load=changed), bucket)
    return tuple(f"{text}{checked}." for text in texts)


def _widened(phase: Phase, bucket: Bucket) -> Phase:
    shape = phase.shape
    if not isinstance(shape, Bursts) or bucket.rate_per_s <= shape.base_per_s:
        return phase
    width_s, lasting_s = _needed(shape, bucket)
    if width_s <= shape.width_s and lasting_s <= shape.every_s:
        return phase
    every_s = max(lasting_s, shape.every_s, width_s)
    wide = Bursts(shape.size, every_s, max(width_s, shape.width_s), shape.base_per_s)
    return replace(phase, duration_s=phase.duration_s * every_s / shape.every_s, shape=wide)


def _needed(shape: Bursts, bucket: Bucket) -> tuple[float, float]:
    """The least width and distance of bursts, seconds; what the base takes from the rate is not there for them."""
    rest_per_s = bucket.rate_per_s - shape.base_per_s
    # the last one leaves a gap before the width's end
    wide = max(0.0, shape.size - bucket.burst) * shape.size / max(1, shape.size - 1)
    return _rounded_up(wide / rest_per_s), _rounded_up(shape.size / rest_per_s)


def _text(phase: Phase, bucket: Bucket) -> str:
    assert isinstance(phase.shape, Bursts)
    width_s, lasting_s = _needed(phase.shape, bucket)
    return (
        f"Change the plan: bursts of {phase.shape.size:,} ({phase.name}) pass a rate of {bucket.rate_per_s:,.0f} and a "
        f"burst of {bucket.burst:,.0f} when spread over {width_s:.3g} s or more, {lasting_s:.3g} s apart"
    )


def _checked(plan: Plan, bucket: Bucket) -> str:
    schedule = Schedule(plan.load, plan.seed)
    if schedule.count > MOST_PLAYED:
        return " (worked out, not replayed: the plan is too long)"
    tokens = TokenBucket(bucket.rate_per_s, bucket.burst)
    refused = sum(not tokens.take(at_s) for at_s in schedule.offsets(0, schedule.count).tolist())
    if not refused:
        return ": replayed, none is throttled"
    return f": replayed, {refused:,} of what else the plan sends are throttled all the same"


def _rounded_up(value_s: float) -> float:
    """To three figures, which is what is said: what is said is what is played."""
    if value_s <= 0:
        return 0.0
    step = 10.0 ** (floor(log10(value_s)) - 2)
    return ceil(value_s / step - 1e-9) * step
