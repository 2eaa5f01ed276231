"""The verdict: the first that applies of a closed list, with its exit code; and thresholds on settled outcomes."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from burstline.core.load.histogram import Histogram
from burstline.core.load.ledger import Ledger
from burstline.core.load.plan import Condition, Plan
from burstline.core.load.samples import Outcome
from burstline.core.load.totals import Totals
from burstline.core.quota.answers.inflight import merged
from burstline.core.quota.answers.settle import Settlement


class Verdict(StrEnum):
    """What a run came to, in the order in which they are tried (design 9)."""

    COULD_NOT_RUN = "could_not_run"
    INCOMPLETE = "incomplete"
    GENERATOR_LIMITED = "generator_limited"
    ABORTED = "aborted"
    QUOTA_BOUND = "quota_bound"
    THRESHOLD_FAILED = "threshold_failed"
    PASSED = "passed"


EXIT_CODES = {
    Verdict.COULD_NOT_RUN: 1,
    Verdict.INCOMPLETE: 5,
    Verdict.GENERATOR_LIMITED: 4,
    Verdict.ABORTED: 6,
    Verdict.QUOTA_BOUND: 3,
    Verdict.THRESHOLD_FAILED: 99,
    Verdict.PASSED: 0,
}
"""Exit codes of the command; 99 as k6's."""

INCOMPLETE_RATIO = 0.001
"""More than this share of due requests lost, orphaned or unsent makes a run incomplete."""

LIMITED_RATIO = 0.01
"""More than this share of the run generator-limited makes the run so."""

_COMPARE: dict[str, Callable[[float, float], bool]] = {
    "<": lambda value, limit: value < limit,
    "<=": lambda value, limit: value <= limit,
    ">": lambda value, limit: value > limit,
    ">=": lambda value, limit: value >= limit,
}


@dataclass(frozen=True, slots=True)
class ThresholdResult:
    """A threshold, what was observed (None if nothing was), and whether it holds; unobserved ones do not."""

    expression: str
    observed: float | None
    passed: bool


def verdicts(
    *,
    problem: str,
    ledger: Ledger,
    generator_limited: bool,
    aborted: bool,
    throttled_ratio: float,
    tolerated_ratio: float,
    thresholds: Iterable[ThresholdResult],
) -> tuple[Verdict, ...]:
    """Return every verdict that applies, the decisive one first; never empty.

    Args:
        problem: why the run could not run; "" if it did.
        throttled_ratio: throttled over all known outcomes, 0..1.
        tolerated_ratio: the plan's tolerance, 0..1.
    """
    uncertain = ledger.lost + ledger.orphaned + ledger.unsent
    applies = {
        Verdict.COULD_NOT_RUN: bool(problem),
        Verdict.INCOMPLETE: uncertain > INCOMPLETE_RATIO * ledger.due,
        Verdict.GENERATOR_LIMITED: generator_limited,
        Verdict.ABORTED: aborted,
        Verdict.QUOTA_BOUND: throttled_ratio > tolerated_ratio,
        Verdict.THRESHOLD_FAILED: any(not result.passed for result in thresholds) and not problem,
    }
    return tuple(verdict for verdict, holds in applies.items() if holds) or (Verdict.PASSED,)


def evaluate(
    plan: Plan, totals: Totals, ledger: Ledger, settled: Settlement, duration_s: float
) -> list[ThresholdResult]:
    """Return each of the plan's thresholds with what was observed.

    Latency is from due, over all requests but throttled and rejected ones: their quick answers would flatter it.
    Outcomes are shares of all known outcomes, `dropped` of what was due, `rate` requests sent per second.
    """
    return [
        _result(condition, _observe(condition, totals, ledger, settled, duration_s)) for condition in plan.thresholds
    ]


def throttled_ratio(settled: Settlement) -> float:
    """Return the share of throttled requests among all known outcomes, 0..1; 0 if there are none."""
    outcomes = settled.outcomes()
    total = sum(outcomes.values())
    return outcomes[Outcome.THROTTLED] / total if total else 0.0


def latency_of(totals: Totals, settled: Settlement, outcomes: Sequence[Outcome]) -> Histogram:
    """Return latencies from due of the requests whose signature settled mostly to one of `outcomes`."""
    return merged(
        latency.due
        for key, latency in totals.latencies.items()
        if settled.outcome_of(key.request, key.signature) in outcomes
    )


def _observe(
    condition: Condition, totals: Totals, ledger: Ledger, settled: Settlement, duration_s: float
) -> float | None:
    if condition.measure in ("latency", "lateness"):
        worked = (Outcome.OK, Outcome.FAILED, Outcome.TIMED_OUT, Outcome.UNREACHABLE)
        times = totals.lateness if condition.measure == "lateness" else latency_of(totals, settled, worked)
        return times.quantile(1.0 if condition.quantile is None else condition.quantile)
    if condition.measure == "rate":
        return ledger.sent / duration_s if duration_s > 0 else None
    if condition.measure == "dropped":
        return sum(ledger.dropped.values()) / ledger.due if ledger.due else None
    outcomes = settled.outcomes()
    total = sum(outcomes.values())
    # nothing is unsettled any more
    return outcomes.get(Outcome(condition.measure), 0) / total if total else None


def _result(condition: Condition, observed: float | None) -> ThresholdResult:
    passed = observed is not None and _COMPARE[condition.operator](observed, condition.limit)
    return ThresholdResult(condition.text, observed, passed)
