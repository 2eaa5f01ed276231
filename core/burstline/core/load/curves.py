"""Cumulative load curves: how many requests a shape has asked for by local time t, and the inverse.

Each curve has `total(t)` (requests in [0, t), a real number), its inverse `time_of(x)` and its slope `rate(t)`.
Where the curve is flat the inverse is the flat's end, so arrival k is due at the instant after which more than k
requests are asked for. All take and give arrays of float64; times in seconds from the shape's start.
"""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from burstline.core.load.plan import Bursts, Constant, Pause, Ramp, Shape, Sine, Step, Users

Floats = NDArray[np.float64]


class Curve(Protocol):
    """A cumulative load curve; see the module docstring."""

    def total(self, t: Floats) -> Floats:
        """Return requests asked for before each time."""
        ...

    def time_of(self, x: Floats) -> Floats:
        """Return the time at which each total is passed."""
        ...

    def rate(self, t: Floats) -> Floats:
        """Return requests per second at each time."""
        ...


@dataclass(frozen=True, slots=True)
class Staircase:
    """Equal treads of constant rates, each `tread_s` long; the last goes on for ever."""

    rates: Floats
    tread_s: float

    def _starts(self) -> tuple[Floats, Floats]:
        times: Floats = np.arange(len(self.rates), dtype=np.float64) * self.tread_s
        totals: Floats = np.concatenate((np.zeros(1), np.cumsum(self.rates[:-1] * self.tread_s)))
        return times, totals

    def total(self, t: Floats) -> Floats:
        """See `Curve`."""
        times, totals = self._starts()
        tread = np.clip(np.searchsorted(times, t, side="right") - 1, 0, None)
        return totals[tread] + self.rates[tread] * (t - times[tread])

    def time_of(self, x: Floats) -> Floats:
        """See `Curve`."""
        times, totals = self._starts()
        tread = np.clip(np.searchsorted(totals, x, side="right") - 1, 0, None)
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(self.rates[tread] > 0, times[tread] + (x - totals[tread]) / self.rates[tread], np.inf)

    def rate(self, t: Floats) -> Floats:
        """See `Curve`."""
        times, _ = self._starts()
        return self.rates[np.clip(np.searchsorted(times, t, side="right") - 1, 0, None)]


@dataclass(frozen=True, slots=True)
class Line:
    """A ramp: `total(t) = a t + (b - a) t**2 / (2 d)`, a and b in requests/s, d the length in seconds."""

    start_per_s: float
    end_per_s: float
    length_s: float

    def total(self, t: Floats) -> Floats:
        """See `Curve`."""
        return self.start_per_s * t + (self.end_per_s - self.start_per_s) * t * t / (2 * self.length_s)

    def time_of(self, x: Floats) -> Floats:
        """See `Curve`. The root in the form that does not cancel: 2 x / (a + sqrt(a**2 + 2 x (b - a) / d))."""
        slope = (self.end_per_s - self.start_per_s) / self.length_s
        root = np.sqrt(np.maximum(self.start_per_s**2 + 2 * slope * x, 0.0))
        denominator = self.start_per_s + root
        return np.divide(2 * x, denominator, out=np.zeros_like(x), where=denominator > 0)

    def rate(self, t: Floats) -> Floats:
        """See `Curve`."""
        return self.start_per_s + (self.end_per_s - self.start_per_s) * t / self.length_s


@dataclass(frozen=True, slots=True)
class Train:
    """Bursts of `size` requests over `width_s`, every `every_s`, on top of `base_per_s`."""

    size: int
    every_s: float
    width_s: float
    base_per_s: float

    def total(self, t: Floats) -> Floats:
        """See `Curve`. With `width_s` 0 the burst counts from the instant it is due."""
        period = np.floor(t / self.every_s)
        local = t - period * self.every_s
        share = np.minimum(local / self.width_s, 1.0) if self.width_s > 0 else np.ones_like(t)
        return (period + share) * self.size + self.base_per_s * t

    def time_of(self, x: Floats) -> Floats:
        """See `Curve`."""
        per_period = self.size + self.base_per_s * self.every_s
        period = np.floor(x / per_period)
        rest = x - period * per_period
        in_burst = self.size + self.base_per_s * self.width_s
        climb = rest * self.width_s / in_burst
        if self.base_per_s > 0:
            climb = np.where(rest < in_burst, climb, self.width_s + (rest - in_burst) / self.base_per_s)
        return period * self.every_s + climb

    def rate(self, t: Floats) -> Floats:
        """See `Curve`. A burst of no width has no rate: its base is given."""
        if self.width_s == 0:
            return np.full_like(t, self.base_per_s)
        return self.base_per_s + np.where(np.mod(t, self.every_s) < self.width_s, self.size / self.width_s, 0.0)


@dataclass(frozen=True, slots=True)
class Wave:
    """A sine: `total(t) = m t + A P / (2 pi) (1 - cos(2 pi t / P))`, m and A in requests/s, P the period in seconds."""

    mean_per_s: float
    amplitude_per_s: float
    period_s: float

    def total(self, t: Floats) -> Floats:
        """See `Curve`."""
        swing = self.amplitude_per_s * self.period_s / (2 * np.pi)
        return self.mean_per_s * t + swing * (1 - np.cos(2 * np.pi * t / self.period_s))

    def time_of(self, x: Floats) -> Floats:
        """See `Curve`. By bisection, since the slope may touch zero: `total` never falls."""
        high = x / self.mean_per_s
        low = high - self.amplitude_per_s * self.period_s / (np.pi * self.mean_per_s)
        low = np.maximum(low, 0.0)
        for _ in range(52):
            middle = (low + high) / 2
            below = self.total(middle) <= x
            low, high = np.where(below, middle, low), np.where(below, high, middle)
        return low

    def rate(self, t: Floats) -> Floats:
        """See `Curve`."""
        return self.mean_per_s + self.amplitude_per_s * np.sin(2 * np.pi * t / self.period_s)


def curve_of(shape: Shape, duration_s: float) -> Curve | None:
    """Return a shape's curve over `duration_s` seconds; None where it has no arrivals of its own (pause, users)."""
    match shape:
        case Constant(rate):
            return Staircase(np.array([rate], dtype=np.float64), duration_s)
        case Ramp(start, end):
            return Line(start, end, duration_s)
        case Step(start, end, steps):
            return Staircase(np.linspace(start, end, steps), duration_s / steps)
        case Bursts(size, every, width, base):
            return Train(size, every, width, base)
        case Sine(mean, amplitude, period):
            return Wave(mean, amplitude, period)
        case Pause() | Users():
            return None
