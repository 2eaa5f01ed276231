"""What to tell AWS about an increase: the number with its derivation, and the text that support wants, from a report.

What support asks for: region, function, use case, request rates, duration, and how the number follows from them (AWS
Knowledge Center, "How do I request a concurrency limit increase for my Lambda function?"; read 2026-11-23). "AWS denies
requests for high concurrency limits that don't have a valid use case" (same): that sentence is the user's to write.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

Report = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Wanted:
    """An increase as a report advises it.

    Attributes:
        quota: `SERVICE:CODE`.
        value: recommended; None if the report recommends none.
        adjustable: what the report says.
        derivation: where the value comes from.
        alternatives: what else would do.
    """

    quota: str
    value: float | None
    adjustable: bool
    derivation: str
    alternatives: tuple[str, ...] = ()


def wanted_of(report: Report, quota: str) -> Wanted | None:
    """Return what a report advises for a quota; None if it says nothing about it."""
    for advice in report.get("advice") or ():
        if advice.get("quota") == quota:
            value = advice.get("recommended")
            return Wanted(
                quota=quota,
                value=None if value is None else float(value),
                adjustable=bool(advice.get("adjustable")),
                derivation=str(advice.get("derivation") or ""),
                alternatives=tuple(str(text) for text in advice.get("alternatives") or ()),
            )
    return None


def advised_quotas(report: Report) -> tuple[str, ...]:
    """Return the Service Quotas a report advises on, each once."""
    found = (str(advice.get("quota")) for advice in report.get("advice") or ())
    return tuple(dict.fromkeys(quota for quota in found if quota.count(":") == 1))


def justification(report: Report, wanted: Wanted, current: float, desired: float, region: str, last4: str) -> str:
    """Return the text for AWS Support; lines that nothing is known for are left out.

    Args:
        report: of the run, schema `burstline.report/v1`.
        wanted: what it advises.
        current: the quota as it was read just now.
        desired: what is asked for.
        region: AWS region.
        last4: end of the account's number; "" if unknown.
    """
    run, plan = report.get("run") or {}, report.get("plan") or {}
    target, goal = plan.get("target") or {}, plan.get("goal") or {}
    lines = [
        f"Request: raise {wanted.quota} from {current:,.0f} to {desired:,.0f} in {region}"
        + (f", account ending in {last4}." if last4 else "."),
        f"Workload: {run.get('name') or plan.get('name') or 'load test'}, synchronous calls through {_front(target)}"
        + (f" to Lambda function {target['function']}." if target.get("function") else "."),
        *_goal(goal),
        *_measured(report),
        *_bound(report),
        *_used(report, wanted.quota),
        *([f"Derivation: {wanted.derivation}"] if wanted.derivation else []),
        "Use case: [one or two sentences of yours: what the service does, and why this traffic is expected]",
    ]
    return "\n".join(lines)


def _front(target: Mapping[str, Any]) -> str:
    names = {
        "rest": "an API Gateway REST API", "http": "an API Gateway HTTP API", "function_url": "a function URL",
        "alb": "an Application Load Balancer", "lambda": "the Invoke API",
    }  # fmt: skip
    return names.get(str(target.get("front", "")), "an HTTP endpoint")


def _goal(goal: Mapping[str, Any]) -> list[str]:
    rate = goal.get("rate_per_s") or goal.get("rate")
    if not rate:
        return []
    by = f" by {goal['by']}" if goal.get("by") else ""
    return [f"Expected: {float(rate):,.0f} requests a second at the peak{by}."]


def _measured(report: Report) -> list[str]:
    ledger, run = report.get("ledger") or {}, report.get("run") or {}
    duration_s = float(run.get("duration_s") or 0.0)
    found = []
    if ledger.get("sent") and duration_s:
        rate = ledger["sent"] / duration_s
        found.append(
            f"Measured on {str(run.get('started_at') or '')[:10] or 'a test'}: {ledger['sent']:,} requests in "
            f"{duration_s:,.0f} s, {rate:,.0f} a second on average."
        )
    ok = [row for row in report.get("latency") or () if row.get("outcome") == "ok" and row.get("basis") == "sent"]
    for row in ok:
        quantiles = ((q, row.get(f"{q}_s")) for q in ("p50", "p95", "p99"))
        parts = [f"{q} {value * 1000:,.0f} ms" for q, value in quantiles if value is not None]
        if parts:
            found.append(f"Duration of {row.get('request')} seen by the caller: {', '.join(parts)}.")
    return found


def _bound(report: Report) -> list[str]:
    outcomes = (report.get("ledger") or {}).get("outcomes") or {}
    throttled, total = outcomes.get("throttled") or 0, sum(value or 0 for value in outcomes.values())
    if not throttled or not total:
        return []
    layers = dict.fromkeys(str(b["layer"]) for b in report.get("bindings") or () if b.get("layer"))
    named = f", by {', '.join(layers)}" if layers else ""
    return [f"Throttled: {throttled:,} of {total:,} requests ({throttled / total:.1%}){named}."]


def _used(report: Report, quota: str) -> list[str]:
    for finding in report.get("findings") or ():
        if finding.get("quota") == quota and finding.get("peak_use") is not None:
            peak, source = float(finding["peak_use"]), finding.get("use_source") or "client"
            return [f"Highest use: {peak:,.0f} of {float(finding.get('limit') or 0):,.0f} (seen by {source})."]
    return []
