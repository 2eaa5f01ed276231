"""Runs drawn from what the fluid solver found: each a plausible one, with its own peaks, counts and first refusals."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from burstline.core.quota.admission.admission import IDLE_S
from burstline.core.quota.admission.replay import LAYERS
from burstline.core.quota.admission.service_times import lognormal
from burstline.core.quota.forecast.fluctuation import (
    begins,
    clusters,
    counts,
    peaks,
    recurring_starts,
    time_at_top,
)
from burstline.core.quota.forecast.pace import draw_unscaled
from burstline.core.quota.forecast.records import NEVER, FunctionOutcome, Outcome
from burstline.core.quota.forecast.solved import Solved
from burstline.core.quota.forecast.streams import Streams
from burstline.core.quota.quotas import Layer

Floats = NDArray[np.float64]

MODEL_ERROR = 0.02
"""Relative deviation of refusals near a pool's saturation that the closure of `LossCurve` was found to have, about."""

BUCKET_ERROR = 0.001
"""The same for buckets: a fluid has no whole requests, and a step ends where it ends."""


def draw_runs(found: Solved, planned: Floats, random: np.random.Generator) -> Sequence[Outcome]:
    """Return one run for each of the planned request counts."""
    runs = len(planned)
    streams = found.streams
    size = len(streams.functions)
    ours = np.arange(len(streams.calls)) < streams.ours_count
    passed = found.passed.sum(axis=0)
    own_share = _ratio(_by(streams, passed * ours, size), _by(streams, passed, size))
    totals, first_s = dict[Layer, Floats](), dict[Layer, Floats]()
    losses: dict[Layer, Floats] = {}
    for layer, (refused, at_s) in found.at_gates.items():
        first_s[layer] = at_s
        losses[layer] = _by(streams, found.gate_losses[layer] * ours, size)
        totals[layer] = np.maximum(0.0, refused * np.exp(BUCKET_ERROR * random.standard_normal(runs)))
    _draw_inside(found, own_share, totals, first_s, losses, random, runs)
    return _assembled(found, planned, own_share, totals, first_s, losses, random)


def _draw_inside(
    found: Solved,
    own_share: Floats,
    totals: dict[Layer, Floats],
    first_s: dict[Layer, Floats],
    losses: dict[Layer, Floats],
    random: np.random.Generator,
    runs: int,
) -> None:
    """Draw refusals by concurrency, pool by pool, and by the scaling rate."""
    slot_of = np.array(found.pools.slot_of)
    widths = np.diff(found.streams.edges_s)
    for slot, (limit, code) in enumerate(zip(found.pools.limits, found.pools.layers, strict=True)):
        mine = np.flatnonzero(slot_of == slot)
        blocked = found.flowed.blocked[:, mine] @ own_share[mine] if len(mine) else np.zeros(1)
        if blocked.sum() < 1e-6:
            continue
        together, variance = _pool_variance(found, slot, mine, blocked, widths, float(limit))
        drawn = counts(float(blocked.sum()), float(variance.sum()), random, runs)
        drawn *= np.exp(MODEL_ERROR * random.standard_normal(runs))
        onset = _onset(found, mine, float(limit), widths)
        at_s = begins(found.streams.edges_s, onset, blocked, together, random, runs)
        at_s = at_s + random.exponential(found.jitter_s, runs)
        at_s = np.maximum(
            0.0, at_s + _crossing_deviation_s(found, slot, mine, blocked, widths) * random.standard_normal(runs)
        )
        _add(LAYERS[code - 1], drawn, at_s, (found.flowed.blocked.sum(axis=0) * own_share) * (slot_of == slot),
             totals, first_s, losses)  # fmt: skip
    unscaled = found.flowed.unscaled @ own_share
    if unscaled.sum() >= 1e-6:
        drawn, at_s = draw_unscaled(found, own_share, random, runs)
        by_function = found.flowed.unscaled.sum(axis=0) * own_share
        _add(Layer.SCALING_RATE, drawn, at_s, by_function, totals, first_s, losses)


def _add(
    layer: Layer,
    drawn: Floats,
    at_s: Floats,
    by_function: Floats,
    totals: dict[Layer, Floats],
    first_s: dict[Layer, Floats],
    losses: dict[Layer, Floats],
) -> None:
    """Add a pool's refusals to its layer; a run without a first refusal has none, one with it at least one."""
    drawn = np.where(at_s == NEVER, 0.0, np.maximum(drawn, 1.0))
    totals[layer] = totals.get(layer, np.zeros(len(drawn))) + drawn
    first_s[layer] = np.minimum(first_s.get(layer, np.full(len(drawn), NEVER)), at_s)
    losses[layer] = losses.get(layer, np.zeros(len(by_function))) + by_function


def _pool_variance(
    found: Solved, slot: int, mine: NDArray[np.intp], blocked: Floats, widths: Floats, limit: float
) -> tuple[Floats, Floats]:
    """Return per step how many refusals come together, and their variance.

    Lightly loaded, refusals are rare clusters. Overloaded, they are arrivals less what the busy servers finish, which
    each finish at the pace of a renewal process: `variance = arrivals' + servers / E[S] * (sd S / E[S])**2` per second.
    """
    streams, flow = found.streams, found.flow
    hold_s = flow.warm.mean_s[mine]
    flow_in = (found.flowed.admitted[:, mine] + found.flowed.blocked[:, mine]).astype(np.float64)
    offered = (flow_in @ hold_s) / widths
    together = clusters(offered, limit, float(max(found.pool_spread[slot], 0.02)))
    light = blocked * (2.0 * together - 1.0)
    mean_s = np.divide(flow_in @ hold_s, flow_in.sum(axis=1), out=np.full(len(widths), 1.0), where=offered > 0)
    squared = np.array([np.expm1(lognormal(streams.functions[i].duration)[1] ** 2) for i in mine.tolist()])
    uneven = _ratio(flow_in @ squared, flow_in.sum(axis=1))
    members = np.isin(streams.function_of, mine)
    heavy = streams.variance(members) + limit / mean_s * uneven * widths
    return together, np.minimum(light, heavy + 1e-9)


def _assembled(
    found: Solved,
    planned: Floats,
    own_share: Floats,
    totals: dict[Layer, Floats],
    first_s: dict[Layer, Floats],
    losses: dict[Layer, Floats],
    random: np.random.Generator,
) -> Sequence[Outcome]:
    streams, runs = found.streams, len(planned)
    names = [f.name for f in streams.functions]
    calls = streams.per_call().sum(axis=0)
    ours = np.arange(len(streams.calls)) < streams.ours_count
    asked = _by(streams, calls * ours, len(names))
    gateway_ratio = float(sum(n for n, c, o in zip(calls, streams.calls, ours, strict=True) if o and c.gateway))
    gateway_ratio /= max(float(asked.sum()), 1e-12)
    _limit(totals, planned)
    peak, cold, claimed = _draw_peaks(found, random, runs)
    _fill_pools(found, totals, peak, claimed)
    refused = np.zeros((runs, len(names)))
    for layer, drawn in totals.items():
        expected = losses[layer]
        refused += np.outer(drawn, expected / max(float(expected.sum()), 1e-12))
    counted = np.outer(planned, asked / max(float(asked.sum()), 1e-12))
    refused = np.minimum(refused, counted)
    ran = counted - refused
    init_s = np.array([f.init_s for f in streams.functions])
    billed = ran * found.flow.warm.mean_s + cold * own_share * init_s
    outcomes = []
    for r in range(runs):
        functions = {
            name: FunctionOutcome(*(float(v[r, i]) for v in (counted, refused, ran, billed, peak, cold)))
            for i, name in enumerate(names)
        }
        refusing = {layer: float(drawn[r]) for layer, drawn in totals.items() if drawn[r] > 0}
        begun = {layer: float(first_s[layer][r]) for layer in refusing}
        gateway = float(planned[r]) * gateway_ratio
        outcomes.append(Outcome(float(planned[r]), gateway, refusing, begun, functions, float(claimed[r])))
    return outcomes


def _draw_peaks(found: Solved, random: np.random.Generator, runs: int) -> tuple[Floats, Floats, Floats]:
    """Return peaks and cold starts (runs by functions) and the peak of claimed account concurrency (runs)."""
    flowed, widths = found.flowed, np.diff(found.streams.edges_s)
    size, slot_of = len(found.streams.functions), found.pools.slot_of
    started = flowed.cold.sum(axis=0)
    peak, cold = np.zeros((runs, size)), np.zeros((runs, size))
    watched_s = float(found.streams.edges_s[-1])
    for i in range(size):
        hold_s, spread = float(found.flow.warm.mean_s[i]), float(found.own_spread[i])
        top, span_s = time_at_top(flowed.in_flight[:, i].astype(np.float64), widths, spread)
        cap = found.pools.limits[slot_of[i]] + found.pools.spare[i]
        drawn = np.minimum(peaks(top, spread, span_s / max(hold_s, 1e-9), random, runs), cap)
        peak[:, i] = np.floor(drawn + 0.5)
        above = np.maximum(peak[:, i] - max(top, float(found.pools.spare[i])), 0.0)
        again = 0.0 if flowed.provisioned[i] >= top else recurring_starts(
            spread, top - float(flowed.provisioned[i]), hold_s, span_s, sum(IDLE_S) / 2
        )  # fmt: skip
        cold[:, i] = started[i] + above + counts(again, again, random, runs)
    shared = np.flatnonzero(np.array(slot_of) == 0)
    in_slots = np.maximum(flowed.in_flight[:, shared] - flowed.provisioned[shared], 0.0).sum(axis=1, dtype=np.float64)
    top, span_s = time_at_top(in_slots, widths, float(found.pool_spread[0]))
    hold_s = float(found.flow.warm.mean_s[shared].mean()) if len(shared) else 1.0
    drawn = peaks(top, float(found.pool_spread[0]), min(span_s, watched_s) / max(hold_s, 1e-9), random, runs)
    claimed = found.pools.set_aside + np.floor(np.minimum(drawn, found.pools.limits[0]) + 0.5)
    return peak, cold, claimed


def _limit(totals: dict[Layer, Floats], planned: Floats) -> None:
    """Layers are drawn apart: together they refuse no more than there is."""
    if totals:
        whole = np.sum(list(totals.values()), axis=0)
        kept = np.minimum(1.0, planned / np.maximum(whole, 1e-12))
        for layer in totals:
            totals[layer] = totals[layer] * kept


def _fill_pools(found: Solved, totals: dict[Layer, Floats], peak: Floats, claimed: Floats) -> None:
    """Where a pool refused calls it was full: its peak is its limit."""
    blocked = found.flowed.blocked.sum(axis=0)
    slot_of = np.array(found.pools.slot_of)
    shared = totals.get(Layer.ACCOUNT_CONCURRENCY)
    if shared is not None:
        full = found.pools.set_aside + found.pools.limits[0]
        claimed[shared > 0] = full
    for i in range(len(slot_of)):
        alone = np.count_nonzero(slot_of == slot_of[i]) == 1
        if alone and blocked[i] >= 1.0:
            drawn = shared if slot_of[i] == 0 else totals.get(Layer.RESERVED_CONCURRENCY)
            if drawn is not None:
                peak[drawn > 0, i] = found.pools.limits[slot_of[i]] + found.pools.spare[i]


def _crossing_deviation_s(found: Solved, slot: int, mine: NDArray[np.intp], blocked: Floats, widths: Floats) -> float:
    """Return how much the moment varies at which a pool that fills up at once is full, seconds.

    `sqrt(calls in flight x peakedness) / growth`; at most a step, as a slow approach is already a matter of chance.
    """
    first = int(np.argmax(blocked > 0))
    flow_in = float((found.flowed.admitted + found.flowed.blocked)[first, mine].sum()) / float(widths[first])
    spread = np.sqrt(found.pools.limits[slot] * max(float(found.pool_spread[slot]), 0.0))
    return float(min(spread / max(flow_in, 1e-9), widths[first]))


def _onset(found: Solved, mine: NDArray[np.intp], limit: float, widths: Floats) -> Floats:
    """Return which share of each step is over when the pool is full, had all calls been let in."""
    used = np.maximum(found.flowed.in_flight[:, mine] - found.flowed.provisioned[mine], 0.0).sum(
        axis=1, dtype=np.float64
    )
    before = np.concatenate(([0.0], used[:-1]))
    hold_s = float(found.flow.warm.mean_s[mine].mean())
    refused = found.flowed.blocked[:, mine].sum(axis=1, dtype=np.float64)
    growth = used - before + refused * np.minimum(1.0, hold_s / widths)
    onset = np.divide(limit - before, growth, out=np.zeros(len(used)), where=growth > 1e-9)
    clipped: Floats = np.clip(onset, 0.0, 1.0)
    return clipped


def _by(streams: Streams, per_call: Floats, size: int) -> Floats:
    """Sum a number per call into one per function."""
    return np.bincount(streams.function_of, weights=per_call, minlength=size).astype(np.float64)


def _ratio(part: Floats, whole: Floats) -> Floats:
    return np.divide(part, whole, out=np.zeros_like(whole), where=whole > 0)
