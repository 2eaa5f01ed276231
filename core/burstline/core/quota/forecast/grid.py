"""The steps of the fluid solver: fine where the load changes its course, coarse where it goes on as it was."""

from collections.abc import Iterable, Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from burstline.core.load.plan import Bursts, Phase, Step

Floats = NDArray[np.float64]

INSTANT_S = 1e-6
"""A burst of no width is given a step of this length, seconds."""

STEPS = 12_000
"""About how many steps a forecast may take."""

FEWEST = 1_500


def edges(loads: Iterable[Sequence[Phase]], shortest_s: float, *, steps: int = STEPS) -> Floats:
    """Return the step edges from 0 to the end of the longest load, ascending seconds.

    After each change of course (a phase, a burst's start and end, a stair) steps begin at a sixth of `shortest_s` and
    grow by a constant factor up to a ceiling; where that makes more than `steps`, they begin and grow coarser.

    Args:
        loads: the phases of each.
        shortest_s: the shortest time in which calls in flight adapt: the least mean service time, seconds, > 0.
        steps: about how many edges there may be.
    """
    changes = np.unique(np.concatenate([_changes(load) for load in loads]))
    duration_s = float(changes[-1])
    ceiling = max(duration_s / (steps / 2), min(0.25, duration_s / FEWEST))
    first, growth = min(shortest_s / 6, ceiling), 1.25
    gaps = np.diff(changes)
    while _count(gaps, first, growth, ceiling) > steps and (first < ceiling or growth < 8):
        first, growth = min(first * 1.5, ceiling), min(growth * 1.2, 8.0)
    pieces = [_between(low, high, first, growth, ceiling) for low, high in pairwise(changes.tolist())]
    return np.concatenate([*pieces, changes[-1:]])


def _changes(load: Sequence[Phase]) -> Floats:
    found: list[Floats] = [np.zeros(1)]
    start = 0.0
    for phase in load:
        local = np.zeros(1)
        if isinstance(phase.shape, Bursts):
            local = _burst_changes(phase.shape, phase.duration_s)
        elif isinstance(phase.shape, Step):
            local = np.arange(phase.shape.steps) * phase.duration_s / phase.shape.steps
        found.append(start + local)
        start += phase.duration_s
    found.append(np.array([start]))
    return np.concatenate(found)


def _burst_changes(shape: Bursts, duration_s: float) -> Floats:
    starts = np.arange(0.0, duration_s, shape.every_s)
    if shape.width_s == 0:
        changes = np.concatenate((np.maximum(starts - INSTANT_S, 0.0), starts, starts + INSTANT_S))
    else:
        changes = np.concatenate((starts, starts + shape.width_s))
    return changes[changes < duration_s]


def _count(gaps: Floats, first: float, growth: float, ceiling: float) -> float:
    climb = np.log(max(ceiling / first, 1.0)) / np.log(growth)
    climbed = first * (growth**climb - 1) / (growth - 1)
    within = np.log1p(np.minimum(gaps, climbed) * (growth - 1) / first) / np.log(growth)
    return float(np.sum(1 + within + np.maximum(gaps - climbed, 0.0) / ceiling))


def _between(low: float, high: float, first: float, growth: float, ceiling: float) -> Floats:
    """Return edges from `low` (inclusive) to `high` (exclusive)."""
    gap = high - low
    if gap <= first:
        return np.array([low])
    climb = int(np.ceil(np.log(max(ceiling / first, 1.0)) / np.log(growth)))
    widths = np.minimum(first * growth ** np.arange(climb), ceiling)
    climbing = np.cumsum(widths)
    rest = gap - float(climbing[-1]) if climb else gap
    if rest > 0:
        count = max(1, int(np.ceil(rest / ceiling)))
        widths = np.concatenate((widths, np.full(count, rest / count)))
    else:
        widths = widths[: int(np.searchsorted(climbing, gap)) + 1]
        widths = widths * (gap / widths.sum())
    return low + np.concatenate(([0.0], np.cumsum(widths[:-1])))
