"""Cold starts of a function as its own log says: how many, how long, and what of it is billed."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ColdStarts:
    """What the REPORT lines of a function say. Quantiles of fewer than 10/(1-q) lines are None.

    Attributes:
        function: whose.
        log_format: "Text" or "JSON".
        invocation_count: REPORT lines.
        cold_count: of those, with an init (or, with SnapStart, a restore) time.
        init_p50_s: median init time of cold ones, seconds.
        init_p99_s: 99th percentile.
        init_max_s: longest.
        warm_p50_s: median duration of warm ones, seconds, without init.
        warm_p99_s: 99th percentile.
        cold_p50_s: median duration of cold ones, seconds, init added.
        cold_p99_s: 99th percentile.
        billed_s: billed time of all together, seconds; includes INIT since 1 Aug 2025 (AWS Compute Blog, "AWS Lambda
            standardizes billing for INIT phase"; read 2026-11-23).
        init_billed_s: the part of it that is INIT, seconds: the sum of init times.
    """

    function: str
    log_format: str
    invocation_count: int
    cold_count: int
    init_p50_s: float | None = None
    init_p99_s: float | None = None
    init_max_s: float | None = None
    warm_p50_s: float | None = None
    warm_p99_s: float | None = None
    cold_p50_s: float | None = None
    cold_p99_s: float | None = None
    billed_s: float | None = None
    init_billed_s: float | None = None

    @property
    def cold_ratio(self) -> float | None:
        """Cold share of all invocations, 0..1; None without any."""
        return self.cold_count / self.invocation_count if self.invocation_count else None


def enough(count: int, quantile: float) -> bool:
    """Whether so many values are enough for a quantile: at least 10/(1-q)."""
    return count * (1.0 - quantile) >= 10.0 - 1e-9


def is_provisioning_worth_it(found: ColdStarts, share_of_run: float = 0.01) -> bool:
    """Whether cold starts are frequent enough (above `share_of_run`, 0..1) to think of provisioned concurrency.

    AWS's own words for what is usual: "under 1 % of invocations" (Lambda Developer Guide, "Understanding the Lambda
    execution environment lifecycle"; read 2026-11-23).
    """
    return found.cold_ratio is not None and found.cold_ratio > share_of_run
