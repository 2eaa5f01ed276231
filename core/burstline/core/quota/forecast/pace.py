"""Refusals by the scaling rate in a fluctuating load: more, and earlier, than on average."""

import numpy as np
from numpy.typing import NDArray

from burstline.core.quota.forecast.solved import Solved

Floats = NDArray[np.float64]


def draw_unscaled(found: Solved, own_share: Floats, random: np.random.Generator, runs: int) -> tuple[Floats, Floats]:
    """Return how many calls of ours the scaling rate refuses, and when it first does, one for each run.

    The calls in flight run ahead of their mean m by about one deviation `s = sqrt(m z)`, give or take one. That many
    environments are missing as long as the rate binds, D seconds, and each refuses a call about every `2 E[S]`: more
    refusals by `s D / (2 E[S])`. And the rate binds earlier by s over how fast the need outgrows the allowance.
    An estimate, held against replays.
    """
    edges_s = found.streams.edges_s
    widths = np.diff(edges_s)
    unscaled = found.flowed.unscaled.astype(np.float64) * own_share
    totals, first_s = np.zeros(runs), np.full(runs, np.inf)
    for i in np.flatnonzero(unscaled.sum(axis=0) > 1e-6).tolist():
        hold_s, refused = float(found.flow.warm.mean_s[i]), unscaled[:, i]
        binding = refused > 1e-9
        start = int(np.argmax(binding))
        level = float(found.flowed.in_flight[start, i])
        spread = float(np.sqrt(level * max(found.own_spread[i], 0.0)))
        ahead = np.maximum(1.0 + random.standard_normal(runs), -1.0)
        outgrow = max(_outgrowth(found, i, start, widths), 1e-3)
        early_s = np.minimum(spread / outgrow, 0.15 * float(edges_s[start]))
        at_s = np.maximum(0.0, edges_s[start] - ahead * early_s + widths[start] * random.random(runs))
        more = spread * float(widths[binding].sum()) / (2.0 * hold_s)
        drawn = np.maximum(refused.sum() + ahead * min(more, float(refused.sum())), 1.0)
        totals += drawn * np.exp(0.02 * random.standard_normal(runs))
        first_s = np.minimum(first_s, at_s)
    return totals, first_s


def _outgrowth(found: Solved, i: int, start: int, widths: Floats) -> float:
    """Return how fast the environments needed outgrow those allowed when refusals begin, per second."""
    first = max(0, start - 8)
    stop = min(len(widths), start + 8)
    flow_in = (found.flowed.admitted + found.flowed.blocked + found.flowed.unscaled)[first:stop, i].astype(np.float64)
    needed = flow_in / widths[first:stop] * float(found.flow.warm.mean_s[i])
    started = found.flowed.cold[start:stop, i].astype(np.float64)
    span_s = float(widths[first:stop].sum())
    allowed = float(started.sum() / widths[start:stop].sum())
    return float(needed[-1] - needed[0]) / span_s - allowed
