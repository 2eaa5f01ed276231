"""Abort rules: conditions on each second's provisional outcomes, which stop a run when they hold for long enough."""

import operator
from collections.abc import Callable, Sequence

from burstline.core.load.plan import Condition
from burstline.core.load.totals import Second
from burstline.core.quota.answers.classify import meaning

_OPERATORS: dict[str, Callable[[float, float], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


class AbortWatch:
    """Counts for how many consecutive seconds each rule holds."""

    def __init__(self, rules: Sequence[Condition]) -> None:
        self._rules = rules
        self._streaks = [0] * len(rules)
        self._next: int | None = None

    def observe(self, second: int, seen: Second | None) -> Condition | None:
        """Look at one second of run time that all workers reported; None is one in which nothing became known.

        Returns:
            The first rule that has held for `for_s` consecutive seconds (at least one), or None.
        """
        if self._next is not None and second != self._next:
            self._streaks = [0] * len(self._rules)
        self._next = second + 1
        found = None
        for index, rule in enumerate(self._rules):
            holds = seen is not None and _holds(rule, seen)
            self._streaks[index] = self._streaks[index] + 1 if holds else 0
            if found is None and holds and self._streaks[index] >= max(1.0, rule.for_s):
                found = rule
        return found


def _holds(rule: Condition, second: Second) -> bool:
    value = measure(rule, second)
    return value is not None and compare(rule, value)


def compare(rule: Condition, value: float) -> bool:
    """Return whether a value meets a rule's comparison."""
    return _OPERATORS[rule.operator](value, rule.limit)


def measure(rule: Condition, second: Second) -> float | None:
    """Return a rule's measure over one second: seconds, requests/s or a share 0..1; None if nothing can be said."""
    if rule.measure == "latency":
        return second.latency.quantile(1.0 if rule.quantile is None else rule.quantile)
    if rule.measure == "lateness":
        return second.lateness.quantile(1.0 if rule.quantile is None else rule.quantile)
    if rule.measure == "neighbours":
        return None  # CloudWatch's, not the windows': see `burstline.server.control.asking`
    if rule.measure == "rate":
        return float(second.load.sent)
    if rule.measure == "dropped":
        return sum(second.load.dropped.values()) / second.load.due if second.load.due else None
    total = sum(second.answers.values())
    if not total:
        return None
    named = sum(count for signature, count in second.answers.items() if outcome_of(signature) == rule.measure)
    return named / total


def outcome_of(signature: str) -> str:
    """Return a signature's provisional outcome; a signature that is not known is "unsettled"."""
    try:
        return meaning(signature).outcome.value
    except (KeyError, ValueError):
        return "unsettled"
