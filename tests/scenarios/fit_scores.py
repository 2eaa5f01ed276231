"""How close a fit comes to a hidden account's truth."""

import time
from dataclasses import dataclass

from burstline.core.quota.fitting.fitting import Fit, FitResult, fit
from burstline.core.quota.quotas import Family
from hidden_accounts import Hidden, Pressed, Truth, press
from hidden_kinds import hidden_account

FEWEST = 8
"""Rejections that a law must have made to be asked for."""


@dataclass(frozen=True, slots=True)
class Number:
    """One parameter: truth, estimate, relative error, within its goal, inside its interval."""

    parameter: str
    truth: float
    value: float
    low: float
    high: float
    within_goal: bool

    @property
    def error(self) -> float:
        """Relative to the truth."""
        return (self.value - self.truth) / self.truth

    @property
    def covered(self) -> bool:
        """Whether the interval holds the truth."""
        return self.low <= self.truth <= self.high


@dataclass(frozen=True, slots=True)
class Score:
    """What came of one hidden account; `good` is everything within its goal."""

    seed: int
    kind: str
    about: str
    family_right: bool
    unknown: bool
    families: tuple[str, ...]
    numbers: tuple[Number, ...]
    missing: tuple[str, ...]
    throttled_truth: int
    throttled_found: int
    ambiguous: bool
    fit_s: float

    @property
    def count_right(self) -> bool:
        """Whether the settled count is within 1 % of the target's own."""
        return abs(self.throttled_found - self.throttled_truth) <= 0.01 * self.throttled_truth

    @property
    def good(self) -> bool:
        """Whether nothing is to be complained of."""
        numbers = all(number.within_goal and number.covered for number in self.numbers)
        return self.family_right and numbers and self.count_right and not self.missing

    def text(self) -> str:
        """One account in a few lines."""
        head = f"{self.seed} {self.kind}: {self.about}; {' -> '.join(self.families) or 'no quota'}"
        head += "" if self.family_right else "  FAMILY"
        if not self.count_right:
            head += f"  COUNT {self.throttled_truth} -> {self.throttled_found}"
        lines = [head] + [f"    {name} MISSING" for name in self.missing]
        for one in self.numbers:
            flags = ("" if one.within_goal else " OFF") + ("" if one.covered else " UNCOVERED")
            lines.append(f"    {one.parameter} {one.truth:g}: {one.value:.3f} [{one.low:.3f}, {one.high:.3f}]{flags}")
        return "\n".join(lines)


def score_of(seed: int, kind: str | None = None) -> Score:
    """Press, fit and compare."""
    hidden = hidden_account(seed, kind)
    pressed = press(hidden, seed)
    started_s = time.perf_counter()
    result = fit(pressed.totals, hidden.front)
    fit_s = time.perf_counter() - started_s
    truths = _asked(hidden, pressed)
    wanted, found = [], []
    for truth in truths:
        if str(truth.family) not in wanted:
            wanted.append(str(truth.family))
    for bound in result.bounds:
        if str(bound.family) not in found:
            found.append(str(bound.family))
    numbers, missing = _numbers(truths, result)
    about = (
        f"{hidden.front} {hidden.about} {hidden.worker_count} workers, {hidden.round_trip_s * 1000:g} ms, errors "
        f"{hidden.error_ratio:.3f} {hidden.error_signature}{' quick' if hidden.errors_quick else ''}"
    )
    return Score(
        seed,
        hidden.kind,
        about,
        wanted == found,
        "unknown" in found,
        tuple(found),
        numbers,
        missing,
        pressed.throttled_count,
        result.throttled_count,
        bool(hidden.error_ratio and hidden.error_signature),
        fit_s,
    )


def _asked(hidden: Hidden, pressed: Pressed) -> list[Truth]:
    """The truths that showed, in the order in which they first did."""
    made: dict[Family, int] = {}
    for (family, _), count in pressed.throttled.items():
        made[family] = made.get(family, 0) + count
    shown = [truth for truth in hidden.truths if made.get(truth.family, 0) >= FEWEST]
    return sorted(shown, key=lambda truth: max(truth.from_s, pressed.first_s[truth.family]))


def _numbers(truths: list[Truth], result: FitResult) -> tuple[tuple[Number, ...], tuple[str, ...]]:
    numbers, missing = [], []
    for truth in truths:
        for parameter, value in truth.values.items():
            fits = [one for one in result.fits if one.family is truth.family and one.parameter == parameter]
            best = max(fits, key=lambda one: _overlap(one, truth), default=None)
            if best is None or _overlap(best, truth) <= 0:
                missing.append(parameter)
                continue
            rate = truth.values.get("rate", 0.0)
            goal = abs(best.value - value) <= _goal(parameter, value, rate)
            numbers.append(Number(parameter, value, best.value, best.low, best.high, goal))
    return tuple(numbers), tuple(missing)


def _overlap(one: Fit, truth: Truth) -> float:
    return min(one.to_s, truth.to_s) - max(one.from_s, truth.from_s)


def _goal(parameter: str, value: float, rate: float) -> float:
    """How far off a parameter may be."""
    if parameter == "burst":
        return max(3.0, 0.01 * value, rate * 0.002)
    if parameter == "concurrency":
        return max(1.0, 0.01 * value)
    share = {"rate": 0.002, "slope": 0.02, "rate_limit": 0.005, "count": 0.02}
    return 0.0101 if parameter == "period" else share[parameter] * value
