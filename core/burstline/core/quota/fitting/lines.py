"""Straight lines through points that may hold outliers, and how far their numbers can be trusted."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from burstline.core.quota.answers.series import Floats

BLOCK_S = 0.1
"""Residuals are averaged over blocks of this length before their noise is measured, seconds."""

SHORTEST_BLOCK_S = 0.05
"""The same where the walk alone is asked for, seconds: what is shorter, jitter and places within bins blur."""

FEWEST_BLOCKS = 16

MAD_TO_DEVIATION = 1.4826
"""Median absolute deviation to standard deviation of a normal distribution."""


@dataclass(frozen=True, slots=True)
class Noise:
    """What residuals around a line are made of.

    Attributes:
        white: variance of a block's mean, independent from block to block.
        walk_per_s: variance that a random walk adds per second; 0 for an exact throttle.
        block_count: blocks that hold points.
        span_s: from the first point to the last; of points in several stretches, the root mean square of their spans.
    """

    white: float
    walk_per_s: float
    block_count: int
    span_s: float

    @property
    def slope_deviation(self) -> float:
        """Standard error of a least-squares slope, per second.

        White noise gives `12 white / (n T^2)`; a random walk of variance q per second gives `6 q / (5 T)`.
        """
        if self.span_s <= 0:
            return float("inf")
        return float(np.sqrt(12 * self.white / self.block_count / self.span_s**2 + 1.2 * self.walk_per_s / self.span_s))

    @property
    def level_deviation(self) -> float:
        """Standard error of the line's height amid the points."""
        return float(np.sqrt(self.white / max(1, self.block_count) + self.walk_per_s * self.span_s / 7))


def robust_fit(columns: Floats, values: Floats, weights: Floats) -> tuple[Floats, NDArray[np.bool_]]:
    """Return coefficients of a linear fit that single outliers do not move, and which points were kept.

    Args:
        columns: one row per point, one column per coefficient.
        values: what to explain.
        weights: > 0.
    """
    scale = np.maximum(np.abs(columns).max(axis=0), 1e-12)
    scaled = columns / scale
    factor = np.sqrt(weights)
    found = _solve(scaled, values, factor)
    for _ in range(12):  # towards least absolute deviations
        off = np.abs(values - scaled @ found)
        floor = max(1e-3, 0.1 * float(np.median(off)))
        found = _solve(scaled, values, factor / np.sqrt(np.maximum(off, floor)))
    keep = np.ones(len(values), dtype=bool)
    for _ in range(3):
        off = np.abs(values - scaled @ found)
        limit = max(0.75, 4 * MAD_TO_DEVIATION * weighted_median(off, weights))
        keep = off <= limit
        if keep.sum() <= columns.shape[1]:
            break
        found = _solve(scaled[keep], values[keep], factor[keep])
    coefficients: Floats = found / scale
    return coefficients, keep


def _solve(columns: Floats, values: Floats, factor: Floats) -> Floats:
    found: Floats = np.linalg.lstsq(columns * factor[:, None], values * factor, rcond=None)[0].astype(np.float64)
    return found


def weighted_median(values: Floats, weights: Floats, q: float = 0.5) -> float:
    """Return the value below which a share `q` of the weight lies; 0.0 of nothing."""
    if not len(values):
        return 0.0
    order = np.argsort(values)
    total = np.cumsum(weights[order])
    return float(values[order][min(len(values) - 1, int(np.searchsorted(total, q * total[-1])))])


def noise_of(
    at_s: Floats, residuals: Floats, block_s: float = BLOCK_S, stretch: NDArray[np.int64] | None = None
) -> Noise:
    """Split residuals, in order of time, into what is new in each block and what adds up over time.

    Args:
        at_s: ascending, seconds.
        residuals: one for each.
        block_s: seconds over which residuals hang together without adding up, > 0.
        stretch: in which the line begins anew, for each; None if in none: only within them does a slope show.
    """
    if len(at_s) < 2:
        return Noise(1.0, 0.0, max(1, len(at_s)), 0.0)
    span_s = float(at_s[-1] - at_s[0])
    length = max(block_s, span_s / 400)
    block = ((at_s - at_s[0]) / length).astype(np.int64)
    numbers, which = np.unique(block, return_inverse=True)
    means = np.bincount(which, residuals) / np.bincount(which)
    if stretch is not None:
        span_s = _usual_span_s(at_s, block, stretch)
    if len(means) < 8:
        return Noise(float(np.var(residuals)) + 0.1, 0.0, len(means), span_s)
    near = _variogram(means, numbers, 1)
    lag = max(4, len(means) // 12)
    far = _variogram(means, numbers, lag)
    per_s = max(0.0, (far[0] - near[0]) / max(far[1] - near[1], 1e-9)) / length
    white = max((near[0] - per_s * near[1] * length) / 2, 1e-4)
    return Noise(white, per_s, len(means), span_s)


def _usual_span_s(at_s: Floats, block: NDArray[np.int64], stretch: NDArray[np.int64]) -> float:
    """Return the span with which a slope common to all stretches is as sure as they make it together."""
    squares, count = 0.0, 0
    for number in np.unique(stretch):
        mine = stretch == number
        blocks = len(np.unique(block[mine]))
        squares += blocks * float(at_s[mine][-1] - at_s[mine][0]) ** 2
        count += blocks
    return float(np.sqrt(squares / count))


@dataclass(frozen=True, slots=True)
class Walk:
    """A random walk among residuals: the variance that it adds per second, and the standard error of that."""

    per_s: float
    deviation: float


def walk_of(at_s: Floats, residuals: Floats) -> Walk:
    """Return the random walk in residuals, in order of time, by Whittle's likelihood of their differences.

    Means over blocks of length L of a walk (variance q a second) and of white noise (variance w) have differences with
    the spectrum `q L (2 + cos f) / 3 + 2 w (1 - cos f)`. That uses all that Gaussian noise tells: after n blocks the
    walk is known to about `sqrt(2 / n)` of itself if it adds more than the noise in each.
    """
    length, means = _filled_blocks(at_s, residuals)
    if len(means) < FEWEST_BLOCKS:
        return Walk(0.0, float("inf"))
    step = np.diff(means)
    power = np.abs(np.fft.rfft(step - step.mean())) ** 2 / len(step)
    turn = np.arange(len(power)) * 2 * np.pi / len(step)
    power, turn = power[1:], turn[1:]
    walks, noise = (2 + np.cos(turn)) / 3, 2 * (1 - np.cos(turn)) + 1e-9
    best = (float("inf"), 0.0, 1.0)
    for ratio in (0.0, *np.geomspace(1e-4, 1e3, 141).tolist()):
        shape = ratio * walks + noise
        scale = max(1e-12, float(np.mean(power / shape)))
        best = min(best, (float(np.log(shape).sum() + len(power) * np.log(scale)), ratio, scale))
    _, ratio, white = best
    whole = white * (ratio * walks + noise)
    parts = np.stack([walks / whole, noise / whole])
    # each frequency counts once: its power is exponential, with the spectrum for its mean
    spread = float(np.sqrt(np.linalg.pinv(parts @ parts.T)[0, 0]))
    return Walk(ratio * white / length, spread / length)


def _filled_blocks(at_s: Floats, residuals: Floats) -> tuple[float, Floats]:
    """Return means over the shortest blocks of which hardly any is empty, gaps filled, and their length."""
    length = SHORTEST_BLOCK_S
    while len(at_s):
        block = ((at_s - at_s[0]) / length).astype(np.int64)
        numbers, which = np.unique(block, return_inverse=True)
        if len(numbers) >= 0.9 * (numbers[-1] + 1) or numbers[-1] < FEWEST_BLOCKS:
            means = np.bincount(which, residuals) / np.bincount(which)
            return length, np.interp(np.arange(numbers[-1] + 1), numbers, means)
        length *= 1.5
    return length, residuals


def _variogram(means: Floats, numbers: NDArray[np.int64], lag: int) -> tuple[float, float]:
    """Mean squared difference of block means that many places apart, and their mean distance in blocks."""
    difference = means[lag:] - means[:-lag]
    return float(np.mean(difference**2)), float(np.mean(numbers[lag:] - numbers[:-lag]))
