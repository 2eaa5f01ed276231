"""What CloudWatch changes in a judgement: ambiguous answers, named layers, and the use of limits."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from burstline.core.load.plan import Plan
from burstline.core.load.samples import Outcome
from burstline.core.quota.advice.commands import CONCURRENCY_QUOTA, GATEWAY_BURST_QUOTA, GATEWAY_RATE_QUOTA
from burstline.core.quota.answers.classify import meaning
from burstline.core.quota.answers.limits import functions_of
from burstline.core.quota.answers.series import Ints, Series
from burstline.core.quota.answers.settle import Decided
from burstline.core.quota.aws.attribution import attribute
from burstline.core.quota.aws.cloudwatch import Watch, layer_of_throttles, sums_over
from burstline.core.quota.aws.cold_starts import ColdStarts
from burstline.core.quota.findings.bindings import Binding
from burstline.core.quota.findings.candidates import Candidate
from burstline.core.quota.findings.findings import Finding
from burstline.core.quota.quotas import Account, Family, Layer

CONFIRMED = 0.95
"""Confidence in a layer that CloudWatch's own numbers name; our grading, not a probability."""

LIKELIEST = ("rest.500.internal", "http.503.unavailable", "http.500.internal", "http.502.bad_gateway", "alb.502")
"""Ambiguous signatures of one front, likeliest throttle first: what Lambda counted is given to them in this order."""

FAMILY_OF = {
    Layer.RESERVED_CONCURRENCY: Family.CONCURRENCY,
    Layer.ACCOUNT_CONCURRENCY: Family.CONCURRENCY,
    Layer.INVOCATION_RATE: Family.INVOCATION_RATE,
    Layer.SCALING_RATE: Family.SCALING_RATE,
}
"""The law of each of Lambda's layers."""


def decisions(plan: Plan, account: Account, watch: Watch | None, series: Series) -> Mapping[str, Decided]:
    """Return the ambiguous signatures that CloudWatch decides, as `settle` takes them.

    Numbers that are not complete decide only where they account for every answer: more throttles may still come.
    """
    functions = lambda_functions(plan)
    if watch is None or not functions:
        return {}
    unsettled = [name for name in series.answers if meaning(name).outcome is Outcome.UNSETTLED]
    order = sorted(unsettled, key=lambda name: (LIKELIEST.index(name) if name in LIKELIEST else len(LIKELIEST), name))
    found = attribute({name: series.answers[name] for name in order}, watch, functions)
    named = _named(account, watch, functions)
    return {
        name: (FAMILY_OF[named[0]] if named else meaning(name).families[0], split.throttled, split.text)
        for name, split in found.items()
        if split.confirmed or not split.failed_count
    }


def throttle_notes(
    plan: Plan, watch: Watch | None, throttled: Mapping[str, Ints], seen: Iterable[str]
) -> tuple[str, ...]:
    """Return what CloudWatch's `Throttles` say beyond the answers that are taken for Lambda's throttles, as sentences.

    Args:
        plan: of the run.
        watch: what CloudWatch said; None says nothing.
        throttled: signature -> throttled answers by bin, as settled.
        seen: all signatures that were seen.
    """
    functions = lambda_functions(plan)
    if watch is None or not functions:
        return ()
    counted = sums_over(watch, "Throttles", functions)
    if counted is None:
        ambiguous = [name for name in seen if meaning(name).outcome is Outcome.UNSETTLED]
        names = ", ".join(ambiguous)
        text = f"CloudWatch has no Throttles of {', '.join(functions)}: {names} stay as the client sees them."
        return (text,) if ambiguous else ()
    ours = sum(int(bins.sum()) for name, bins in throttled.items() if set(meaning(name).layers) & set(FAMILY_OF))
    left = round(sum(counted.values())) - ours
    if left <= 0:
        return ()
    return (
        f"Lambda counted {left:,} throttles more than answers of this run: other callers or retries in the same "
        "minutes, or answers that the API's owner rewrote.",
    )


def lambda_functions(plan: Plan) -> tuple[str, ...]:
    """Return the plain names of the functions that the plan's requests invoke; unknown ones are left out."""
    names = (name.rpartition(":function:")[2].split(":")[0] for name in functions_of(plan) if name)
    return tuple(dict.fromkeys(names))


def confirmed_bindings(
    bindings: Iterable[Binding], plan: Plan, account: Account, watch: Watch | None
) -> tuple[Binding, ...]:
    """Return the bindings with the layer that CloudWatch names, where it is among their candidates."""
    named = _named(account, watch, lambda_functions(plan)) if watch is not None else None
    if named is None:
        return tuple(bindings)
    return tuple(_confirmed(binding, *named) for binding in bindings)


def confirmed_findings(findings: Iterable[Finding], account: Account, watch: Watch | None) -> tuple[Finding, ...]:
    """Return the findings with AWS as the source of limits that were read, and CloudWatch's peaks where it has them."""
    return tuple(_with_peak(_with_source(finding, account), account, watch) for finding in findings)


def with_cold_starts(account: Account, found: Mapping[str, ColdStarts]) -> Account:
    """Return the account with the init time that each function's own log tells, where none was declared.

    The median, or with too few cold starts for one the longest: what provisioned concurrency would save.
    """
    functions = dict(account.functions)
    for name, starts in found.items():
        function, init_s = functions.get(name), starts.init_p50_s or starts.init_max_s
        if function is not None and init_s and not function.init_s:
            functions[name] = replace(function, init_s=init_s)
    return replace(account, functions=functions)


def _named(account: Account, watch: Watch | None, functions: Sequence[str]) -> tuple[Layer, str] | None:
    if watch is None:
        return None
    found = [named for name in functions if (named := layer_of_throttles(watch, account, name)) is not None]
    # Several functions with different layers: which binding is whose cannot be told.
    return found[0] if found and len({layer for layer, _ in found}) == 1 else None


def _confirmed(binding: Binding, layer: Layer, text: str) -> Binding:
    if all(candidate.layer is not layer for candidate in binding.candidates):
        return binding
    candidates = tuple(_with_text(candidate, layer, text) for candidate in binding.candidates)
    return replace(
        binding, layer=layer, family=FAMILY_OF[layer], candidates=candidates, confidence=CONFIRMED, part="", limit=None
    )


def _with_text(candidate: Candidate, layer: Layer, text: str) -> Candidate:
    if candidate.layer is not layer:
        return candidate
    return replace(candidate, evidence=f"{candidate.evidence} CloudWatch: {text}.".strip(), explains=True)


def _with_source(finding: Finding, account: Account) -> Finding:
    return replace(finding, limit_source="aws") if _path_of(finding.quota) in account.read else finding


def _path_of(quota: str) -> str:
    """Return the account path of a finding's limit; the rate of an invocation limit has that of its concurrency."""
    fixed = {
        CONCURRENCY_QUOTA: "lambda.concurrency", f"{CONCURRENCY_QUOTA}:rate": "lambda.concurrency",
        GATEWAY_RATE_QUOTA: "apigateway.rate", GATEWAY_BURST_QUOTA: "apigateway.burst",
    }  # fmt: skip
    if quota in fixed:
        return fixed[quota]
    match quota.split(":"):
        case ["lambda", "reserved", name, *_]:
            return f"lambda.functions.{name}.reserved"
        case ["apigateway", "stage", name, *_]:
            return f"apigateway.stages.{name}"
        case ["apigateway", "usage-plan", name, *_]:
            return f"apigateway.usage_plans.{name}"
    return ""


def _with_peak(finding: Finding, account: Account, watch: Watch | None) -> Finding:
    if watch is None:
        return finding
    if finding.quota == CONCURRENCY_QUOTA:
        peak = watch.peak("ClaimedAccountConcurrency")
        limit: float = account.concurrency
    elif finding.quota.startswith("lambda:reserved:") and not finding.quota.endswith(":rate"):
        peak, limit = watch.peak("ConcurrentExecutions", finding.quota.split(":")[2]), finding.limit
    else:
        return finding
    return finding if peak is None else replace(finding, peak_use=peak, limit=limit, use_source="cloudwatch")
